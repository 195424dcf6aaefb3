namespace Cliper.Cli;

internal static class Program
{
    private static int Main(string[] args)
    {
        using var interruption = new Interruption(Console.Error);
        return Application.Run(args, Terminal.OfConsole(), interruption.Token);
    }
}
