using SkiaSharp;

namespace Cliper.Model.SyntheticFaces;

// The person: head, body, hair and beard.
internal sealed partial class FaceRenderer
{
    private const float CrownY = -0.88f;

    private void RenderBody()
    {
        _depth = 0;
        float neck = _face.Build == FaceBuild.Male && _face.Age != FaceAge.Child ? 0.36f : 0.27f;
        _fill.Color = _colors.Shade;
        _canvas.DrawRect(-neck, 0.5f, 2 * neck, 0.8f, _fill);
        float shoulders = _face.Age == FaceAge.Child ? 0.75f : 0.98f;
        _path.MoveTo(-shoulders, 1.6f);
        _path.QuadTo(-shoulders, 1.05f, -neck, 0.97f);
        _path.QuadTo(0, 1.22f, neck, 0.97f);
        _path.QuadTo(shoulders, 1.05f, shoulders, 1.6f);
        Fill(_colors.Clothes);
    }

    private void RenderHead()
    {
        _depth = -0.12f;
        foreach (int side in (ReadOnlySpan<int>)[-1, 1])
        {
            Ellipse(side * _halfWidth * 1.01f, 0.03f, 0.1f, 0.15f, _colors.Skin);
            Ellipse(side * _halfWidth * 1.02f, 0.04f, 0.05f, 0.09f, _colors.Shade);
        }
        HeadOutline();
        Fill(_colors.Skin);

        // Volume: the side that turns away lies in shade, and so does what is under the chin's edge.
        HeadOutline();
        SaveAndClip();
        float away = _face.Yaw >= 0 ? -1 : 1;
        float width = 0.16f + (0.5f * Math.Abs(_face.Yaw));
        _depth = 0;
        Ellipse(away * (_halfWidth + 0.14f), 0.1f, width + 0.14f, 1, Fade(_colors.Shade, 0.45f));
        _canvas.Restore();
        _depth = 1;
        float blush = _face.Age == FaceAge.Child || _face.Build == FaceBuild.Female ? 0.3f : 0.1f;
        blush += 0.15f * Math.Max(0, _face.Units.CheekRaise);
        foreach (int side in (ReadOnlySpan<int>)[-1, 1])
            Ellipse(side * 0.37f, 0.24f, 0.13f, 0.1f, Fade(Mix(_colors.Skin, new SKColor(224, 70, 70), 0.5f), blush));
    }

    private void HeadOutline()
    {
        float jaw = _face.Age == FaceAge.Child ? 0.4f : _face.Build == FaceBuild.Male ? 0.43f : 0.3f;
        _depth = 0;
        Move(0, CrownY);
        Cubic(_halfWidth * 0.75f, CrownY, _halfWidth, -0.5f, _halfWidth, -0.08f);
        Cubic(_halfWidth, 0.42f, jaw, _chinY, 0, _chinY);
        Cubic(-jaw, _chinY, -_halfWidth, 0.42f, -_halfWidth, -0.08f);
        Cubic(-_halfWidth, -0.5f, -_halfWidth * 0.75f, CrownY, 0, CrownY);
        _path.Close();
    }

    private void RenderHairBehind()
    {
        float vectorized = _halfWidth + 0.17f;
        _depth = -0.3f;
        switch (_face.Style)
        {
            case HairStyle.Long:
                Move(0, CrownY - 0.12f);
                Cubic(vectorized, CrownY - 0.1f, vectorized, -0.3f, vectorized + 0.03f, 0.3f);
                Cubic(vectorized + 0.05f, 0.8f, vectorized + 0.12f, 1.1f, vectorized - 0.1f, 1.3f);
                Line(-vectorized + 0.1f, 1.3f);
                Cubic(-vectorized - 0.12f, 1.1f, -vectorized - 0.05f, 0.8f, -vectorized - 0.03f, 0.3f);
                Cubic(-vectorized, -0.3f, -vectorized, CrownY - 0.1f, 0, CrownY - 0.12f);
                Fill(Mix(_colors.Hair, SKColors.Black, 0.18f));
                break;
            case HairStyle.Bob:
                Move(0, CrownY - 0.12f);
                Cubic(vectorized, CrownY - 0.12f, vectorized + 0.04f, -0.3f, vectorized + 0.06f, 0.62f);
                Quad(vectorized - 0.2f, 0.74f, 0, 0.7f);
                Quad(-vectorized + 0.2f, 0.74f, -vectorized - 0.06f, 0.62f);
                Cubic(-vectorized - 0.04f, -0.3f, -vectorized, CrownY - 0.12f, 0, CrownY - 0.12f);
                Fill(Mix(_colors.Hair, SKColors.Black, 0.18f));
                break;
            case HairStyle.Bun:
                Ellipse(0, CrownY - 0.17f, 0.28f, 0.22f, Mix(_colors.Hair, SKColors.Black, 0.12f));
                break;
            case HairStyle.Curly:
                SKColor shade = Mix(_colors.Hair, SKColors.Black, 0.15f);
                for (int curl = 0; curl < 9; curl++)
                {
                    (float sin, float cos) = MathF.SinCos(MathF.PI * (0.94f + (curl * 1.12f / 8)));
                    Ellipse(cos * (_halfWidth + 0.06f), -0.2f + (sin * 0.66f), 0.2f, 0.2f, shade);
                }
                break;
        }
    }

    private void RenderHairInFront()
    {
        switch (_face.Style)
        {
            case HairStyle.Bald when _face.Age == FaceAge.Old:
                _depth = 0;
                Ellipse(-_halfWidth, -0.18f, 0.08f, 0.2f, _colors.Hair);
                Ellipse(_halfWidth, -0.18f, 0.08f, 0.2f, _colors.Hair);
                break;
            case HairStyle.Bald:
                _depth = 0.6f;
                Ellipse(-0.18f, -0.66f, 0.14f, 0.07f, Fade(SKColors.White, 0.25f)); // shine
                break;
            case HairStyle.Bob:
                Cap(_hairline + 0.12f, parting: 0, down: 0.25f);
                break;
            case HairStyle.Long:
                Cap(_hairline - 0.02f, parting: 0.55f, down: 0.3f);
                break;
            case HairStyle.Spiky:
                Spikes();
                break;
            case HairStyle.Curly:
                Cap(_hairline - 0.08f, parting: 0, down: -0.25f);
                _depth = 0.45f;
                for (int curl = 0; curl < 5; curl++)
                    Ellipse((curl - 2) * 0.21f, _hairline - 0.08f + (0.035f * (curl - 2) * (curl - 2)), 0.14f, 0.12f,
                        _colors.Hair);
                break;
            case HairStyle.Bun:
                Cap(_hairline - 0.04f, parting: 0, down: -0.18f);
                break;
            default:
                Cap(_hairline - 0.02f, parting: 0.5f, down: -0.12f);
                break;
        }
    }

    /// <summary>Hair over the top of the head, down to the hairline.</summary>
    /// <param name="hairline">y of the hairline at its middle.</param>
    /// <param name="parting">How far the hairline rises at the parting: 0 for a fringe.</param>
    /// <param name="down">y to which it reaches at the sides.</param>
    private void Cap(float hairline, float parting, float down)
    {
        float vectorized = _halfWidth + 0.05f;
        float side = (_face.Details & 1) == 0 ? 0.16f : -0.16f;
        _depth = 0;
        Move(-vectorized, down);
        Cubic(-vectorized - 0.03f, -0.62f, -vectorized * 0.7f, CrownY - 0.1f, 0, CrownY - 0.1f);
        Cubic(vectorized * 0.7f, CrownY - 0.1f, vectorized + 0.03f, -0.62f, vectorized, down);
        Quad(_halfWidth * 0.96f, (hairline + down) / 2, _halfWidth * 0.82f, hairline + 0.1f);
        _depth = 0.7f;
        Quad(_halfWidth * 0.6f, hairline - 0.02f, side, hairline - (parting * 0.25f));
        Quad(-_halfWidth * 0.6f, hairline - 0.02f, -_halfWidth * 0.82f, hairline + 0.1f);
        _depth = 0;
        Quad(-_halfWidth * 0.96f, (hairline + down) / 2, -vectorized, down);
        Fill(_colors.Hair);
        _depth = 0.5f;
        Move(-_halfWidth * 0.55f, hairline - 0.14f);
        Quad(side, hairline - 0.26f, _halfWidth * 0.5f, hairline - 0.16f);
        Stroke(Fade(Mix(_colors.Hair, SKColors.White, 0.35f), 0.5f), 0.035f);
    }

    private void Spikes()
    {
        const int Count = 6;
        float vectorized = _halfWidth + 0.04f;
        _depth = 0;
        Move(-vectorized, -0.22f);
        Line(-vectorized - 0.02f, -0.5f);
        for (int spike = 0; spike <= Count; spike++)
        {
            float across = ((2f * spike / Count) - 1) * 0.9f;
            float top = CrownY - 0.02f + (0.32f * across * across);
            Line(across * vectorized, top - 0.17f);
            if (spike < Count)
                Line((across + (0.9f / Count)) * vectorized, top);
        }
        Line(vectorized + 0.02f, -0.5f);
        Line(vectorized, -0.22f);
        _depth = 0.6f;
        for (int spike = Count; spike >= 0; spike--)
        {
            float across = ((2f * spike / Count) - 1) * 0.85f;
            Line(across * _halfWidth, _hairline + (0.1f * across * across) + (spike % 2 == 0 ? 0.06f : -0.08f));
        }
        _path.Close();
        Fill(_colors.Hair);
    }

    private void RenderBeard()
    {
        if (_face.Beard == Beard.None)
            return;
        SKColor color = Fade(Mix(_colors.Hair, SKColors.Black, 0.1f), 0.92f);
        float lip = _mouthY - (0.08f * Math.Max(0, _face.Units.UpperLipRaise));
        if (_face.Beard == Beard.Full)
        {
            HeadOutline();
            SaveAndClip();
            _depth = 0;
            Move(-_halfWidth - 0.1f, 0.02f);
            Quad(-_halfWidth * 0.78f, 0.38f, -0.34f, 0.4f);
            _depth = 1;
            Quad(0, lip - 0.2f, 0.34f, 0.4f);
            _depth = 0;
            Quad(_halfWidth * 0.78f, 0.38f, _halfWidth + 0.1f, 0.02f);
            Line(_halfWidth + 0.1f, 1.1f);
            Line(-_halfWidth - 0.1f, 1.1f);
            Fill(color);
            _canvas.Restore();
            return;
        }
        _depth = 1.1f;
        Move(0, lip - 0.16f);
        Quad(0.26f, lip - 0.17f, 0.32f, lip + 0.02f);
        Quad(0.16f, lip - 0.05f, 0, lip - 0.07f);
        Quad(-0.16f, lip - 0.05f, -0.32f, lip + 0.02f);
        Quad(-0.26f, lip - 0.17f, 0, lip - 0.16f);
        Fill(color);
    }

    private void RenderGlasses()
    {
        if (!_face.Glasses)
            return;
        SKColor frame = (_face.Details & 2) == 0 ? new SKColor(30, 28, 34) : new SKColor(120, 80, 46);
        _depth = 1.05f;
        foreach (int side in (ReadOnlySpan<int>)[-1, 1])
        {
            SKPoint center = At(side * 0.29f, _eyeY + 0.03f);
            _stroke.Color = frame;
            _stroke.StrokeWidth = Math.Max(0.032f, 1.5f / (_size * _face.Scale));
            _fill.Color = Fade(SKColors.White, 0.08f);
            var lens = SKRect.Create(center.X - 0.21f, center.Y - 0.17f, 0.42f, 0.34f);
            _canvas.DrawRoundRect(lens, 0.14f, 0.14f, _fill);
            _canvas.DrawRoundRect(lens, 0.14f, 0.14f, _stroke);
            Move(side * 0.5f, _eyeY);
            _depth = 0;
            Line(side * _halfWidth, _eyeY - 0.04f);
            _depth = 1.05f;
            Stroke(frame, 0.03f);
        }
        Move(-0.08f, _eyeY + 0.01f);
        Quad(0, _eyeY - 0.04f, 0.08f, _eyeY + 0.01f);
        Stroke(frame, 0.032f);
    }
}
