#!/usr/bin/env python3
"""Makes samplers.json for the tests: which frames of a clip Former-DFER, IAL and DFER-CLIP take, in training (with the random numbers they
drew) and in testing. Written from the description of their loaders; needs nothing but Python. See README.md."""

import argparse
import json
import random

# Segments, consecutive frames of each, and what a clip with too few frames becomes.
SAMPLERS = {"Former-DFER": (8, 2, "first"), "IAL": (16, 1, "first"), "DFER-CLIP": (16, 1, "last")}


def starts_of_few(frames, segments, short):
    """Every segment at the first frame; or the frames in turn and then the last one again and again."""
    return [0] * segments if short == "first" else [min(u, frames - 1) for u in range(segments)]


def training_starts(frames, segments, duration, short, draw):
    length = (frames - duration + 1) // segments
    if length > 0:
        return [u * length + draw(length) for u in range(segments)]
    if frames > segments:
        return sorted(draw(frames - duration + 1) for _ in range(segments))
    return starts_of_few(frames, segments, short)


def test_starts(frames, segments, duration, short):
    if frames <= segments + duration - 1:
        return starts_of_few(frames, segments, short)
    tick = (frames - duration + 1) / float(segments)
    return [int(tick / 2.0 + tick * u) for u in range(segments)]


def frames_of(starts, frames, duration):
    """From each start on, one frame further each time, staying at the last."""
    taken = []
    for place in starts:
        for _ in range(duration):
            taken.append(place)
            if place < frames - 1:
                place += 1
    return taken


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="the file")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    generator, cases = random.Random(arguments.seed), []
    for name, (segments, duration, short) in SAMPLERS.items():
        for frames in list(range(1, 40)) + [47, 48, 49, 63, 64, 65, 100, 127, 128, 129, 250, 999]:
            cases.append({"sampler": name, "segments": segments, "duration": duration, "short": short, "frames": frames, "draws": None,
                          "indices": frames_of(test_starts(frames, segments, duration, short), frames, duration)})
            draws = []

            def draw(limit):
                draws.append([limit, generator.randrange(limit)])
                return draws[-1][1]

            starts = training_starts(frames, segments, duration, short, draw)
            cases.append({**cases[-1], "draws": draws, "indices": frames_of(starts, frames, duration)})
    with open(arguments.out, "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
