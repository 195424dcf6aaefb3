#!/usr/bin/env python3
"""Makes golden steps of AdamW on fp16 weights, gradients and moments with PyTorch: torch.optim.AdamW's sequence of operations
(mul; mul, add; mul, addcmul; sqrt, div, add, addcdiv) on half tensors. See README.md. Needs torch (1.13 or later) and numpy.

PyTorch's CUDA kernels compute such an operation in fp32, scalars included, and round its result once. Its CPU kernels round the
scalars to fp16 too, or lack the operation. The reference is CUDA's arithmetic, written out with fp32 tensors."""

import argparse
import math
import os

import torch

from export_golden import save

STEPS, COUNT = 12, 512
# Learning rate, weight decay, epsilon, beta1, beta2. Rates and decays are exact in fp32, as programs that keep them so have them.
CASES = {
    "script": (float(torch.tensor(5e-6)), float(torch.tensor(0.1)), 1e-4, 0.9, 0.999),
    "large": (2.0**-10, 0.125, 1e-8, 0.9, 0.98),
}


def rounded(operation, *tensors):
    """An operation on half tensors as CUDA has it: operands to fp32, one rounding to half."""
    return operation(*[tensor.float() for tensor in tensors]).half()


def step(p, g, m, v, t, rate, decay, epsilon, beta1, beta2):
    """One step of torch.optim.AdamW (single tensor, not capturable), each operation rounded to half."""
    scalar = lambda value: torch.tensor(value, dtype=torch.float32)
    p = rounded(lambda x: x * scalar(1 - rate * decay), p)
    m = rounded(lambda x: x * scalar(beta1), m)
    m = rounded(lambda x, y: x + scalar(1 - beta1) * y, m, g)
    v = rounded(lambda x: x * scalar(beta2), v)
    v = rounded(lambda x, y: x + scalar(1 - beta2) * (y * y), v, g)
    denominator = rounded(torch.sqrt, v)
    denominator = rounded(lambda x: x / scalar(math.sqrt(1 - beta2**t)), denominator)
    denominator = rounded(lambda x: x + scalar(epsilon), denominator)
    p = rounded(lambda x, y, z: x + scalar(-rate / (1 - beta1**t)) * (y / z), p, m, denominator)
    return p, m, v


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="folder of adamw_half.safetensors")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    generator = torch.Generator().manual_seed(options.seed)
    tensors, metadata = {}, {"rounding": "fp16 after each operation"}
    for name, (rate, decay, epsilon, beta1, beta2) in CASES.items():
        # Weights of all sizes down to zero, gradients from those that underflow to those that fill their range.
        p = (torch.randn(COUNT, generator=generator) * 10 ** (torch.rand(COUNT, generator=generator) * 4 - 4)).half()
        size = 10 ** (torch.rand(COUNT, generator=generator) * 7 - 7)
        m, v = torch.zeros(COUNT).half(), torch.zeros(COUNT).half()
        gradients, weights = [], [p]
        for t in range(1, STEPS + 1):
            g = (torch.randn(COUNT, generator=generator) * size).half()
            p, m, v = step(p, g, m, v, t, rate, decay, epsilon, beta1, beta2)
            gradients.append(g)
            weights.append(p)
        metadata[name] = ",".join(repr(number) for number in (rate, decay, epsilon, beta1, beta2))
        tensors[f"{name}.weights"] = torch.stack(weights).float()
        tensors[f"{name}.gradients"] = torch.stack(gradients).float()
        tensors[f"{name}.first"], tensors[f"{name}.second"] = m.float(), v.float()
        vanished = ((v == 0) & (size > 1e-5)).float().mean().item()
        print(f"{name}: second moment 0 for {100 * vanished:.0f} % of the elements with gradients above 1e-5")
    save(os.path.join(options.out, "adamw_half.safetensors"), tensors, metadata)


if __name__ == "__main__":
    main()
