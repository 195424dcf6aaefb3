using System.ComponentModel;
using System.Diagnostics;
using Cliper.Kernels.Cpu.MachineCode;

namespace Cliper.Kernels.Tests.Cpu.MachineCode;

/// <summary>Every form of the encoder against GNU as, which writes the same text's bytes.</summary>
public sealed class X64AssemblerTests
{
    // Displacements on both sides of the border between one byte and four, and such as no scaled byte holds.
    private static readonly int[] Displacements =
        [0, 4, 64, 68, -64, 127, 128, 508, 512, -512, -516, 8128, 8192, -8256];

    private static readonly Gpr[] Registers = Enum.GetValues<Gpr>();

    private readonly List<string> _text = [];
    private X64Assembler _code = null!;

    [SetUp]
    public void Begin()
    {
        _code = new X64Assembler();
        _text.Clear();
    }

    [Test]
    public void MovesAndAddsAreTheAssemblersBytes()
    {
        foreach (Gpr target in Registers)
        {
            foreach (Gpr source in Registers)
            {
                Emit(code => code.Move(target, source), $"mov {Name(target)}, {Name(source)}");
                Emit(code => code.Add(target, source), $"add {Name(target)}, {Name(source)}");
                foreach (int displacement in Displacements)
                    Emit(code => code.Load(target, source, displacement),
                        $"mov {Name(target)}, qword ptr [{Name(source)} + {displacement}]");
            }
            foreach (int value in new[] { 1, 64, 127, 128, -128, -129, 4096 })
                Emit(code => code.Add(target, value), $"add {Name(target)}, {value}");
            Emit(code => code.Decrement(target), $"dec {Name(target)}");
            Emit(code => code.PrefetchL2(target), $"prefetcht1 [{Name(target)}]");
        }
        Emit(code => code.Return(), "ret");
        Emit(code => code.ClearUpper(), "vzeroupper");
        AssertIsAssemblers();
    }

    [Test]
    public void JumpsAreTheAssemblersBytes([Values(0, 126, 127, 300)] int distance)
    {
        int label = _code.Here;
        _text.Add("label:");
        for (int i = 0; i < distance; i++)
            Emit(code => code.Return(), "ret");
        Emit(code => code.JumpBackIfNotZero(label), "jnz label");
        AssertIsAssemblers();
    }

    [Test]
    public void VectorInstructionsAreTheAssemblersBytes()
    {
        int[] numbers = [0, 1, 7, 8, 15, 16, 23, 24, 31];
        foreach (int first in numbers)
        {
            Zmm a = new(first);
            Emit(code => code.Zero(a), $"vpxord zmm{first}, zmm{first}, zmm{first}");
            foreach (int second in numbers)
                foreach (int third in numbers)
                    Emit(code => code.DotPairs(a, new Zmm(second), new Zmm(third)),
                        $"vdpbf16ps zmm{first}, zmm{second}, zmm{third}");
            foreach (Gpr register in Registers)
                foreach (int displacement in Displacements)
                {
                    string address = $"[{Name(register)} + {displacement}]";
                    Emit(code => code.Load(a, register, displacement), $"vmovups zmm{first}, {address}");
                    Emit(code => code.Store(register, displacement, a), $"vmovups {address}, zmm{first}");
                    Emit(code => code.Broadcast(a, register, displacement),
                        $"vpbroadcastd zmm{first}, dword ptr {address}");
                }
        }
        AssertIsAssemblers();
    }

    private static string Name(Gpr register) => register.ToString().ToLowerInvariant();

    private void Emit(Action<X64Assembler> emit, string text)
    {
        emit(_code);
        _text.Add(text);
    }

    private void AssertIsAssemblers()
    {
        string folder = Directory.CreateTempSubdirectory("x64-").FullName;
        try
        {
            string source = Path.Combine(folder, "code.s"), binary = Path.Combine(folder, "code.bin");
            File.WriteAllText(source, $".intel_syntax noprefix\n{string.Join('\n', _text)}\n");
            Run("as", "--64", "-o", source + ".o", source);
            Run("objcopy", "-O", "binary", "-j", ".text", source + ".o", binary);

            Assert.That(Convert.ToHexString(_code.Code), Is.EqualTo(Convert.ToHexString(File.ReadAllBytes(binary))));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Run(string program, params string[] arguments)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, arguments)
            {
                RedirectStandardError = true,
            })!;
            string errors = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.That(process.ExitCode, Is.Zero, errors);
        }
        catch (Win32Exception)
        {
            Assert.Ignore($"there is no {program}: GNU binutils would check the encoder's bytes");
        }
    }
}
