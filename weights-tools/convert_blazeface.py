#!/usr/bin/env python3
"""Converts MediaPipe's BlazeFace ("back" network, 256 x 256) from TensorFlow.js to safetensors.

    python3 weights-tools/convert_blazeface.py --graph blazeface.json --out src/Cliper.Model/models/blazeface.safetensors

The graph and blazeface.bin beside it are in models/ of the npm package @vladmandic/human (3.3.6 was converted). Needs Python alone.
Weights keep their values; convolutions are turned from [rows, columns, in, out] to [out, rows, columns, in], depthwise ones lose
their last axis, and names follow the layers: stem, blocks.0 to blocks.31 (depthwise, pointwise), and for the 16 x 16 and 8 x 8
cells boxes and scores.
"""
import argparse
import hashlib
import json
import math
import pathlib
import struct

TERMS = ("BlazeFace: Copyright The MediaPipe Authors, Apache License 2.0. TensorFlow.js conversion: npm package @vladmandic/human, "
         "Copyright Vladimir Mandic, MIT License.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--graph", required=True, type=pathlib.Path, help="blazeface.json; the .bin file is beside it")
    parser.add_argument("--out", required=True, type=pathlib.Path)
    args = parser.parse_args()
    graph = json.loads(args.graph.read_text())
    data = args.graph.with_suffix(".bin").read_bytes()
    tensors = convert(graph, read_weights(graph, data))
    write(args.out, tensors, {"format": "blazeface", "terms": TERMS, "source_sha256": hashlib.sha256(data).hexdigest()})
    print(f"{args.out}: {len(tensors)} tensors, {sum(len(values) for _, values in tensors.values())} numbers")


def read_weights(graph, data):
    """Name to (shape, values); what is no number of the network is left out."""
    weights, at = {}, 0
    for entry in graph["weightsManifest"][0]["weights"]:
        count = math.prod(entry["shape"])
        if entry["dtype"] == "float32":
            weights[entry["name"]] = entry["shape"], struct.unpack_from(f"<{count}f", data, at)
        at += 4 * count
    if at != len(data):
        raise SystemExit(f"the manifest names {at} bytes, the file has {len(data)}")
    return weights


def convert(graph, weights):
    nodes = [node for node in graph["modelTopology"]["node"] if node["op"] in ("_FusedConv2D", "DepthwiseConv2dNative")]
    reshapes = {node["name"].split("/")[-1]: node["input"][0] for node in graph["modelTopology"]["node"] if node["op"] == "Reshape"}
    names = {reshapes[f"{kind}_{number}"]: f"cells{cells}.{name}" for number, cells in ((1, 16), (2, 8))
             for kind, name in (("classificators", "scores"), ("regressors", "boxes"))}
    tensors, blocks, block_of = {}, 0, {}
    for node in nodes:
        shape, values = weights[node["input"][1]]
        if node["op"] == "DepthwiseConv2dNative":
            block_of[node["name"]] = name = f"blocks.{blocks}"
            blocks += 1
            tensors[f"{name}.depthwise"] = shape[:3], values
            continue
        name = names.get(node["name"]) or (f"{block_of[node['input'][0]]}.pointwise" if node["input"][0] in block_of else "stem")
        rows, columns, inputs, outputs = shape
        taps = rows * columns * inputs
        tensors[f"{name}.weight"] = ([outputs, rows, columns, inputs],
                                     [values[tap * outputs + out] for out in range(outputs) for tap in range(taps)])
        tensors[f"{name}.bias"] = weights[node["input"][2]]
    return tensors


def write(path, tensors, metadata):
    header, parts, at = {"__metadata__": metadata}, [], 0
    for name in sorted(tensors):
        shape, values = tensors[name]
        parts.append(struct.pack(f"<{len(values)}f", *values))
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + len(parts[-1])]}
        at += len(parts[-1])
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


if __name__ == "__main__":
    main()
