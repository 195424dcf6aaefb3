#!/usr/bin/env python3
"""Makes golden tensors of a CLIP with a ResNet of any shape, and five steps of CLIPER's stage 2, with PyTorch. Files, text tower
and losses are those of export_golden.py. See README.md. Needs torch (1.13 or later) and numpy."""

import argparse
import json
import math
import os

import torch
import torch.nn.functional as F

import export_golden as golden

STEPS, BATCH, IMAGES = 5, 4, 4
LARGEST = 2000  # Numbers of a tensor whose gradient in inference, or value after the steps, is kept: the files stay small.
EPSILON, MOMENTUM = 1e-5, 0.1
REDUCTION, EXPANSION, HEAD = 32, 4, 64
BUFFERS = ("running_mean", "running_var")


def make_tower(c, generator):
    """The tower's tensors in OpenAI's naming. Running statistics are not those of any batch, so that both ways differ."""
    weights = {}

    def normal(*shape, std):
        return torch.randn(*shape, generator=generator) * std

    def convolution(name, norm, features, channels, kernel):
        weights[name + ".weight"] = normal(features, channels, kernel, kernel, std=math.sqrt(2 / channels) / kernel)
        weights[norm + ".weight"] = 1 + normal(features, std=0.1)
        weights[norm + ".bias"] = normal(features, std=0.1)
        weights[norm + ".running_mean"] = normal(features, std=0.2)
        weights[norm + ".running_var"] = 1 + torch.rand(features, generator=generator)

    width = c["width"]
    convolution("visual.conv1", "visual.bn1", width // 2, 3, 3)
    convolution("visual.conv2", "visual.bn2", width // 2, width // 2, 3)
    convolution("visual.conv3", "visual.bn3", width, width // 2, 3)
    channels = width
    for stage, layers in enumerate(c["layers"]):
        planes = width << stage
        for layer in range(layers):
            block = f"visual.layer{stage + 1}.{layer}."
            convolution(block + "conv1", block + "bn1", planes, channels, 1)
            convolution(block + "conv2", block + "bn2", planes, planes, 3)
            convolution(block + "conv3", block + "bn3", EXPANSION * planes, planes, 1)
            if layer == 0:
                convolution(block + "downsample.0", block + "downsample.1", EXPANSION * planes, channels, 1)
            channels = EXPANSION * planes
    pool = "visual.attnpool."
    weights[pool + "positional_embedding"] = normal((c["image"] // REDUCTION) ** 2 + 1, channels, std=1 / math.sqrt(channels))
    for name in "qkvc":
        features = c["embed"] if name == "c" else channels
        weights[f"{pool}{name}_proj.weight"] = normal(features, channels, std=1 / math.sqrt(channels))
        weights[f"{pool}{name}_proj.bias"] = normal(features, std=0.1)
    return weights


def encode_image(w, c, images, training, see=lambda name, value: None):
    """Features [N, D]. Training updates the running statistics in w."""
    def conv(x, name, norm, stride=1):
        weight = w[name + ".weight"]
        x = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
        return F.batch_norm(x, w[norm + ".running_mean"], w[norm + ".running_var"], w[norm + ".weight"], w[norm + ".bias"],
                            training, MOMENTUM, EPSILON)

    x = F.relu(conv(images, "visual.conv1", "visual.bn1", stride=2))
    see("stem1", x)
    x = F.relu(conv(x, "visual.conv2", "visual.bn2"))
    x = F.avg_pool2d(F.relu(conv(x, "visual.conv3", "visual.bn3")), 2)
    see("stem", x)
    for stage, layers in enumerate(c["layers"]):
        for layer in range(layers):
            block = f"visual.layer{stage + 1}.{layer}."
            stride = 2 if stage > 0 and layer == 0 else 1
            path = F.relu(conv(x, block + "conv1", block + "bn1"))
            path = F.avg_pool2d(F.relu(conv(path, block + "conv2", block + "bn2")), stride)
            path = conv(path, block + "conv3", block + "bn3")
            if layer == 0:
                x = conv(F.avg_pool2d(x, stride), block + "downsample.0", block + "downsample.1")
            x = F.relu(path + x)
            see(f"layer{stage + 1}.{layer}", x)
    return attention_pool(w, x.flatten(2).transpose(1, 2))


def attention_pool(w, x):
    """[N, pixels, C] to [N, D]: the mean of the pixels asks itself and all of them."""
    def project(name, x):
        return x @ w[f"visual.attnpool.{name}_proj.weight"].T + w[f"visual.attnpool.{name}_proj.bias"]

    x = torch.cat([x.mean(1, keepdim=True), x], 1) + w["visual.attnpool.positional_embedding"]
    n, tokens, channels = x.shape
    q, k, v = (project(name, y).reshape(n, -1, channels // HEAD, HEAD).transpose(1, 2)
               for name, y in [("q", x[:, :1]), ("k", x), ("v", x)])
    attended = ((q @ k.transpose(-1, -2)) / math.sqrt(HEAD)).softmax(-1) @ v
    return project("c", attended.transpose(1, 2).reshape(n, channels))


def copy_of(weights):
    """Copies of the weights; all but running statistics require a gradient."""
    return {name: value.clone().requires_grad_(not name.endswith(BUFFERS)) for name, value in weights.items()}


def clip_set(c, weights, generator):
    images = torch.randn(IMAGES, 3, c["image"], c["image"], generator=generator, dtype=torch.float32)
    ids = golden.text_rows(c, generator)
    tensors = {"input.pixel_values": images, "input.token_ids": ids}
    for mode in ["eval", "train"]:
        w = copy_of(weights)
        image = encode_image(w, c, images, mode == "train",
                             lambda name, value: tensors.update({f"{mode}.act.image.{name}": value}))
        text = golden.encode_embeddings(w, c, w["token_embedding.weight"][ids], ids.argmax(1))
        logits = w["logit_scale"].exp() * F.normalize(image) @ F.normalize(text).T
        loss = F.cross_entropy(logits, torch.arange(IMAGES)) + 0.1 * (logits ** 2).mean()
        loss.backward()
        tensors.update({f"{mode}.output.image_features": image, f"{mode}.output.text_features": text,
                        f"{mode}.output.logits_per_image": logits, f"{mode}.output.loss": loss[None]})
        tensors.update({f"{mode}.grad.{name}": value.grad for name, value in w.items() if name.startswith("visual.")
                        and value.requires_grad and (mode == "train" or value.numel() < LARGEST)})
        if mode == "train":
            tensors.update({f"train.after.{name}": value for name, value in w.items() if name.endswith(BUFFERS)})
    return tensors


def train_set(c, weights, generator):
    """Five steps of stage 2 against features of fixed descriptors."""
    w = copy_of(weights)
    texts = torch.randn(c["classes"] * c["subclasses"], c["embed"], generator=generator)
    images = torch.randn(STEPS, BATCH, 3, c["image"], c["image"], generator=generator)
    labels = torch.randint(c["classes"], (STEPS, BATCH), generator=generator)
    rate = torch.tensor([1e-4])
    visual = {name: value for name, value in w.items() if name.startswith("visual.")}
    optimizer = torch.optim.AdamW([value for value in visual.values() if value.requires_grad], lr=float(rate),
                                  weight_decay=0.1, eps=1e-4)
    losses = []
    for step in range(STEPS):
        image = F.normalize(encode_image(w, c, images[step], training=True))
        *_, fine, margin = golden.cliper_loss(image @ F.normalize(texts).T / golden.TAU, labels[step], c["classes"],
                                              c["subclasses"])
        optimizer.zero_grad()
        (fine + margin).backward()
        optimizer.step()
        losses.append(torch.stack([fine, margin]).detach())
    return {"text_features": texts, "images": images, "labels": labels, "lr": rate, "losses": torch.stack(losses),
            **{"final." + name: value for name, value in visual.items() if value.numel() < LARGEST}}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="folder for the files")
    parser.add_argument("--set", required=True, help="name of the set, which begins with rn_")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--layers", type=int, nargs=4, default=[1, 1, 1, 1], help="blocks of the stages")
    for name, default in [("image", 64), ("width", 16), ("vocab", 512), ("t-width", 64), ("t-layers", 1), ("embed", 64),
                          ("context", 77), ("classes", golden.CLASSES), ("subclasses", 2)]:
        parser.add_argument("--" + name, type=int, default=default)
    arguments = parser.parse_args()
    c = {name: getattr(arguments, name) for name in
         ["image", "width", "layers", "vocab", "t_width", "t_layers", "embed", "context"]}
    if not arguments.set.startswith("rn_") or c["image"] % REDUCTION or c["width"] % 2 or c["t_width"] % HEAD:
        parser.error("the name begins with rn_; 32 divides the image, 2 the width, 64 the text tower's width")
    metadata = {"config": json.dumps(c), "seed": str(arguments.seed), "made_with": f"PyTorch {torch.__version__} fp32 CPU",
                "heads": "width*32/64", "activation": "QuickGELU"}
    c.update(activation="QuickGELU", classes=arguments.classes, subclasses=arguments.subclasses, t_heads=c["t_width"] // HEAD)

    os.makedirs(arguments.out, exist_ok=True)
    torch.set_num_threads(1)  # The order of sums must not depend on the machine's cores.
    generator = torch.Generator().manual_seed(arguments.seed)
    path = os.path.join(arguments.out, "{}_" + arguments.set + "{}.safetensors")
    text = golden.make_weights({**c, "patch": c["image"], "v_width": HEAD, "v_layers": 0}, generator)
    weights = {**make_tower(c, generator), **{name: value for name, value in text.items() if not name.startswith("visual.")}}
    golden.save(path.format("clip", ".weights"), weights, metadata)
    golden.save(path.format("clip", ".activations"), clip_set(c, weights, generator),
                {**metadata, "loss": "cross_entropy(exp(logit_scale)*cos, [0,1,2,3]) + 0.1*mean(logits^2)"})
    golden.save(path.format("cliper_train", ""), train_set(c, weights, generator),
                {**metadata, "K": str(c["classes"]), "M": str(c["subclasses"]), "note": "five steps of stage 2 (AdamW lr 1e-4 "
                 "wd 0.1 eps 1e-4 on visual.*) with the batch's statistics; rows of losses: (fine, margin)"})


if __name__ == "__main__":
    main()
