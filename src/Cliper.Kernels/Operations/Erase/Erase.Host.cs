using Cliper.Kernels.Devices;

namespace Cliper.Kernels.Operations;

public static partial class Erase
{
    private static void ForwardHost(DeviceArray y, int width, int height, ReadOnlySpan<(int Image, PixelBox Box)> boxes)
    {
        foreach ((int image, PixelBox box) in boxes)
            Forward(y.Slice(3L * width * height * image, 3L * width * height).AsSpan<float>(), width, height, box);
    }
}
