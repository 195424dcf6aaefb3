using System.CommandLine;

namespace Cliper.Cli.Commands;

/// <summary>Prints the script by which a shell completes this program's command lines.</summary>
internal sealed class CompletionCommand : CliCommand
{
    // Where the program suggests nothing, bash and zsh complete files, as they do without a script.
    private static readonly Dictionary<string, string> Scripts = new()
    {
        ["bash"] = """
            _cliper_gpu() {
              local IFS=$'\n'
              COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" "[suggest:$COMP_POINT]" "$COMP_LINE" 2>/dev/null)" \
                -- "${COMP_WORDS[COMP_CWORD]}"))
            }
            complete -o default -F _cliper_gpu cliper-gpu
            """,
        ["zsh"] = """
            _cliper_gpu() {
              local suggested=("${(@f)$("${words[1]}" "[suggest:$CURSOR]" "$BUFFER" 2>/dev/null)}")
              compadd -- ${suggested:#} || _files
            }
            compdef _cliper_gpu cliper-gpu
            """,
        ["fish"] = """
            complete -c cliper-gpu -a '(set -l line (commandline -cp)
              cliper-gpu "[suggest:"(string length -- $line)"]" "$line" 2>/dev/null)'
            """,
        ["powershell"] = """
            Register-ArgumentCompleter -Native -CommandName cliper-gpu -ScriptBlock {
                param($word, $line, $position)
                cliper-gpu "[suggest:$position]" "$line".PadRight($position) 2>$null |
                    Where-Object { $_ -like "$word*" } |
                    ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
            }
            """,
    };

    private readonly Argument<string> _shell = new("SHELL") { Description = "bash, zsh, fish or powershell." };

    public CompletionCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("completion", "The script by which a shell completes command lines; to be read at the shell's start.",
            terminal, common, cancellation)
    {
        _shell.AcceptOnlyFromAmong([.. Scripts.Keys]);
        Add(_shell);
    }

    protected override int Run(ParseResult parsed)
    {
        Terminal.Out.Write(Scripts[parsed.GetValue(_shell)!].ReplaceLineEndings("\n") + "\n");
        return ExitCode.Done;
    }
}
