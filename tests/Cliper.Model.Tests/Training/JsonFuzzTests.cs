using System.Text;
using Cliper.Model.Runs;
using Cliper.Model.Settings;

namespace Cliper.Model.Tests.Training;

/// <summary>
/// A run's JSON files changed at random: each is read, or refused with an error of one line. CLIPER_FUZZ_ROUNDS=100000
/// changes each as many times.
/// </summary>
public sealed class JsonFuzzTests : TemporaryFolder
{
    // The files have a few kilobytes; the settings are parsed, laid over others and read back.
    private const long MostBytes = 8 << 20;

    private static readonly int Rounds = Fuzzing.Rounds(2000);

    /// <summary>In memory where that can be had.</summary>
    protected override string Parent => Directory.Exists("/dev/shm") ? "/dev/shm" : base.Parent;

    [Test]
    public void Settings() =>
        Fuzz<SettingsException>("config.json", SettingsJson.Write(Recipes.Get("dfew")), path =>
        SettingsJson.Read(path, new TrainSettings()));

    [Test]
    public void Results() => Fuzz<InputException>("result.json",
        """{"split":"test","classes":["anger","fear"],"confusion":[[3,1],[0,2]],"zeroShot":null,"afterStage1":[[1,1],[1,1]],"bestEpoch":2}""",
        path => _ = (RunResult.Read(path).War, RunResult.Read(path).UsageEntropy));

    private void Fuzz<TRefusal>(string name, string text, Action<string> read) where TRefusal : Exception
    {
        byte[] whole = Encoding.UTF8.GetBytes(text);
        File.WriteAllBytes(In(name), whole);
        read(In(name));
        int refused = 0;
        for (int round = 0; round < Rounds; round++)
        {
            File.WriteAllBytes(In(name), Fuzzing.Mutate(whole, whole.Length, new Random(round)));
            long start = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                read(In(name));
            }
            catch (TRefusal refusal)
            {
                refused++;
                Assert.That(refusal.Message, Does.Not.Contain("\n"), $"round {round}");
            }
            Assert.That(GC.GetAllocatedBytesForCurrentThread() - start, Is.LessThan(MostBytes),
                $"bytes taken in round {round}");
        }
        Assert.That(refused, Is.InRange(Rounds / 10, Rounds - 1));
    }
}
