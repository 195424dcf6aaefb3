#!/usr/bin/env python3
"""Makes small checkpoints with PyTorch in every form that cliper-gpu reads, and what they hold as safetensors. See README.md.
Needs torch (1.13 or later) and numpy."""

import argparse
import collections
import json
import os
import struct

import numpy
import torch

from export_golden import save


def tensors():
    """Every element type, and every way for a view to lie in its storage."""
    base = torch.arange(60.0).reshape(3, 4, 5)
    return collections.OrderedDict(
        whole=base, transposed=base.permute(2, 0, 1), part=base[1:, 1:3, 2:], row=base[2, 1], column=base[:, 3, 4],
        stepped=base.reshape(-1)[1::7], expanded=torch.tensor([2.5]).expand(3, 1),
        parameter=torch.nn.Parameter(torch.tensor([1.5, -2.0])), scalar=torch.tensor(0.25), empty=torch.zeros(0, 3),
        half=torch.tensor([1.0, -0.5, 65504.0]).half(), bfloat16=torch.tensor([1.0, -3.0, 1e38]).bfloat16(),
        double=torch.tensor([0.1], dtype=torch.float64), int64=torch.tensor([-(2**62), 5]), int32=torch.tensor([7], dtype=torch.int32),
        int16=torch.tensor([-300], dtype=torch.int16), int8=torch.tensor([-7], dtype=torch.int8),
        uint8=torch.tensor([200], dtype=torch.uint8), bool=torch.tensor([True, False, True]))


def expected(values):
    """Floating-point numbers in single precision and all others as 64-bit integers; the types are in the metadata."""
    names = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64", torch.int64: "I64",
             torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}
    return ({name: value.detach().float() if value.is_floating_point() else value.long() for name, value in values.items()},
            {name: names[value.dtype] for name, value in values.items()})


def read(path):
    """A safetensors file of single precision."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    return {name: torch.from_numpy(numpy.frombuffer(data[slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"]).copy())
            for name, entry in header.items() if name != "__metadata__"}


class Branch(torch.nn.Module):
    """A module of nothing but parts, to be filled by the names of a state dict."""

    def forward(self, x):
        return x


class Attention(Branch):
    """As in OpenAI's archives, where attention says its number of heads."""

    def __init__(self, heads):
        super().__init__()
        self.num_heads: int = heads


def clip_archive(weights, heads):
    """A TorchScript module whose parts have OpenAI's names and types: matrices in half precision, the rest in single."""
    root = Branch()
    for name, value in weights.items():
        at, path = root, name.split(".")
        for i, part in enumerate(path[:-1]):
            if not hasattr(at, part):
                at.add_module(part, Attention(heads[path[0] == "visual"]) if part == "attn" else Branch())
            at = getattr(at, part)
        matrix = value.ndim > 1 and "embedding" not in name
        at.register_parameter(path[-1], torch.nn.Parameter(value.half() if matrix else value))
    for name, number in (("input_resolution", 18), ("context_length", 20), ("vocab_size", 128)):
        root.register_buffer(name, torch.tensor(number))
    return torch.jit.script(root)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="folder for the files")
    parser.add_argument("--clip", required=True, help="weights of a CLIP with 3 and 2 heads, in safetensors")
    options = parser.parse_args()
    at = lambda name: os.path.join(options.out, name)
    os.makedirs(options.out, exist_ok=True)

    values = tensors()
    save(at("expected.safetensors"), *expected(values))
    torch.save(values, at("state-dict.pt"))
    torch.save(values, at("protocol-4.pt"), pickle_protocol=4)
    torch.save(values, at("legacy.pt"), _use_new_zipfile_serialization=False)

    torch.manual_seed(1)
    layer = torch.nn.Linear(2, 3)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    torch.save({"epoch": 3, "name": "a run", "state_dict": layer.state_dict(), "optimizer": optimizer.state_dict()}, at("training.pt"))
    torch.save(layer, at("module.pt"))

    weight_map = {}
    for number, names in enumerate((("whole", "transposed", "half"), ("int64", "scalar")), 1):
        file = f"pytorch_model-{number:05}-of-00002.bin"
        torch.save({name: values[name] for name in names}, at(file))
        weight_map.update({name: file for name in names})
    with open(at("pytorch_model.bin.index.json"), "w", encoding="utf-8") as file:
        json.dump({"metadata": {"total_size": 0}, "weight_map": weight_map}, file, indent=1)

    torch.jit.save(clip_archive(read(options.clip), {True: 3, False: 2}), at("clip-micro.pt"))


if __name__ == "__main__":
    main()
