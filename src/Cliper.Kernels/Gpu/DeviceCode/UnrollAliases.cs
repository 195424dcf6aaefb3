// Names for the unrolled loops that kernels use: Unroll16.For(ref body) runs body.Run(0) to body.Run(15).
global using Unroll128 =
    Cliper.Kernels.Gpu.DeviceCode.Twice<Cliper.Kernels.Gpu.DeviceCode.Twice<Cliper.Kernels.Gpu.DeviceCode.Twice<
    Cliper.Kernels.Gpu.DeviceCode.Twice<Cliper.Kernels.Gpu.DeviceCode.Twice<Cliper.Kernels.Gpu.DeviceCode.Twice<
    Cliper.Kernels.Gpu.DeviceCode.Twice<Cliper.Kernels.Gpu.DeviceCode.Once>>>>>>>;
global using Unroll16 =
    Cliper.Kernels.Gpu.DeviceCode.Twice<Cliper.Kernels.Gpu.DeviceCode.Twice<Cliper.Kernels.Gpu.DeviceCode.Twice<
    Cliper.Kernels.Gpu.DeviceCode.Twice<Cliper.Kernels.Gpu.DeviceCode.Once>>>>;
global using Unroll2 =
    Cliper.Kernels.Gpu.DeviceCode.Twice<Cliper.Kernels.Gpu.DeviceCode.Once>;
global using Unroll4 =
    Cliper.Kernels.Gpu.DeviceCode.Twice<Cliper.Kernels.Gpu.DeviceCode.Twice<Cliper.Kernels.Gpu.DeviceCode.Once>>;
global using Unroll8 =
    Cliper.Kernels.Gpu.DeviceCode.Twice<Cliper.Kernels.Gpu.DeviceCode.Twice<Cliper.Kernels.Gpu.DeviceCode.Twice<
    Cliper.Kernels.Gpu.DeviceCode.Once>>>;
