using Spectre.Console;

namespace Cliper.Cli.Tests;

public sealed class TrainingProgressTests
{
    [Test]
    public void ALineAboveTheBarErasesWhatStoodThere()
    {
        using var written = new StringWriter();
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            Out = new AnsiConsoleOutput(written)
        });
        console.Profile.Width = 20;

        console.Write(new TrainingProgress.WholeLine("stage2 epoch 1/3: loss 4.524, [test] WAR 55.0 %", Style.Plain));

        string[] lines = written.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines, Has.Length.EqualTo(3).And.All.EndsWith("\u001b[K"));
        string told = string.Join(' ', lines).Replace("\u001b[K", "").Replace("  ", " ").Trim();
        Assert.That(told, Is.EqualTo("stage2 epoch 1/3: loss 4.524, [test] WAR 55.0 %"));
    }
}
