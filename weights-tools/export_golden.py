#!/usr/bin/env python3
"""Makes golden tensors with PyTorch for the tests: a small CLIP of any shape with its activations and gradients, CLIPER's losses,
and ten training steps. See README.md. Needs torch (1.13 or later) and numpy; safetensors files are written by hand."""

import argparse
import json
import math
import os
import struct

import torch
import torch.nn.functional as F

CLASSES, SLOT_START = 7, 5  # of a set that does not tell; of the first learned token
BATCH, STAGE1_STEPS, STAGE2_STEPS = 12, 5, 5
TAU = 0.01
ACTIVATIONS = {"QuickGELU": lambda x: x * torch.sigmoid(1.702 * x), "GELU": F.gelu}
DTYPES = {torch.float32: "F32", torch.int64: "I64", torch.uint8: "U8"}


def save(path, tensors, metadata):
    """A safetensors file: header length, JSON header padded with spaces, the tensors' bytes."""
    header, blobs, at = {"__metadata__": metadata}, [], 0
    for name, tensor in tensors.items():
        blob = tensor.detach().contiguous().numpy().tobytes()
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, at + len(blob)]}
        at += len(blob)
        blobs.append(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    print(f"{path}: {len(tensors)} tensors, {at} bytes")


def make_weights(c, generator):
    """All tensors in OpenAI's naming. Larger than a model's first values, and biases not zero, so that every term counts."""
    def normal(*shape, std):
        return torch.randn(*shape, generator=generator) * std

    weights = {}

    def norm(name, width):
        weights[name + ".weight"] = 1 + normal(width, std=0.1)
        weights[name + ".bias"] = normal(width, std=0.1)

    def blocks(prefix, layers, width):
        for layer in range(layers):
            block = f"{prefix}transformer.resblocks.{layer}."
            norm(block + "ln_1", width)
            weights[block + "attn.in_proj_weight"] = normal(3 * width, width, std=1.5 / math.sqrt(width))
            weights[block + "attn.in_proj_bias"] = normal(3 * width, std=0.1)
            weights[block + "attn.out_proj.weight"] = normal(width, width, std=1 / math.sqrt(width))
            weights[block + "attn.out_proj.bias"] = normal(width, std=0.1)
            norm(block + "ln_2", width)
            weights[block + "mlp.c_fc.weight"] = normal(4 * width, width, std=1 / math.sqrt(width))
            weights[block + "mlp.c_fc.bias"] = normal(4 * width, std=0.1)
            weights[block + "mlp.c_proj.weight"] = normal(width, 4 * width, std=0.5 / math.sqrt(width))
            weights[block + "mlp.c_proj.bias"] = normal(width, std=0.1)

    patches = (c["image"] // c["patch"]) ** 2
    weights["visual.class_embedding"] = normal(c["v_width"], std=0.5)
    weights["visual.positional_embedding"] = normal(patches + 1, c["v_width"], std=0.3)
    weights["visual.proj"] = normal(c["v_width"], c["embed"], std=1 / math.sqrt(c["v_width"]))
    weights["visual.conv1.weight"] = normal(c["v_width"], 3, c["patch"], c["patch"], std=1 / math.sqrt(3 * c["patch"] ** 2))
    norm("visual.ln_pre", c["v_width"])
    blocks("visual.", c["v_layers"], c["v_width"])
    norm("visual.ln_post", c["v_width"])
    weights["token_embedding.weight"] = normal(c["vocab"], c["t_width"], std=0.5)
    weights["positional_embedding"] = normal(c["context"], c["t_width"], std=0.2)
    blocks("", c["t_layers"], c["t_width"])
    norm("ln_final", c["t_width"])
    weights["text_projection"] = normal(c["t_width"], c["embed"], std=1 / math.sqrt(c["t_width"]))
    weights["logit_scale"] = torch.tensor(math.log(1 / 0.07))
    return weights


def layer_norm(w, name, x):
    return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"], 1e-5)


def block(w, c, name, x, heads, causal):
    """A pre-norm transformer block, x [N, T, W]."""
    n, t, width = x.shape
    qkv = layer_norm(w, name + "ln_1", x) @ w[name + "attn.in_proj_weight"].T + w[name + "attn.in_proj_bias"]
    q, k, v = (part.reshape(n, t, heads, -1).transpose(1, 2) for part in qkv.split(width, -1))
    scores = q @ k.transpose(-1, -2) / math.sqrt(width // heads)
    if causal:
        scores = scores + torch.full((t, t), -math.inf).triu(1)
    attended = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, width)
    x = x + attended @ w[name + "attn.out_proj.weight"].T + w[name + "attn.out_proj.bias"]
    hidden = layer_norm(w, name + "ln_2", x) @ w[name + "mlp.c_fc.weight"].T + w[name + "mlp.c_fc.bias"]
    hidden = ACTIVATIONS[c["activation"]](hidden)
    return x + hidden @ w[name + "mlp.c_proj.weight"].T + w[name + "mlp.c_proj.bias"]


def encode_image(w, c, images, see=lambda name, value: None):
    x = F.conv2d(images, w["visual.conv1.weight"], stride=c["patch"]).flatten(2).transpose(1, 2)
    see("patch_embed", x)
    x = torch.cat([w["visual.class_embedding"].expand(len(x), 1, -1), x], 1) + w["visual.positional_embedding"]
    x = layer_norm(w, "visual.ln_pre", x)
    see("ln_pre", x)
    for layer in range(c["v_layers"]):
        x = block(w, c, f"visual.transformer.resblocks.{layer}.", x, c["v_heads"], False)
        see(f"block.{layer}", x)
    x = layer_norm(w, "visual.ln_post", x[:, 0])
    see("ln_post", x)
    return x @ w["visual.proj"]


def encode_embeddings(w, c, x, ends, see=lambda name, value: None):
    """Texts given as token embeddings [P, T, W] without positions."""
    x = x + w["positional_embedding"][:x.shape[1]]
    for layer in range(c["t_layers"]):
        x = block(w, c, f"transformer.resblocks.{layer}.", x, c["t_heads"], True)
        see(f"block.{layer}", x)
    x = layer_norm(w, "ln_final", x)
    see("ln_final", x)
    return x[torch.arange(len(x)), ends] @ w["text_projection"]


def cliper_loss(logits, target, classes, subclasses):
    """Modulating factor, nearest subclass, counts, fine-grained loss, margin loss of logits [B, K * M]."""
    batch = len(logits)
    s = logits.reshape(batch, classes, subclasses)
    own = s[torch.arange(batch), target]
    nearest = own.argmax(1)
    count = torch.zeros(classes, subclasses, dtype=s.dtype)
    count.index_put_((target, nearest), torch.ones(batch, dtype=s.dtype), accumulate=True)
    n = torch.where(count == 0, torch.full_like(count, -1 / 99), count)[target]
    index = torch.arange(batch)
    alpha = n.sum(1) * (1 / n).softmax(1)[index, nearest] / n[index, nearest]
    rows = []
    for b in range(batch):
        others = torch.cat([s[b, :target[b]], s[b, target[b] + 1:]]).flatten()
        fine = torch.cat([own[b, nearest[b]][None], others])
        rows.append(fine.logsumexp(0) - fine[0])
    fine = (alpha.detach() * torch.stack(rows)).mean()
    hardest = s.max(2).values.scatter(1, target[:, None], own.min(1).values[:, None])
    margin = F.cross_entropy(hardest, target)
    return alpha, nearest, count, fine, margin


def text_rows(c, generator):
    """Texts of several lengths, one that fills the context: start, words, end, zeros."""
    ids = torch.zeros(4, c["context"], dtype=torch.int64)
    for row, words in enumerate([3, 8, min(19, c["context"] - 2), c["context"] - 2]):
        ids[row, 0] = c["vocab"] - 2
        ids[row, 1:words + 1] = torch.randint(1, c["vocab"] - 2, (words,), generator=generator)
        ids[row, words + 1] = c["vocab"] - 1
    return ids


def clip_set(c, weights, generator):
    w = {name: value.clone().requires_grad_() for name, value in weights.items()}
    images = torch.randn(3, 3, c["image"], c["image"], generator=generator)
    ids = text_rows(c, generator)
    tensors = {"input.pixel_values": images, "input.token_ids": ids}
    image = encode_image(w, c, images, lambda name, value: tensors.update({"act.image." + name: value}))
    text = encode_embeddings(w, c, w["token_embedding.weight"][ids], ids.argmax(1),
                             lambda name, value: tensors.update({"act.text." + name: value}))
    logits = w["logit_scale"].exp() * F.normalize(image) @ F.normalize(text).T
    loss = F.cross_entropy(logits, torch.arange(3)) + 0.1 * (logits ** 2).mean()
    loss.backward()
    tensors.update({"output.image_features": image, "output.text_features": text, "output.logits_per_image": logits,
                    "output.loss": loss[None]})
    tensors.update({"grad." + name: value.grad for name, value in w.items()})
    return tensors


def loss_set(generator):
    tensors = {}
    for case, (batch, classes, subclasses) in enumerate([(16, 7, 5), (1, 7, 5), (24, 8, 10), (12, 7, 1), (64, 3, 2)]):
        cosine = (torch.rand(batch, classes * subclasses, generator=generator) * 0.2 + 0.1).requires_grad_()
        target = torch.randint(classes, (batch,), generator=generator)
        alpha, nearest, count, fine, margin = cliper_loss(cosine / TAU, target, classes, subclasses)
        (fine + margin).backward()
        values = {"cosine": cosine, "target": target, "shape": torch.tensor([batch, classes, subclasses]), "alpha": alpha,
                  "nearest": nearest, "count": count, "fine": fine[None], "margin": margin[None],
                  "mean_logits": (cosine / TAU).reshape(batch, classes, subclasses).mean(2), "grad_cosine": cosine.grad}
        tensors.update({f"{case}.{name}": value for name, value in values.items()})
    return tensors


def train_inputs(c, generator):
    steps = STAGE1_STEPS + STAGE2_STEPS
    metd = torch.randn(c["classes"] * c["subclasses"], c["tokens"], c["t_width"], generator=generator) / 1000
    images = torch.randn(steps, BATCH, 3, c["image"], c["image"], generator=generator)
    labels = torch.randint(c["classes"], (steps, BATCH), generator=generator)
    words = [c["vocab"] - 2, 11, 12, 13, 14, *[20] * c["tokens"], 9, c["vocab"] - 1]
    ids = torch.tensor(words + [0] * (c["context"] - len(words)))
    return {"metd.init": metd, "images": images, "labels": labels, "template_ids": ids,
            "stage1.lr": torch.tensor([0.01]), "stage2.lr": torch.tensor([1e-4])}


def train(c, weights, inputs):
    """Five steps of each stage, of the dtype of the weights."""
    w = {name: value.clone() for name, value in weights.items()}
    metd, ids = inputs["metd.init"].clone(), inputs["template_ids"]
    end = int(ids.argmax())
    losses = []

    def step(optimizer):
        number = len(losses)
        x = w["token_embedding.weight"][ids].expand(len(metd), -1, -1).clone()
        x[:, SLOT_START:SLOT_START + c["tokens"]] = metd
        text = F.normalize(encode_embeddings(w, c, x, torch.full((len(metd),), end)))
        image = F.normalize(encode_image(w, c, inputs["images"][number]))
        *_, fine, margin = cliper_loss(image @ text.T / TAU, inputs["labels"][number], c["classes"], c["subclasses"])
        optimizer.zero_grad()
        (fine + margin).backward()
        optimizer.step()
        losses.append(torch.stack([fine, margin]).detach())

    metd.requires_grad_()
    optimizer = torch.optim.AdamW([metd], lr=float(inputs["stage1.lr"]), weight_decay=0, eps=1e-4)
    for _ in range(STAGE1_STEPS):
        step(optimizer)
    metd.requires_grad_(False)
    visual = {name: value.requires_grad_() for name, value in w.items() if name.startswith("visual.")}
    optimizer = torch.optim.AdamW(visual.values(), lr=float(inputs["stage2.lr"]), weight_decay=0.1, eps=1e-4)
    for _ in range(STAGE2_STEPS):
        step(optimizer)
    return {"metd.final": metd, "losses": torch.stack(losses), **{"final." + name: value for name, value in visual.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="folder for the files")
    parser.add_argument("--set", required=True, help="name of the set, as in clip_NAME.weights.safetensors")
    parser.add_argument("--seed", type=int, default=1)
    for name, default in [("image", 32), ("patch", 8), ("v-width", 128), ("v-layers", 3), ("vocab", 512), ("t-width", 128),
                          ("t-layers", 3), ("embed", 64), ("context", 77)]:
        parser.add_argument("--" + name, type=int, default=default)
    for tower in "vt":
        parser.add_argument(f"--{tower}-heads", type=int, help="default: width / 64")
    for name, symbol, default in [("classes", "K", CLASSES), ("subclasses", "M", 5), ("tokens", "L", 4)]:
        parser.add_argument("--" + name, type=int, default=default, help=f"{symbol} of the training steps; default: {default}")
    parser.add_argument("--activation", choices=ACTIVATIONS, default="QuickGELU", help="of the blocks' MLPs, in both towers")
    arguments = parser.parse_args()
    c = {name: getattr(arguments, name) for name in
         ["image", "patch", "v_width", "v_layers", "vocab", "t_width", "t_layers", "embed", "context"]}
    heads = "width/64"
    metadata = {"config": json.dumps(c), "seed": str(arguments.seed), "made_with": f"PyTorch {torch.__version__} fp32 CPU"}
    c.update(activation=arguments.activation, classes=arguments.classes, subclasses=arguments.subclasses, tokens=arguments.tokens)
    c["v_heads"] = arguments.v_heads or c["v_width"] // 64
    c["t_heads"] = arguments.t_heads or c["t_width"] // 64
    if arguments.v_heads or arguments.t_heads:
        heads = f"{c['v_heads']},{c['t_heads']}"
    if c["image"] % c["patch"] or c["v_heads"] < 1 or c["t_heads"] < 1 or c["v_width"] % c["v_heads"] or c["t_width"] % c["t_heads"]:
        parser.error("patches must fill the image, and the heads (width / 64 unless given) the width")
    if c["vocab"] < 24 or c["context"] < 7 + c["tokens"]:
        parser.error(f"the prompt needs a vocabulary of 24 tokens and a context of {7 + c['tokens']}")
    if c["classes"] < 2 or c["subclasses"] < 1 or c["tokens"] < 1:
        parser.error("there are at least two classes, a descriptor a class and a token a descriptor")
    metadata.update(heads=heads, activation=c["activation"])

    os.makedirs(arguments.out, exist_ok=True)
    torch.set_num_threads(1)  # The order of sums must not depend on the machine's cores.
    generator = torch.Generator().manual_seed(arguments.seed)
    path = os.path.join(arguments.out, "{}_" + arguments.set + "{}.safetensors")
    weights = make_weights(c, generator)
    save(path.format("clip", ".weights"), weights, metadata)
    save(path.format("clip", ".activations"), clip_set(c, weights, generator),
         {**metadata, "loss": "cross_entropy(exp(logit_scale)*cos, [0,1,2]) + 0.1*mean(logits^2)"})
    inputs = train_inputs(c, generator)
    number_of_classes = {} if c["classes"] == CLASSES else {"classes": str(c["classes"])}
    save(path.format("cliper_train", ""), {**inputs, **train(c, weights, inputs)},
         {**metadata, **number_of_classes, "note": "rows of losses: (fine, margin) per step; steps 0-4 stage 1 (AdamW lr 0.01 wd 0 eps 1e-4 on metd), "
          "5-9 stage 2 (AdamW lr 1e-4 wd 0.1 eps 1e-4 on visual.*); no schedule"})
    save(path.format("cliper_loss", ""), loss_set(generator),
         {"seed": str(arguments.seed), "tau": str(TAU), "rule": "zero counts count as -1/99; "
          "alpha = sum(n_k) * softmax(1/n_k)[j] / n_kj, no gradient through alpha"})


if __name__ == "__main__":
    main()
