using System.Net;
using System.Text;
using System.Text.Json;
using Cliper.Model;
using Cliper.Model.Images;

namespace Cliper.Server.Tests;

/// <summary>
/// The page in headless Chromium, with a dropped photo and a fake camera, on a desktop and on a phone. Pictures of it
/// go to the folder that CLIPER_SCREENSHOTS names.
/// </summary>
public sealed class PageTests
{
    private const int TabCode = 9, SpaceCode = 32;

    private static readonly string Photo = Checkout.PathOf("docs/images/happy-baby.jpg");

    private readonly string _camera = Path.Combine(Path.GetTempPath(), $"cliper-camera-{Guid.NewGuid():N}.y4m");
    private ServerHost? _server;

    [OneTimeSetUp]
    public async Task Start()
    {
        if (Browser.Program is null)
            Assert.Ignore("no Chromium is on the PATH (Debian, Ubuntu: apt-get install chromium)");
        await File.WriteAllBytesAsync(_camera, VideoOf(ImageCodec.Instance.Decode(
            await File.ReadAllBytesAsync(Photo), "photo")));
        _server = await ServerHost.StartAsync(IPAddress.Loopback, 0, () => ExpressionRecognizer.Load(),
            new CliperServerOptions());
    }

    [OneTimeTearDown]
    public async Task Stop()
    {
        File.Delete(_camera);
        if (_server is not null)
            await _server.DisposeAsync();
    }

    [TestCase("desktop", 1200, 760, "light"), TestCase("desktop-dark", 1200, 760, "dark")]
    [TestCase("phone", 390, 844, "light"), TestCase("phone-dark", 390, 844, "dark")]
    public async Task ADroppedPhoto_IsAnswered(string name, int width, int height, string scheme)
    {
        await using Browser browser = await Browser.StartAsync(_camera);
        await browser.LookAsync(width, height, scheme);
        await browser.OpenAsync(_server!.Address);
        await KeepAsync(browser, $"{name}-empty");

        await browser.DropAsync(Photo);
        await browser.WaitForAsync("document.querySelectorAll('.bars [role=meter]').length === 7");
        await KeepAsync(browser, name);

        using ExpressionRecognizer library = ExpressionRecognizer.Load();
        RecognizedFace face = library.Recognize(Photo).Faces.Single();
        Assert.That((await browser.EvaluateAsync("document.getElementById('status').textContent")).GetString(),
            Is.EqualTo(FormattableString.Invariant($"{face.Expression}, {100 * face.Probability:F0} %.")));
        double[] shares = (await browser.EvaluateAsync("""
            [...document.querySelectorAll('.bars [role=meter]')].map(bar => +bar.ariaValueNow)
            """)).Deserialize<double[]>()!;
        Assert.That(shares, Is.EqualTo(face.Probabilities.Values.Select(value => (double)value)).Within(1e-5));
        Assert.That((await browser.EvaluateAsync("document.querySelector('footer').innerText")).GetString(),
            Does.Contain("An expression is not a feeling").And.Contain("trained on FER2013: research use"));
        Assert.That((await browser.EvaluateAsync("document.documentElement.scrollWidth <= innerWidth")).GetBoolean(),
            "nothing reaches beyond the width");
        Assert.That(await BoxColorAsync(browser, face), Is.EqualTo("255,210,63"), "the box is drawn");
        Assert.That(browser.Complaints, Is.Empty);
    }

    [TestCase("camera-desktop", 1200, 760), TestCase("camera-phone", 390, 844)]
    public async Task TheCamera_IsStartedAndStoppedByKeys(string name, int width, int height)
    {
        await using Browser browser = await Browser.StartAsync(_camera);
        await browser.LookAsync(width, height, "light");
        await browser.OpenAsync(_server!.Address);

        var order = new List<string?>();
        for (int i = 0; i < 3; i++)
        {
            await browser.PressAsync("Tab", TabCode);
            order.Add((await browser.EvaluateAsync("document.activeElement.id")).GetString());
        }
        Assert.That(order, Is.EqualTo(new[] { "file", "camera", "faces" }));

        await browser.EvaluateAsync("document.getElementById('camera').focus()");
        await browser.PressAsync(" ", SpaceCode, " ");
        await browser.WaitForAsync("document.getElementById('status').textContent.startsWith('Camera: ')");
        await browser.WaitForAsync("document.querySelectorAll('.bars [role=meter]').length === 7");
        await KeepAsync(browser, name);
        Assert.That((await browser.EvaluateAsync("document.getElementById('camera').ariaPressed")).GetString(),
            Is.EqualTo("true"));

        await browser.PressAsync(" ", SpaceCode, " ");
        await browser.WaitForAsync("document.getElementById('status').textContent === 'The camera is off.'");
        Assert.That(browser.Complaints, Is.Empty);
    }

    [Test]
    public async Task EveryControl_HasANameForAScreenReader()
    {
        await using Browser browser = await Browser.StartAsync(_camera);
        await browser.OpenAsync(_server!.Address);
        await browser.DropAsync(Photo);
        await browser.WaitForAsync("document.querySelectorAll('.bars [role=meter]').length === 7");

        JsonElement tree = await browser.SendAsync("Accessibility.getFullAXTree");
        (string Role, string Name)[] nodes = [.. tree.GetProperty("nodes").EnumerateArray()
            .Where(node => !node.GetProperty("ignored").GetBoolean())
            .Select(node => (TextOf(node, "role"), TextOf(node, "name")))];

        string[] operated = ["button", "combobox", "meter", "image", "textbox"];
        Assert.That(nodes.Select(node => node.Role), Is.SupersetOf(new[] { "button", "combobox", "meter", "image" }));
        Assert.That(nodes.Where(node => operated.Contains(node.Role)),
            Is.All.Matches<(string Role, string Name)>(node => node.Name.Length > 0));
        Assert.That(nodes.Select(node => node.Role), Does.Contain("main").And.Contain("banner")
            .And.Contain("contentinfo").And.Contain("status").And.Contain("heading"));
        Assert.That(nodes.Single(node => node.Role == "image").Name,
            Does.StartWith("The picture: face 1, "));

        static string TextOf(JsonElement node, string member) => node.TryGetProperty(member, out JsonElement value)
            && value.TryGetProperty("value", out JsonElement text) ? text.ToString() : "";
    }

    [Test]
    public async Task WhatIsNoPicture_IsSaid()
    {
        await using Browser browser = await Browser.StartAsync(_camera);
        await browser.OpenAsync(_server!.Address);

        await browser.DropAsync(Checkout.PathOf("README.md"));

        await browser.WaitForAsync("document.getElementById('status').classList.contains('error')");
        Assert.That((await browser.EvaluateAsync("document.getElementById('status').textContent")).GetString(),
            Is.EqualTo("README.md is no picture that this browser can show."));
    }

    /// <summary>The color of the canvas in the middle of the upper edge of the box.</summary>
    private static async Task<string?> BoxColorAsync(Browser browser, RecognizedFace face) => (await browser
        .EvaluateAsync($$"""
        (() => {
          const canvas = document.getElementById('canvas'), by = canvas.width / 480;
          const at = canvas.getContext('2d').getImageData({{face.Box!.Value.X + face.Box.Value.Width - 10}} * by,
            {{face.Box.Value.Y + face.Box.Value.Height}} * by, 1, 1).data;
          return [...at].slice(0, 3).join(',');
        })()
        """)).GetString();

    /// <summary>A video of one image in YUV4MPEG2, which Chromium's fake camera plays in a loop.</summary>
    private static byte[] VideoOf(RgbImage image)
    {
        const int Frames = 5;
        (int width, int height) = (image.Width & ~1, image.Height & ~1);
        var planes = new byte[width * height * 3 / 2];
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
            {
                ReadOnlySpan<byte> rgb = image.Pixels.AsSpan(3 * (y * image.Width + x), 3);
                // ITU-R BT.601, limited range; each chroma sample is that of the upper left pixel of four.
                planes[y * width + x] = (byte)(16 + 0.257 * rgb[0] + 0.504 * rgb[1] + 0.098 * rgb[2]);
                int chroma = width * height + y / 2 * (width / 2) + x / 2;
                if (x % 2 != 0 || y % 2 != 0)
                    continue;
                planes[chroma] = (byte)(128 - 0.148 * rgb[0] - 0.291 * rgb[1] + 0.439 * rgb[2]);
                planes[chroma + width * height / 4] = (byte)(128 + 0.439 * rgb[0] - 0.368 * rgb[1] - 0.071 * rgb[2]);
            }
        byte[] frame = [.. "FRAME\n"u8, .. planes];
        return [.. Encoding.ASCII.GetBytes($"YUV4MPEG2 W{width} H{height} F5:1 Ip A1:1 C420\n"),
            .. Enumerable.Repeat(frame, Frames).SelectMany(bytes => bytes)];
    }

    private static async Task KeepAsync(Browser browser, string name)
    {
        if (Environment.GetEnvironmentVariable("CLIPER_SCREENSHOTS") is not { Length: > 0 } folder)
            return;
        Directory.CreateDirectory(folder);
        await File.WriteAllBytesAsync(Path.Combine(folder, $"{name}.png"), await browser.ScreenshotAsync());
    }
}
