using SkiaSharp;

namespace Cliper.Model.SyntheticFaces;

// The features that action units move: eyes, brows, nose, mouth and wrinkles.
internal sealed partial class FaceRenderer
{
    private static readonly SKColor White = new(244, 241, 236);
    private static readonly SKColor Mouth = new(82, 22, 30);

    private void RenderEye(int side)
    {
        ActionUnits units = _face.Units;
        float width = 0.165f * _face.EyeSize * (_face.Age == FaceAge.Child ? 1.16f : 1);
        float upper = width * Math.Max(0.1f,
            0.62f + (0.42f * units.LidRaise) - (0.26f * units.LidTighten) - (0.12f * units.CheekRaise));
        float lower = width * Math.Max(0.02f, 0.42f - (0.2f * units.LidTighten) - (0.34f * units.CheekRaise));
        float x = side * 0.29f;
        float inner = x - (side * width);
        float outer = x + (side * width);
        float outerY = _eyeY - (0.04f * Math.Min(0, units.LidRaise)) + (_face.Age == FaceAge.Old ? 0.015f : 0);
        _depth = 1;
        EyeOutline();
        Fill(White);
        EyeOutline();
        SaveAndClip();
        float gaze = 0.03f * (((_face.Details >> 8) % 5) - 2f) / 2;
        float irisY = _eyeY - ((upper - lower) * 0.25f);
        Ellipse(x + gaze, irisY, width * 0.52f, width * 0.52f, _colors.Iris);
        Ellipse(x + gaze, irisY, width * 0.27f, width * 0.27f, new SKColor(16, 12, 14));
        Ellipse(x + gaze + (width * 0.18f), irisY - (width * 0.2f), width * 0.13f, width * 0.13f, SKColors.White);
        _canvas.Restore();

        bool female = _face.Build == FaceBuild.Female;
        Move(inner, _eyeY + 0.01f);
        Quad(x, _eyeY - (2 * upper), outer + (side * (female ? 0.03f : 0)), outerY);
        Stroke(new SKColor(42, 24, 24), female ? 0.05f : 0.036f);
        Move(inner, _eyeY + 0.01f);
        Quad(x, _eyeY + (2 * lower), outer, outerY);
        Stroke(Fade(_colors.Line, 0.6f), 0.018f);
        float lid = Math.Clamp(0.4f - (0.6f * units.LidRaise), 0, 0.7f);
        Move(inner, _eyeY - (upper * 0.7f));
        Quad(x, _eyeY - (2 * upper) - 0.05f, outer, _eyeY - (upper * 0.55f));
        Stroke(Fade(_colors.Line, lid), 0.018f);
        float bag = Math.Clamp((0.55f * units.CheekRaise) + (_face.Age == FaceAge.Old ? 0.4f : 0), 0, 0.8f);
        if (bag > 0.1f)
        {
            Move(inner + (side * 0.03f), _eyeY + lower + 0.05f);
            Quad(x, _eyeY + (2 * lower) + 0.11f, outer, _eyeY + lower + 0.03f);
            Stroke(Fade(_colors.Line, bag), 0.02f);
        }

        void EyeOutline()
        {
            Move(inner, _eyeY + 0.01f);
            Quad(x, _eyeY - (2 * upper), outer, outerY);
            Quad(x, _eyeY + (2 * lower), inner, _eyeY + 0.01f);
        }
    }

    private void RenderBrow(int side)
    {
        ActionUnits units = _face.Units;
        float innerX = 0.13f - (0.05f * units.BrowLower);
        float innerY = _browY - (0.15f * units.InnerBrowRaise) + (0.16f * units.BrowLower);
        float middleY = _browY - 0.04f - (0.1f * units.OuterBrowRaise) - (0.02f * units.InnerBrowRaise)
            + (0.05f * units.BrowLower);
        float outerY = _browY + 0.05f - (0.1f * units.OuterBrowRaise) + (0.01f * units.BrowLower);
        float thickness = 0.055f * _face.BrowSize * (_face.Build == FaceBuild.Male ? 1.25f : 0.85f)
            * (_face.Age == FaceAge.Child ? 0.8f : 1);
        _depth = 1;
        Move(side * innerX, innerY - thickness);
        Quad(side * 0.3f, (2 * middleY) - ((innerY + outerY) / 2) - thickness, side * 0.47f, outerY);
        Quad(side * 0.3f, (2 * middleY) - ((innerY + outerY) / 2) + (thickness * 0.7f), side * innerX,
            innerY + (thickness * 0.8f));
        _path.Close();
        Fill(_colors.Brow);
    }

    private void RenderWrinkles()
    {
        ActionUnits units = _face.Units;
        bool old = _face.Age == FaceAge.Old;
        _depth = 1;
        float raise = (units.InnerBrowRaise + units.OuterBrowRaise) / 2;
        float forehead = Math.Clamp((raise * 0.8f) - 0.15f, 0, 0.6f) + (old ? 0.3f : 0);
        if (forehead > 0.08f)
            for (int line = 0; line < 2; line++)
            {
                float y = _browY - 0.15f - (0.07f * line) - (0.05f * raise);
                Move(-0.26f, y + 0.01f);
                Quad(0, y - 0.03f, 0.26f, y + 0.01f);
                Stroke(Fade(_colors.Line, forehead), 0.02f);
            }
        float frown = Math.Clamp((units.BrowLower * 0.9f) - 0.2f, 0, 0.8f);
        if (frown > 0.05f)
            foreach (int side in (ReadOnlySpan<int>)[-1, 1])
            {
                Move(side * 0.045f, _browY - 0.05f);
                Quad(side * 0.03f, _browY + 0.04f, side * 0.06f, _browY + 0.11f);
                Stroke(Fade(_colors.Line, frown), 0.024f);
            }
        float pull = (0.6f * units.CornerUp) + (0.7f * units.NoseWrinkle) + (0.4f * units.UpperLipRaise);
        float fold = Math.Clamp(pull, 0, 0.7f) + (old ? 0.3f : 0);
        if (fold > 0.08f)
            foreach (int side in (ReadOnlySpan<int>)[-1, 1])
            {
                float lift = 0.04f * Math.Max(0, units.NoseWrinkle);
                Move(side * 0.17f, _noseY - 0.05f - lift);
                Quad(side * (0.3f + (0.05f * units.CornerUp)), _noseY + 0.03f - lift, side * 0.36f, _mouthY - 0.03f);
                Stroke(Fade(_colors.Line, fold), 0.024f);
            }
        float crow = Math.Clamp((0.5f * units.CheekRaise) - 0.1f + (old ? 0.3f : 0), 0, 0.6f);
        if (crow > 0.08f && _face.Age != FaceAge.Child)
            foreach (int side in (ReadOnlySpan<int>)[-1, 1])
                for (int line = -1; line <= 1; line += 2)
                {
                    Move(side * 0.475f, _eyeY + (0.02f * line));
                    Line(side * 0.55f, _eyeY + (0.07f * line));
                    Stroke(Fade(_colors.Line, crow), 0.018f);
                }
    }

    private void RenderNose()
    {
        ActionUnits units = _face.Units;
        float wrinkle = Math.Max(0, units.NoseWrinkle);
        float width = 0.1f * _face.NoseSize * (1 + (0.25f * wrinkle)) * (_face.Age == FaceAge.Child ? 0.8f : 1);
        float y = _noseY - (0.04f * wrinkle);
        float shadow = _face.Yaw >= 0 ? -1 : 1;
        _depth = 1.25f;
        Move(shadow * 0.045f, _eyeY + 0.04f);
        Quad(shadow * 0.05f, (y + _eyeY) / 2, shadow * width * 0.9f, y - 0.05f);
        Stroke(Fade(_colors.Shade, 0.8f), 0.03f);
        foreach (int side in (ReadOnlySpan<int>)[-1, 1])
        {
            Move(side * width, y - 0.06f - (0.04f * wrinkle));
            Quad(side * width * 1.5f, y - 0.01f, side * width * 0.8f, y + 0.02f);
            Stroke(Fade(_colors.Line, 0.75f), 0.024f);
            Ellipse(side * width * 0.5f, y + 0.015f, width * 0.28f, 0.022f, Fade(_colors.Line, 0.9f));
        }
        if (wrinkle > 0.15f)
            for (int line = 0; line < 3; line++)
            {
                float wrinkleY = _eyeY + 0.01f + (0.06f * line);
                Move(-0.075f, wrinkleY + 0.02f);
                Quad(0, wrinkleY - 0.03f, 0.075f, wrinkleY + 0.02f);
                Stroke(Fade(_colors.Line, Math.Min(0.85f, wrinkle)), 0.022f);
            }
    }

    private void RenderMouth()
    {
        ActionUnits units = _face.Units;
        float open = Math.Max(0, units.MouthOpen);
        float press = Math.Clamp(units.LipPress, 0, 1);
        float round = Math.Clamp(1 - units.CornerUp - units.LipStretch - units.UpperLipRaise, 0, 1);
        float half = 0.27f * _face.MouthWidth * (_face.Age == FaceAge.Child ? 0.88f : 1)
            * (1 + (0.22f * units.CornerUp) + (0.42f * units.LipStretch) - (0.3f * open * round) - (0.08f * press));
        float cornerY = _mouthY - (0.13f * units.CornerUp) + (0.13f * units.CornerDown) + (0.06f * open);
        float top = _mouthY - (0.13f * Math.Max(0, units.UpperLipRaise)) - (0.05f * open) + (0.05f * units.CornerUp)
            - (0.04f * units.ChinRaise);
        float bottom = top + (0.36f * open) + (0.06f * open * Math.Max(0, units.CornerUp))
            + (0.06f * Math.Max(0, units.UpperLipRaise));
        float full = _face.Age == FaceAge.Old ? 0.7f : _face.Build == FaceBuild.Female ? 1.15f : 0.85f;
        full *= 1 - (0.85f * press);
        float upperLip = 0.055f * full;
        float lowerLip = (0.07f * full) + (0.03f * Math.Max(0, units.ChinRaise));
        _depth = 1;

        // A quadratic curve passes its control point at half the distance, a cubic one at three quarters.
        float topControl = cornerY + ((top - cornerY) * 4 / 3);
        float bottomControl = cornerY + ((bottom - cornerY) * 4 / 3);
        float reach = half * 0.55f;
        Curve(topControl - (upperLip * 1.4f), bottomControl + (lowerLip * 1.4f));
        Fill(_colors.Lip);
        if (bottom - top > 0.045f)
        {
            Curve(topControl, bottomControl);
            SaveAndClip();
            Ellipse(0, (top + bottom) / 2, half * 1.2f, 0.5f, Mouth);
            if (bottom - top > 0.16f)
                Ellipse(0, bottom + 0.02f, half * 0.55f, 0.1f, new SKColor(190, 84, 88));
            float bared = (1.3f * units.CornerUp) + (1.3f * units.UpperLipRaise) + (1.1f * units.LipStretch);
            float teeth = Math.Clamp(bared, 0, 1);
            if (teeth > 0.2f)
            {
                SKPoint upperTeeth = At(0, Math.Min(top, cornerY));
                float height = (bottom - Math.Min(top, cornerY)) * 0.42f * teeth;
                _fill.Color = White;
                _canvas.DrawRect(upperTeeth.X - half, upperTeeth.Y, 2 * half, height, _fill);
            }
            _canvas.Restore();
        }
        Move(-half, cornerY);
        Cubic(-reach, topControl, reach, topControl, half, cornerY);
        Stroke(Mix(_colors.Line, Mouth, 0.4f), 0.028f + (0.022f * press));
        foreach (int side in (ReadOnlySpan<int>)[-1, 1]) // corners, which tell up from down even when blurred
        {
            Move(side * half, cornerY);
            Line(side * (half + 0.025f),
                cornerY - (0.04f * units.CornerUp) + (0.045f * units.CornerDown));
            Stroke(_colors.Line, 0.03f);
        }
        float chin = Math.Clamp(units.ChinRaise, 0, 0.8f);
        if (chin > 0.15f)
        {
            Move(-0.13f, bottom + lowerLip + 0.11f);
            Quad(0, bottom + lowerLip + 0.04f, 0.13f, bottom + lowerLip + 0.11f);
            Stroke(Fade(_colors.Line, chin), 0.024f);
        }

        void Curve(float upperControl, float lowerControl)
        {
            Move(-half, cornerY);
            Cubic(-reach, upperControl, reach, upperControl, half, cornerY);
            Cubic(reach, lowerControl, -reach, lowerControl, -half, cornerY);
        }
    }
}
