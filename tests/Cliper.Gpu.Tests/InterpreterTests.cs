using PtxInterpreter;

namespace Cliper.Gpu.Tests;

/// <summary>The interpreter itself, on texts small enough to compute by hand.</summary>
public sealed unsafe class InterpreterTests
{
    [Test]
    public void ArithmeticIsThatOfTheTypes()
    {
        uint[] results = Run(32, 8, """
            mov.b32 %r1, %tid.x;
            setp.ne.u32 %p1, %r1, 0;
            @%p1 bra END;
            mov.f32 %f1, 0f40400000;
            fma.rn.f32 %f2, %f1, %f1, 0f3F800000;
            st.global.f32 [%rd1], %f2;
            mov.b32 %r2, -7;
            shr.s32 %r3, %r2, 1;
            st.global.b32 [%rd1+4], %r3;
            shr.u32 %r4, %r2, 28;
            st.global.b32 [%rd1+8], %r4;
            mul.wide.s32 %rd2, %r2, 3;
            cvt.u32.u64 %r5, %rd2;
            st.global.b32 [%rd1+12], %r5;
            cvt.rn.f16x2.f32 %r6, 0f3F800000, 0fC0000000;
            st.global.b32 [%rd1+16], %r6;
            { .reg .b16 l, h; mov.b32 {l, h}, %r6; cvt.f32.f16 %f3, h; st.global.f32 [%rd1+20], %f3; }
            setp.gtu.f32 %p2, 0f7FC00000, 0f3F800000;
            selp.b32 %r7, 5, 6, %p2;
            st.global.b32 [%rd1+24], %r7;
            rem.s32 %r8, %r2, 4;
            st.global.b32 [%rd1+28], %r8;
            END:
            ret;
            """);

        // 3 * 3 + 1; -7 >> 1; 15; -21; (1, -2) in fp16; 1; NaN compares unordered; remainder of the dividend's sign.
        Assert.That(results, Is.EqualTo(new[]
        {
            BitConverter.SingleToUInt32Bits(10), unchecked((uint)-4), 15u, unchecked((uint)-21), 0x3C00C000u,
            BitConverter.SingleToUInt32Bits(1), 5u, unchecked((uint)-3),
        }));
    }

    [Test]
    public void AMaximumIsNotANumberWhereItsNameSaysSo()
    {
        uint[] results = Run(1, 4, """
            max.f32 %f1, 0f7FC00000, 0fBF800000;
            st.global.f32 [%rd1], %f1;
            max.NaN.f32 %f2, 0f7FC00000, 0fBF800000;
            st.global.f32 [%rd1+4], %f2;
            max.NaN.f32 %f3, 0fBF800000, 0f7FC00000;
            st.global.f32 [%rd1+8], %f3;
            max.NaN.f32 %f4, 0fBF800000, 0fFF800000;
            st.global.f32 [%rd1+12], %f4;
            ret;
            """);

        float[] values = [.. results.Select(BitConverter.UInt32BitsToSingle)];
        Assert.That(values, Is.EqualTo(new[] { -1, float.NaN, float.NaN, -1 }));
    }

    [Test]
    public void Bf16IsRoundedToNearestAndTiesToEven()
    {
        // 1 + 2^-8 lies between 1 and 1 + 2^-7; 1 + 3 2^-8 between that and 1 + 2^-6; 1 + 2^-8 + 2^-23 is above the
        // middle.
        uint[] results = Run(1, 3, """
            cvt.rn.bf16x2.f32 %r1, 0f3F808000, 0f3F818000;
            st.global.b32 [%rd1], %r1;
            { .reg .b16 h; cvt.rn.bf16.f32 h, 0f3F808001; mov.b32 %r2, {h, h}; st.global.b32 [%rd1+4], %r2; }
            cvt.rn.bf16x2.f32 %r3, 0f7FC01234, 0fFF7FFFFF;
            st.global.b32 [%rd1+8], %r3;
            ret;
            """);

        Assert.That(results, Is.EqualTo(new[] { 0x3F803F82u, 0x3F813F81u, 0x7FFFFF80u }));
    }

    [Test]
    public void DoublesAreRoundedAsIeeeSays()
    {
        uint[] results = Run(32, 7, """
            mov.b32 %r1, %tid.x;
            setp.ne.u32 %p1, %r1, 0;
            @%p1 bra END;
            mov.b64 %fd1, 0d3FF0000000000001;
            mul.rn.f64 %fd2, %fd1, %fd1;
            mov.b64 %rd2, %fd2;
            cvt.u32.u64 %r2, %rd2;
            st.global.b32 [%rd1], %r2;
            neg.f64 %fd3, 0d4004000000000000;
            cvt.rzi.s32.f64 %r3, %fd3;
            st.global.b32 [%rd1+4], %r3;
            abs.f64 %fd4, %fd3;
            rcp.rn.f64 %fd5, %fd4;
            cvt.rn.f32.f64 %f1, %fd5;
            st.global.f32 [%rd1+8], %f1;
            cvt.rzi.s32.f64 %r4, 0d7FF8000000000000;
            st.global.b32 [%rd1+12], %r4;
            cvt.rzi.s32.f64 %r5, 0d426D1A94A2000000;
            st.global.b32 [%rd1+16], %r5;
            max.f64 %fd6, %fd3, 0d7FF8000000000000;
            cvt.rzi.s32.f64 %r6, %fd6;
            st.global.b32 [%rd1+20], %r6;
            mov.b32 %r7, 0x1234;
            st.global.b32 [%rd1+24], 0;
            st.global.u8 [%rd1+25], %r7;
            END:
            ret;
            """);

        // (1 + e)^2 is 1 + 2 e; -2.5 is cut to -2; 1 / 2.5; NaN is 0; 1e12 the largest; NaN is no maximum; the second
        // byte alone.
        Assert.That(results, Is.EqualTo(new[]
        {
            2u, unchecked((uint)-2), BitConverter.SingleToUInt32Bits(0.4f), 0u, (uint)int.MaxValue,
                unchecked((uint)-2), 0x3400u,
        }));
    }

    [Test]
    public void LanesPartAndMeetAgain()
    {
        uint[] results = Run(32, 32, """
            mov.b32 %r1, %tid.x;
            and.b32 %r2, %r1, 1;
            setp.eq.u32 %p1, %r2, 0;
            @%p1 bra EVEN;
            mov.b32 %r3, 100;
            bra JOIN;
            EVEN:
            mov.b32 %r3, 200;
            JOIN:
            shfl.sync.bfly.b32 %r4, %r3, 1, 31, 0xffffffff;
            mul.wide.u32 %rd2, %r1, 4;
            add.s64 %rd3, %rd1, %rd2;
            st.global.b32 [%rd3], %r4;
            ret;
            """);

        Assert.That(results, Is.EqualTo(Enumerable.Range(0, 32).Select(lane => lane % 2 == 0 ? 100u : 200u)));
    }

    // 2 and 3 in either format.
    [TestCase("f16", "0x4000", "0x4200")]
    [TestCase("bf16", "0x4000", "0x4040")]
    public void AProductHasItsElementsWhereTheManualSays(string format, string two, string three)
    {
        // A = (row = 1, k = 2) alone, B = (k = 2, column = 3) alone: the product is 6 at (1, 3), which lane 4 + 1 holds
        // second.
        uint[] results = Run(32, 128, $$"""
            mov.b32 %r1, %tid.x;
            mov.b32 %r2, 0;
            mov.b32 %r3, 0;
            setp.eq.u32 %p1, %r1, 5;
            selp.b32 %r2, {{two}}, 0, %p1;
            setp.eq.u32 %p2, %r1, 13;
            selp.b32 %r3, {{three}}, 0, %p2;
            mov.b32 %r4, 0;
            mov.f32 %f1, 0f3F800000;
            mma.sync.aligned.m16n8k16.row.col.f32.{{format}}.{{format}}.f32 {%f2,%f3,%f4,%f5}, {%r2,%r4,%r4,%r4}, {%r3,%r4},
                {%f1,%f1,%f1,%f1};
            mul.wide.u32 %rd2, %r1, 16;
            add.s64 %rd3, %rd1, %rd2;
            st.global.v4.f32 [%rd3], {%f2,%f3,%f4,%f5};
            ret;
            """);

        float[] values = [.. results.Select(BitConverter.UInt32BitsToSingle)];
        Assert.That(values[5 * 4 + 1], Is.EqualTo(7));
        Assert.That(values.Where((_, at) => at != 21), Has.All.EqualTo(1));
    }

    [Test]
    public void MatricesAreLoadedByRowsAndTransposed([Values] bool transposed)
    {
        // Row r of matrix m holds 64 m + 8 r + column.
        uint[] results = Run(32, 128, $$"""
            mov.b32 %r1, %tid.x;
            mul.lo.s32 %r2, %r1, 8;
            mul.lo.s32 %r3, %r1, 16;
            mov.b32 %r5, 0;
            LOOP:
            add.s32 %r6, %r2, %r5;
            cvt.u16.u32 %rs1, %r6;
            shl.b32 %r7, %r5, 1;
            add.s32 %r8, %r3, %r7;
            st.shared.b16 [%r8], %rs1;
            add.s32 %r5, %r5, 1;
            setp.lt.s32 %p1, %r5, 8;
            @%p1 bra LOOP;
            bar.sync 0;
            ldmatrix.sync.aligned.m8n8.x4{{(transposed ? ".trans" : "")}}.shared.b16 {%r10,%r11,%r12,%r13}, [%r3];
            mul.wide.u32 %rd2, %r1, 16;
            add.s64 %rd3, %rd1, %rd2;
            st.global.v4.b32 [%rd3], {%r10,%r11,%r12,%r13};
            ret;
            """, shared: 512);

        for (int lane = 0; lane < 32; lane++)
            for (uint matrix = 0; matrix < 4; matrix++)
            {
                uint row = (uint)lane / 4, column = (uint)lane % 4 * 2;
                uint low = transposed ? column * 8 + row : row * 8 + column, high = transposed ? low + 8 : low + 1;
                Assert.That(results[lane * 4 + matrix], Is.EqualTo(matrix * 64 + low | (matrix * 64 + high) << 16),
                    $"lane {lane}");
            }
    }

    [TestCase("ld.global.b32 %r2, [%rd1+4];", "out of bounds: byte 4 of an array of 4")]
    [TestCase("st.global.b32 [%rd1+-4], %r1;", "global write")]
    [TestCase("ld.global.b32 %r2, [%rd1+2];", "misaligned global read of 4 bytes")]
    // Memory declared as dynamic begins at 144, see Program.DynamicOffset.
    [TestCase("ld.shared.b32 %r2, [%r1+272];", "shared access of 4 bytes at 272 out of bounds")]
    [TestCase("ld.shared.b32 %r2, [%r1+2];", "misaligned shared")]
    [TestCase("ld.b32 %r2, [%rd1];", "generic")]
    [TestCase("tanh.approx.f32 %f1, %f2;", "unknown instruction tanh.approx.f32")]
    public void WhatIsNotAllowedIsNamed(string instruction, string message) =>
        Assert.That(() => Run(32, 1, $"mov.b32 %r1, 0; {instruction} ret;", shared: 128),
            Throws.TypeOf<PtxException>().With.Message.Contains(message));

    [Test]
    public void ARaceBetweenWarpsIsFound([Values] bool barrier)
    {
        // Each thread writes its own word and reads that of the other warp.
        string body = $"""
            mov.b32 %r1, %tid.x;
            shl.b32 %r2, %r1, 2;
            st.shared.b32 [%r2], %r1;
            {(barrier ? "bar.sync 0;" : "")}
            xor.b32 %r3, %r2, 128;
            ld.shared.b32 %r4, [%r3];
            mul.wide.u32 %rd2, %r1, 4;
            add.s64 %rd3, %rd1, %rd2;
            st.global.b32 [%rd3], %r4;
            ret;
            """;
        if (barrier)
            Assert.That(Run(64, 64, body, shared: 256),
                Is.EqualTo(Enumerable.Range(0, 64).Select(thread => (uint)thread ^ 32)));
        else
            Assert.That(() => Run(64, 64, body, shared: 256),
                Throws.TypeOf<PtxException>().With.Message.Contains("race"));
    }

    [Test]
    public void ACopyArrivesWhenItIsWaitedForAndEndsInZeros([Values] bool wait)
    {
        uint[] results = Run(1, 8, $"""
            mov.b32 %r1, 0;
            mov.b32 %r2, 7;
            st.global.b32 [%rd1], %r2;
            st.global.b32 [%rd1+4], %r2;
            cp.async.cg.shared.global [%r1], [%rd1], 16, 4;
            cp.async.commit_group;
            {(wait ? "cp.async.wait_group 0;" : "")}
            ld.shared.b32 %r3, [%r1];
            ld.shared.b32 %r4, [%r1+4];
            st.global.b32 [%rd1+16], %r3;
            st.global.b32 [%rd1+20], %r4;
            cp.async.wait_group 0;
            ret;
            """, shared: 16);

        Assert.That(results[4..6], Is.EqualTo(wait ? new uint[] { 7, 0 } : [uint.MaxValue, uint.MaxValue]));
    }

    [Test]
    public void AThreadMayNotReturnWhileItsCopiesAreOnTheirWay([Values] bool committed) =>
        Assert.That(() => Run(1, 8, $"""
            mov.b32 %r1, 0;
            cp.async.cg.shared.global [%r1], [%rd1], 16, 0;
            {(committed ? "cp.async.commit_group;" : "")}
            ret;
            """, shared: 16), Throws.TypeOf<PtxException>().With.Message.Contains("returns before its copies"));

    // Eight equal products and what they are added to. A unit is 2^-23 of the largest's power of two: ones are cut away
    // beside 2^24, not beside 2^23; of the total 12582915 + 8 * 1048577 = 20971531, above 2^24, the last bit is cut,
    // where rounding would raise it.
    [TestCase(16777216f, 1f, 16777216f)]
    [TestCase(-16777216f, 1f, -16777216f)]
    [TestCase(8388608f, 1f, 8388616f)]
    [TestCase(12582915f, 1048577f, 20971530f)]
    [TestCase(-12582915f, -1048577f, -20971530f)]
    [TestCase(0f, 0f, 0f)]
    [TestCase(1f, float.PositiveInfinity, float.PositiveInfinity)]
    [TestCase(1f, float.NaN, float.NaN)]
    public void TensorCoresCutWhatTheyAdd(float sum, float product, float expected) => Assert.That(
        Arithmetic.SumOfProducts(sum, [.. Enumerable.Repeat(product, 8)], [.. Enumerable.Repeat(1f, 8)]),
        Is.EqualTo(expected));

    // For 0.6 and 2.5, which have an even and an odd number of ones, each instruction is off by what its manual allows:
    // in a bound of 2^-22, 2^-23 and so on, and by more than half of that, as each result is rounded once more.
    [TestCase("ex2", 22)]
    [TestCase("lg2", 22)]
    [TestCase("rcp", 23)]
    [TestCase("sqrt", 23)]
    [TestCase("rsqrt", 22.9)]
    public void ApproximateInstructionsAreOff(string name, double bits)
    {
        double[] operands = [0.6f, 2.5f];
        uint[] results = Run(1, 2, $"""
            {name}.approx.ftz.f32 %f1, 0f{BitConverter.SingleToUInt32Bits((float)operands[0]):X8};
            {name}.approx.ftz.f32 %f2, 0f{BitConverter.SingleToUInt32Bits((float)operands[1]):X8};
            st.global.f32 [%rd1], %f1;
            st.global.f32 [%rd1+4], %f2;
            ret;
            """);

        for (int i = 0; i < 2; i++)
        {
            double x = operands[i], exact = name switch
            {
                "ex2" => Math.Pow(2, x),
                "lg2" => Math.Log2(x),
                "rcp" => 1 / x,
                "sqrt" => Math.Sqrt(x),
                _ => 1 / Math.Sqrt(x),
            };
            double off = BitConverter.UInt32BitsToSingle(results[i]) / exact - 1;
            Assert.That(Math.Abs(off) * Math.Pow(2, bits), Is.InRange(.4, 2), $"{name} of {x}");
        }
    }

    // A of 64 x 16 from byte 0, B of 16 x 128 from byte 8192; a single element of each, and sums that begin at 1.
    // Addresses by hand, of lines of 128 bytes whose 16-byte chunks are swapped by the line's number. Along the depth
    // A[17, 11] is in line 17, chunk 1 ^ 17 % 8 = 0, element 3: 17 * 128 + 6 = 2182; B[11, 117] is in line 117, chunk 1
    // ^ 117 % 8 = 4, element 3: 117 * 128 + 64 + 6 = 15046 (groups of eight lines are 1024 bytes apart). Across it line
    // 11 is the fourth of the second group, at 1024 + 384: A's 17 is there chunk 2 ^ 3 = 1, element 1: 1408 + 16 + 2 =
    // 1426; B's 117 is of the second 64, which begin 4096 bytes on, chunk 6 ^ 3 = 5, element 5: 4096 + 1408 + 80 + 10 =
    // 5594. The product is at (17, 117): row 1 of the second warp's, column 5 of eight, so lane 4 + 2, thread 38; of
    // its registers 14 * 4 + 1.
    [Test]
    public void AProductOfAWarpgroupHasItsElementsWhereTheManualSays([Values] bool acrossA, [Values] bool acrossB)
    {
        uint[] results = Run(128, 256, WarpgroupProduct(acrossA ? 1426 : 2182, 8192 + (acrossB ? 5594 : 15046), acrossA,
            acrossB), 24576);

        float[] values = [.. results.Select(BitConverter.UInt32BitsToSingle)];
        Assert.That(values[2 * 38 + 1], Is.EqualTo(7));
        Assert.That(values.Where((_, at) => at != 2 * 38 + 1), Has.All.EqualTo(1));
    }

    [TestCase("fence.proxy.async.shared::cta;", "",
        "reads shared byte 0, which thread 0 has written, with no fence.proxy.async since")]
    [TestCase("fence.proxy.async.shared::cta; bar.sync 0;", "bar.sync 0; fence.proxy.async.shared::cta;",
        "no fence.proxy.async since")]
    [TestCase("fence.proxy.async.shared::cta; bar.sync 0;", "fence.proxy.async.shared::cta;",
        "no fence.proxy.async since")]
    [TestCase("wgmma.fence.sync.aligned;", "", "no wgmma.fence between")]
    [TestCase("wgmma.wait_group.sync.aligned 0;", "",
        "{%s56,%s57} uses the sums of a product that has not been waited for")]
    [TestCase("wgmma.commit_group.sync.aligned;", "", "uses the sums of a product that has not been waited for")]
    [TestCase("wgmma.commit_group", "st.shared.b32 [0], %r1; wgmma.commit_group",
        "writes shared byte 0 that a product reads")]
    [TestCase("wgmma.commit_group",
        "@%p2 bra SKIP; wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 $SUMS, %rd4, %rd5, 1, 1, 1, 0, 0; "
        + "SKIP: wgmma.commit_group", "warps 0 and 1 of a warpgroup have issued different products")]
    [TestCase("%rd4, 0x4000004000800000;", "%rd4, 0x4000004000800008;",
        "begins at shared byte 128: not where a pattern of 1024 bytes")]
    [TestCase("%rd4, 0x4000004000800000;", "%rd4, 0x4002004000800000;",
        "not of a swizzle of 128 bytes with a base offset of 0")]
    [TestCase("%rd4, 0x4000004000800000;", "%rd4, 0x8000004000800000;",
        "not of a swizzle of 128 bytes with a base offset of 0")]
    [TestCase("%rd4, 0x4000004000800000;", "%rd4, 0x4000004000800000; cvt.u64.u32 %rd6, %r1; add.s64 %rd4, %rd4, %rd6;",
        "lanes differ")]
    [TestCase("%rd4, 0x4000004000800000;", "%rd4, 0x400007F000800000;", "out of bounds")]
    public void AWrongProductOfAWarpgroupIsNamed(string what, string instead, string message)
    {
        string body = WarpgroupProduct(0, 0, false, false), wrong = body.Replace(what, instead.Replace("$SUMS", Sums));
        Assert.That(wrong, Is.Not.EqualTo(body));
        Assert.That(() => Run(128, 256, wrong, 24576), Throws.TypeOf<PtxException>().With.Message.Contains(message));
    }

    [Test]
    public void AWarpgroupHasFourWarps() =>
        Assert.That(() => Run(64, 1, "wgmma.fence.sync.aligned; ret;"),
        Throws.TypeOf<PtxException>().With.Message.Contains("has 128"));

    private static readonly string Sums =
        $"{{{string.Join(',', Enumerable.Range(0, 64).Select(index => $"%s{index}"))}}}";

    // Thread 0 stores 2 and 3 at two addresses, all else is zero.
    private static string WarpgroupProduct(int two, int three, bool acrossA, bool acrossB) => $$"""
        mov.b32 %r1, %tid.x;
        shl.b32 %r2, %r1, 4;
        mov.b32 %r3, 0;
        CLEAR:
        st.shared.v4.b32 [%r2], {%r3,%r3,%r3,%r3};
        add.s32 %r2, %r2, 2048;
        setp.lt.u32 %p1, %r2, 24576;
        @%p1 bra CLEAR;
        bar.sync 0;
        setp.ne.u32 %p1, %r1, 0;
        @%p1 bra ALL;
        cvt.u16.u32 %rs1, 0x4000;
        st.shared.b16 [{{two}}], %rs1;
        cvt.u16.u32 %rs1, 0x4200;
        st.shared.b16 [{{three}}], %rs1;
        ALL:
        fence.proxy.async.shared::cta; bar.sync 0;
        {{string.Concat(Enumerable.Range(0, 64).Select(index => $"mov.f32 %s{index}, 0f3F800000;"))}}
        shr.u32 %r4, %r1, 5;
        setp.ne.u32 %p2, %r4, 0;
        mov.b64 %rd4, 0x4000004000800000;
        mov.b64 %rd5, 0x4000004001000200;
        wgmma.fence.sync.aligned;
        wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {{Sums}}, %rd4, %rd5, 1, 1, 1, {{(acrossA ? 1 : 0)}}, {{(acrossB ? 1 : 0)}};
        wgmma.commit_group.sync.aligned;
        wgmma.wait_group.sync.aligned 0;
        mul.wide.u32 %rd2, %r1, 8;
        add.s64 %rd3, %rd1, %rd2;
        st.global.v2.f32 [%rd3], {%s56,%s57};
        ret;
        """;

    [Test]
    public void ACollectiveInstructionNeedsAllLanes() =>
        Assert.That(() => Run(32, 1, """
            mov.b32 %r1, %tid.x;
            setp.lt.u32 %p1, %r1, 7;
            @%p1 bra END;
            shfl.sync.bfly.b32 %r4, %r1, 1, 31, 0xffffffff;
            END:
            ret;
            """), Throws.TypeOf<PtxException>().With.Message.Contains("lanes have returned before shfl"));

    /// <summary>
    /// Runs one block of a body in which %rd1 is the address of <paramref name="words"/> words, which it returns.
    /// </summary>
    private static uint[] Run(int threads, int words, string body, int shared = 0)
    {
        string ptx = $$"""
            .version 7.8
            .target sm_80
            .address_size 64
            .extern .shared .align 16 .b8 dynamic[];
            .visible .entry kernel(
            	.param .b64 result
            )
            .maxntid {{threads}}, 1, 1
            {
            .reg .pred %p<9>; .reg .b32 %r<32>; .reg .b64 %rd<9>; .reg .f32 %f<9>; .reg .b16 %rs<9>;
            ld.param.b64 %rd1, [result];
            {{body}}
            }
            """;
        var results = new uint[words];
        // In an array of its own on the heap that does not move: the address has to be a multiple of 16.
        nint memory = (nint)System.Runtime.InteropServices.NativeMemory.AlignedAlloc((nuint)words * 4, 256);
        var global = new GlobalMemory();
        global.Add((ulong)memory, words * 4);
        try
        {
            new PtxInterpreter.PtxProgram(ptx.ReplaceLineEndings("\n")).Launch((1, 1, 1),
                BitConverter.GetBytes((long)memory), shared, global);
            new ReadOnlySpan<uint>((void*)memory, words).CopyTo(results);
            return results;
        }
        finally
        {
            System.Runtime.InteropServices.NativeMemory.AlignedFree((void*)memory);
        }
    }
}
