using Cliper.Model.Metrics;

namespace Cliper.Model.Tests.Metrics;

public sealed class DescriptorUsageTests
{
    [Test]
    public void EntropyOf_Usage_IsZeroForOneDescriptorAndOneForAllAlike()
    {
        Assert.That(DescriptorUsage.EntropyOf([[7, 0, 0], [0, 0, 2]]), Is.Zero);
        Assert.That(DescriptorUsage.EntropyOf([[4, 4], [1, 1]]), Is.EqualTo(1).Within(1e-15));
        // -(3/4 ln 3/4 + 1/4 ln 1/4) / ln 2; a class without samples counts for nothing.
        Assert.That(DescriptorUsage.EntropyOf([[3, 1], [0, 0]]), Is.EqualTo(0.8112781244591328).Within(1e-15));
        Assert.That(DescriptorUsage.EntropyOf([[3], [5]]), Is.Null, "one descriptor a class has no choice");
    }
}
