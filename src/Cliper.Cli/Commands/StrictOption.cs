using System.CommandLine;

namespace Cliper.Cli.Commands;

/// <summary>Makes an unreadable image an error instead of leaving it out.</summary>
internal sealed class StrictOption : Option<bool>
{
    public StrictOption() : base("--strict") => Description =
        "An unreadable picture is an error; without this it is named, counted and left out.";
}
