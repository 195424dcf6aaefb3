using System.CommandLine;
using System.CommandLine.Parsing;
using Cliper.Model;

namespace Cliper.Cli;

/// <summary>Finds the errors of a command line: a sentence each, with the nearest name that would be right.</summary>
internal static class UsageErrors
{
    /// <summary>The errors; none if the command can run or help was asked for.</summary>
    public static IReadOnlyList<string> Of(ParseResult parsed)
    {
        if (parsed.Action is Examples.Help)
            return [];
        Command command = parsed.CommandResult.Command;
        string[] unknown = [.. UnknownOptions(parsed)];
        if (unknown.Length > 0)
            return [.. unknown.Select(option => $"unknown option '{option}'" + Suggestion.Hint(option,
                OptionNames(command)))];
        if (command.Action is null && parsed.UnmatchedTokens is [var word, ..])
            return [$"unknown command '{word}'" + Suggestion.Hint(word, command.Subcommands.Select(c => c.Name))];
        return [.. parsed.Errors.Select(error => error.Message.TrimEnd('.')).Distinct()];
    }

    /// <summary>
    /// Words that look like options and are none, wherever the parser put them: among the arguments of a command that
    /// takes files, or as the value of the option before. A negative number is a value, and so is all that follows
    /// "--".
    /// </summary>
    private static IEnumerable<string> UnknownOptions(ParseResult parsed) => parsed.Tokens
        .TakeWhile(token => token.Type != TokenType.DoubleDash)
        .Where(token => token.Type == TokenType.Argument && token.Value.Length > 1 && token.Value[0] == '-' &&
            !char.IsAsciiDigit(token.Value[1]) && token.Value[1] != '.')
        .Select(token => token.Value.Split('=')[0])
        .Distinct();

    private static IEnumerable<string> OptionNames(Command command)
    {
        IEnumerable<Option> own = command.Options;
        IEnumerable<Option> inherited = Above(command).SelectMany(parent => parent.Options).Where(option =>
            option.Recursive);
        return own.Concat(inherited).SelectMany(option => option.Aliases.Append(option.Name));
    }

    private static IEnumerable<Command> Above(Command command) =>
        command.Parents.OfType<Command>().SelectMany(parent => Above(parent).Prepend(parent));
}
