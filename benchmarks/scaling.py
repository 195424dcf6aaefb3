#!/usr/bin/env python3
"""Predicts training on several cards, and on two ranks of a processor, by a model of a step.

A step takes the time of its arithmetic, and that of its all-reduce, of which a share hides behind the backward pass:
    t = arithmetic + max(0, all-reduce - hidden * backward),  all-reduce = 2 (N - 1) / N * bytes / bandwidth.

    benchmarks/scaling.py                                      the table of docs/distribution.md
    benchmarks/scaling.py check RATE BATCH MEGABYTES GB_S      images a second of two ranks, from the rate of one thread
"""
import sys

# Bus bandwidth of NCCL's all-reduce, GB/s. NVLink of H100 with the ring: 370 (NVIDIA/nccl-tests issue 212, by NCCL's
# author; NVLink SHARP, which gives 480, sums in another order each time). Networks: 47 for each card of 400 Gb/s
# (NVIDIA/nccl-tests issue 290). A ring over machines is as slow as its slowest link.
NVLINK, CARD_400G = 370.0, 47.0

# Bytes of fp32 gradients: ViT-B/16's image tower, both towers, and 7 x 5 descriptors of 8 tokens of 512.
PHASES = {
    "stage 1, features kept": (7 * 5 * 8 * 512 * 4, 0.004),
    "stage 2": (86.2e6 * 4, 0.0136),
    "pre-training": (149.6e6 * 4, 0.0180),
}
BACKWARD = 2 / 3


def all_reduce(ranks, size, bandwidth):
    return 2 * (ranks - 1) / ranks * size / (bandwidth * 1e9)


def efficiency(arithmetic, ranks, size, bandwidth, hidden):
    exposed = max(0.0, all_reduce(ranks, size, bandwidth) - hidden * BACKWARD * arithmetic)
    return arithmetic / (arithmetic + exposed)


def table():
    machines = [("8 cards, NVLink", 8, NVLINK), ("8 x 8, a network card a GPU", 64, min(NVLINK, 8 * CARD_400G)),
                ("8 x 8, one network card", 64, CARD_400G)]
    print("| phase | MB a step | " + " | ".join(f"{name}: ms, efficiency, hidden" for name, _, _ in machines) + " |")
    print("| --- " * (2 + len(machines)) + "|")
    for phase, (size, arithmetic) in PHASES.items():
        cells = [f"{1e3 * all_reduce(ranks, size, bandwidth):.2f}, "
                 f"{100 * efficiency(arithmetic, ranks, size, bandwidth, 0):.0f} %, "
                 f"{100 * efficiency(arithmetic, ranks, size, bandwidth, 1):.0f} %" for _, ranks, bandwidth in machines]
        print(f"| {phase} | {size / 1e6:.1f} | " + " | ".join(cells) + " |")


def check(rate, batch, megabytes, bandwidth):
    # Two ranks have half a batch each, and sum when all is computed.
    arithmetic = batch / 2 / rate
    return batch / (arithmetic + all_reduce(2, megabytes * 1e6, bandwidth))


if __name__ == "__main__":
    if sys.argv[1:2] == ["check"]:
        print(f"{check(*map(float, sys.argv[2:])):.0f}")
    else:
        table()
