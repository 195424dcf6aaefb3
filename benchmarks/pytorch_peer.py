#!/usr/bin/env python3
"""PyTorch at the shapes of `cliper-gpu bench --device cuda`, and the table of both.

  pytorch_peer.py --cpu-check [GOLDEN_FOLDER]   computes the golden tensors on the processor: the peer is the same model
  pytorch_peer.py --run OUT.jsonl [--modes eager|compiled] [--dtype fp16|bf16]
      times PyTorch on the GPU, the most important first: a line a row as it is measured; rows that OUT.jsonl has are not timed again
  pytorch_peer.py --join ROWS.jsonl --peer OUT.jsonl --out TABLE.csv --commit TEXT --command TEXT
      joins the rows of `cliper-gpu bench --rows` and these into a table

--cpu-check needs torch 1.13 or later, --run 2.1 or later with CUDA, --join nothing but Python."""

import argparse
import csv
import datetime
import functools
import json
import math
import os
import statistics
import struct
import sys
import time

CLASSES, SUBCLASSES, SLOTS, SLOT_START = 7, 5, 4, 5
TAU = 0.01
NO_DEVICE = 4

# Shapes: those of BenchmarkSizes.Gpu in Cliper.Model/Analysis/BenchmarkSizes.cs; rows are joined by name and shape.
WIDTH, HIDDEN, HEADS, EMBED = 768, 3072, 12, 512
MATMUL_ROWS = (25216, 38400)
ATTENTIONS = ((128, 197, 768, 12, False), (768, 50, 768, 12, False), (35, 77, 512, 8, True))


def read_safetensors(path):
    """Tensors and metadata of a safetensors file."""
    import torch

    types = {"F32": torch.float32, "I64": torch.int64}
    with open(path, "rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = bytearray(file.read())
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        tensors[name] = torch.frombuffer(data[start:end], dtype=types[entry["dtype"]]).reshape(entry["shape"])
    return tensors, metadata


def modules():
    """The model as a PyTorch user would write it; a function, so that --join needs no torch."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    def attend(q, k, v, causal):
        if hasattr(F, "scaled_dot_product_attention"):
            return F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        if causal:
            scores = scores + torch.full(scores.shape[-2:], -math.inf, device=q.device).triu(1)
        return scores.softmax(-1) @ v

    class Attention(nn.Module):
        def __init__(self, width, heads, causal):
            super().__init__()
            self.heads, self.causal = heads, causal
            self.in_proj_weight = nn.Parameter(torch.randn(3 * width, width) * width ** -0.5)
            self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
            self.out_proj = nn.Linear(width, width)

        def forward(self, x):
            n, t, width = x.shape
            qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias).reshape(n, t, 3, self.heads, width // self.heads)
            q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
            return self.out_proj(attend(q, k, v, self.causal).transpose(1, 2).reshape(n, t, width))

    class Block(nn.Module):
        def __init__(self, width, heads, causal):
            super().__init__()
            self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.attn = Attention(width, heads, causal)
            self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})

        def forward(self, x):
            x = x + self.attn(self.ln_1(x))
            hidden = self.mlp["c_fc"](self.ln_2(x))
            return x + self.mlp["c_proj"](hidden * torch.sigmoid(1.702 * hidden))

    class Transformer(nn.Module):
        def __init__(self, width, layers, heads, causal):
            super().__init__()
            self.resblocks = nn.Sequential(*[Block(width, heads, causal) for _ in range(layers)])

        def forward(self, x):
            return self.resblocks(x)

    class Vision(nn.Module):
        def __init__(self, c):
            super().__init__()
            width = c["v_width"]
            self.conv1 = nn.Conv2d(3, width, c["patch"], c["patch"], bias=False)
            self.class_embedding = nn.Parameter(torch.randn(width) * width ** -0.5)
            self.positional_embedding = nn.Parameter(torch.randn((c["image"] // c["patch"]) ** 2 + 1, width) * width ** -0.5)
            self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
            self.transformer = Transformer(width, c["v_layers"], c["v_heads"], False)
            self.proj = nn.Parameter(torch.randn(width, c["embed"]) * width ** -0.5)

        def forward(self, images, frames=1):
            x = self.conv1(images).flatten(2).transpose(1, 2)
            x = torch.cat([self.class_embedding.to(x.dtype).expand(len(x), 1, -1), x], 1) + self.positional_embedding
            x = self.transformer(self.ln_pre(x))
            x = self.ln_post(x[:, 0]) @ self.proj
            return x.reshape(-1, frames, x.shape[-1]).mean(1) if frames > 1 else x

    class Clip(nn.Module):
        """Parameters are called as in OpenAI's files."""

        def __init__(self, c):
            super().__init__()
            width = c["t_width"]
            self.visual = Vision(c)
            self.token_embedding = nn.Embedding(c["vocab"], width)
            self.positional_embedding = nn.Parameter(torch.randn(c["context"], width) * 0.01)
            self.transformer = Transformer(width, c["t_layers"], c["t_heads"], True)
            self.ln_final = nn.LayerNorm(width)
            self.text_projection = nn.Parameter(torch.randn(width, c["embed"]) * width ** -0.5)
            self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

        def text(self, embeddings, ends):
            """Texts given as token embeddings [P, T, W] without positions; the place of each end."""
            x = self.transformer(embeddings + self.positional_embedding[:embeddings.shape[1]])
            return self.ln_final(x)[torch.arange(len(x), device=x.device), ends] @ self.text_projection

    class Cliper(nn.Module):
        """CLIPER on a CLIP: 7 classes of 5 descriptors, the prompt "an ID photo of V1 .. V4." of 11 tokens."""

        def __init__(self, clip, ids, vectors):
            super().__init__()
            self.clip = clip
            self.vectors = nn.Parameter(vectors)
            self.register_buffer("ids", ids)

        def descriptors(self):
            prompt = self.clip.token_embedding(self.ids).expand(len(self.vectors), -1, -1)
            x = torch.cat([prompt[:, :SLOT_START], self.vectors, prompt[:, SLOT_START + SLOTS:]], 1)
            ends = torch.full((len(x),), x.shape[1] - 1, device=x.device)
            return F.normalize(self.clip.text(x, ends).float(), dim=-1)

        def loss(self, images, descriptors, labels, frames=1, train_images=True):
            with torch.set_grad_enabled(train_images and torch.is_grad_enabled()):
                features = self.clip.visual(images, frames)
            # Cosines and losses in fp32.
            with torch.autocast(images.device.type, enabled=False):
                return cliper_loss(F.normalize(features.float(), dim=-1) @ descriptors.T / TAU, labels)

    def cliper_loss(logits, target):
        """Fine-grained and margin loss of logits [B, 35], without a loop over the batch."""
        batch = len(logits)
        index = torch.arange(batch, device=logits.device)
        s = logits.reshape(batch, CLASSES, SUBCLASSES)
        own = s[index, target]
        nearest = own.argmax(1)
        count = torch.zeros(CLASSES, SUBCLASSES, dtype=s.dtype, device=s.device)
        count = count.index_put((target, nearest), torch.ones(batch, dtype=s.dtype, device=s.device), accumulate=True)
        n = torch.where(count == 0, torch.full_like(count, -1 / 99), count)[target]
        alpha = (n.sum(1) * (1 / n).softmax(1)[index, nearest] / n[index, nearest]).detach()
        is_own = F.one_hot(target, CLASSES).bool()
        others = s.masked_fill(is_own[:, :, None], -math.inf).reshape(batch, -1).logsumexp(1)
        near = own[index, nearest]
        fine = (alpha * (torch.logaddexp(others, near) - near)).mean()
        hardest = torch.where(is_own, own.min(1).values[:, None], s.max(2).values)
        return torch.stack([fine, F.cross_entropy(hardest, target)])

    return Clip, Cliper


def cpu_check(folder):
    """The peer's features, logits and ten training steps against the golden tensors."""
    import torch
    import torch.nn.functional as F

    make_clip, make_cliper = modules()
    weights, metadata = read_safetensors(os.path.join(folder, "clip_micro.weights.safetensors"))
    golden, _ = read_safetensors(os.path.join(folder, "clip_micro.activations.safetensors"))
    train, _ = read_safetensors(os.path.join(folder, "cliper_train_micro.safetensors"))
    c = json.loads(metadata["config"])
    c["v_heads"], c["t_heads"] = (int(heads) for heads in metadata["heads"].split(","))
    clip = make_clip(c)
    clip.load_state_dict(weights)
    worst = {}

    def compare(name, actual, expected):
        error = float((actual.detach() - expected).abs().max() / expected.abs().max())
        if not error <= worst.get(name, 0):
            worst[name] = error

    ids = golden["input.token_ids"]
    image = clip.visual(golden["input.pixel_values"])
    text = clip.text(clip.token_embedding(ids), ids.argmax(1))
    compare("image features", image, golden["output.image_features"])
    compare("text features", text, golden["output.text_features"])
    logits = clip.logit_scale.exp() * F.normalize(image) @ F.normalize(text).T
    compare("logits", logits, golden["output.logits_per_image"])
    (F.cross_entropy(logits, torch.arange(3)) + 0.1 * (logits ** 2).mean()).backward()
    for name, parameter in clip.named_parameters():
        compare("gradients", parameter.grad, golden["grad." + name])

    template = train["template_ids"]
    model = make_cliper(clip, template[:int(template.argmax()) + 1], train["metd.init"].clone())
    losses = train["losses"]
    for stage, parameters, rate, decay in [(1, [model.vectors], 0.01, 0), (2, list(clip.visual.parameters()), 1e-4, 0.1)]:
        model.requires_grad_(False)
        for parameter in parameters:
            parameter.requires_grad_()
        optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, eps=1e-4)
        for step in range(5 * (stage - 1), 5 * stage):
            optimizer.zero_grad(set_to_none=True)
            parts = model.loss(train["images"][step], model.descriptors(), train["labels"][step], train_images=stage == 2)
            compare(f"losses of stage {stage}", parts, losses[step])
            parts.sum().backward()
            optimizer.step()
    compare("descriptors", model.vectors, train["metd.final"])
    for name, parameter in clip.named_parameters():
        if name.startswith("visual."):
            compare("image tower", parameter, train["final." + name])
    # Sums in another order alone: fp32's 6e-8 over some hundred operations; the descriptors' tiny gradients are the least certain.
    failed = [name for name, error in worst.items() if not error < 1e-3]
    for name, error in worst.items():
        print(f"{name}: largest difference {error:.1e} of the largest value{' TOO LARGE' if name in failed else ''}")
    return 1 if failed else 0


class Timer:
    """Median milliseconds of a call: many calls for each synchronization, as the program times its own."""

    SECONDS = 0.4

    def __call__(self, call, warm=3):
        import torch

        for _ in range(warm):
            call()
        torch.cuda.synchronize()
        began = time.perf_counter()
        call()
        torch.cuda.synchronize()
        once = time.perf_counter() - began
        calls = max(1, min(1000, int(0.02 / once)))
        samples, began = [], time.perf_counter()
        while len(samples) < 5 or time.perf_counter() - began < self.SECONDS:
            start = time.perf_counter()
            for _ in range(calls):
                call()
            torch.cuda.synchronize()
            samples.append((time.perf_counter() - start) / calls)
        return 1e3 * statistics.median(samples)


def random_tensor(*shape, dtype):
    """Uniform in [-1, 1)."""
    import torch

    return torch.rand(*shape, device="cuda", dtype=torch.float32).mul_(2).sub_(1).to(dtype)


def products(dtype):
    """(name, shape, mode, call): mode is eager or compile; dtype is fp16 or bf16. So are the other functions down to steps."""
    import torch
    import torch.nn.functional as F

    rand = functools.partial(random_tensor, dtype=torch_type(dtype))

    for rows in MATMUL_ROWS:
        for inner, columns in ((WIDTH, WIDTH), (WIDTH, 3 * WIDTH), (WIDTH, HIDDEN), (HIDDEN, WIDTH)):
            x, w, b, dy = rand(rows, inner), rand(columns, inner), rand(columns), rand(rows, columns)
            shape = f"{rows}x{inner}x{columns}"
            yield "matmul NT, bias", shape, "eager", lambda: F.linear(x, w, b)
            yield "matmul NN, gradient by the input", shape, "eager", lambda: dy @ w
            yield "matmul TN, gradient by the weight", shape, "eager", lambda: dy.T @ x
            del x, w, b, dy
        x, w, b = rand(rows, WIDTH), rand(HIDDEN, WIDTH), rand(HIDDEN)

        def activated():
            hidden = F.linear(x, w, b)
            return hidden * torch.sigmoid(1.702 * hidden)

        yield "matmul NT, bias, QuickGELU", f"{rows}x{WIDTH}x{HIDDEN}", "eager", activated
        yield "matmul NT, bias, QuickGELU", f"{rows}x{WIDTH}x{HIDDEN}", "compile", torch.compile(activated)


def attentions(dtype):
    import torch
    import torch.nn.functional as F

    rand = functools.partial(random_tensor, dtype=torch_type(dtype))

    for samples, tokens, width, heads, causal in ATTENTIONS:
        qkv = rand(samples, tokens, 3, heads, width // heads).requires_grad_()
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        dy = rand(*y.shape)
        shape = f"{samples}x{tokens}x{width}, {heads} heads{', causal' if causal else ''}"
        yield "attention forward", shape, "eager", torch.no_grad()(lambda: F.scaled_dot_product_attention(q, k, v, is_causal=causal))
        # By q, k and v: what puts the three into one array is left out.
        yield "attention backward", shape, "eager", lambda: torch.autograd.grad(y, (q, k, v), dy, retain_graph=True)


def norms(dtype):
    import torch
    import torch.nn.functional as F

    rand = functools.partial(random_tensor, dtype=torch_type(dtype))

    for rows in MATMUL_ROWS:
        x, dy = rand(rows, WIDTH).requires_grad_(), rand(rows, WIDTH)
        gamma, beta = rand(WIDTH).requires_grad_(), rand(WIDTH).requires_grad_()
        y = F.layer_norm(x, (WIDTH,), gamma, beta)
        shape = f"{rows}x{WIDTH}"
        yield "layer norm forward", shape, "eager", torch.no_grad()(lambda: F.layer_norm(x, (WIDTH,), gamma, beta))
        yield "layer norm backward", shape, "eager", lambda: torch.autograd.grad(y, (x, gamma, beta), dy, retain_graph=True)
        yield "column sum", shape, "eager", lambda: dy.sum(0)


def elements(dtype):
    import torch

    rand = functools.partial(random_tensor, dtype=torch_type(dtype))

    rows = MATMUL_ROWS[0]
    a, b, c = rand(rows, HIDDEN), rand(rows, HIDDEN), torch.empty(rows, HIDDEN, device="cuda", dtype=torch_type(dtype))
    wide = random_tensor(rows, HIDDEN, dtype=torch.float32)
    shape = f"{rows}x{HIDDEN}"

    def gelu():
        return a * torch.sigmoid(1.702 * a)

    def derivative():
        s = torch.sigmoid(1.702 * a)
        return b * (s + 1.702 * a * s * (1 - s))

    yield "QuickGELU forward", shape, "eager", gelu
    yield "QuickGELU forward", shape, "compile", torch.compile(gelu)
    yield "QuickGELU backward", shape, "eager", derivative
    yield "QuickGELU backward", shape, "compile", torch.compile(derivative)
    yield "add", shape, "eager", lambda: torch.add(a, b, out=c)
    yield f"cast fp32 to {dtype}", shape, "eager", lambda: c.copy_(wide)


def optimizers(dtype):
    import torch

    clip = modules()[0](vit(16)).cuda()
    parameters = list(clip.visual.parameters())
    for parameter in parameters:
        parameter.grad = random_tensor(*parameter.shape, dtype=torch.float32)
    optimizer = torch.optim.AdamW(parameters, lr=1e-6, weight_decay=0.1, eps=1e-4, fused=True)
    shape = f"{sum(parameter.numel() for parameter in parameters)} of {len(parameters)} tensors"
    yield "AdamW", shape, "eager", optimizer.step
    yield "gradient norm", shape, "eager", lambda: torch.nn.utils.clip_grad_norm_(parameters, math.inf)


def vit(patch):
    """OpenAI's ViT-B of that patch size."""
    return {"image": 224, "patch": patch, "v_width": 768, "v_layers": 12, "v_heads": 12, "t_width": 512, "t_layers": 12,
            "t_heads": 8, "vocab": 49408, "context": 77, "embed": 512}


def torch_type(dtype):
    """PyTorch's type of that name."""
    import torch

    return {"fp16": torch.float16, "bf16": torch.bfloat16}[dtype]


def steps(dtype, patch, samples, frames, modes, known):
    """One step of each stage: autocast, GradScaler with fp16, fused AdamW. As products, and calls to warm up with. A model
    whose row is known is not made."""
    import torch

    stored = torch_type(dtype)

    make_clip, make_cliper = modules()
    ids = torch.tensor([49406, 550, 1032, 1125, 539, 1, 1, 1, 1, 269, 49407])
    images = torch.randn(samples * frames, 3, 224, 224, device="cuda")
    labels = (torch.arange(samples) % CLASSES).cuda()
    shape = f"batch {samples}" + (f" of {frames} frames" if frames > 1 else "")
    for stage in (1, 2):
        for mode in modes:
            name = f"stage {stage} step ViT-B/{patch}"
            if (name, shape, mode, dtype) in known:
                continue
            torch.manual_seed(1)
            model = make_cliper(make_clip(vit(patch)), ids, torch.randn(CLASSES * SUBCLASSES, SLOTS, 512) / 1000).cuda()
            trained = [model.vectors] if stage == 1 else list(model.clip.visual.parameters())
            model.requires_grad_(False)
            for parameter in trained:
                parameter.requires_grad_()
            rate, decay = (0.01, 0) if stage == 1 else (5e-6, 0.1)
            optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=decay, eps=1e-4, fused=True)
            scaler = (torch.amp if hasattr(torch.amp, "GradScaler") else torch.cuda.amp).GradScaler(enabled=dtype == "fp16")
            with torch.no_grad(), torch.autocast("cuda", stored):
                fixed = model.descriptors()

            def loss():
                with torch.autocast("cuda", stored):
                    descriptors = model.descriptors() if stage == 1 else fixed
                    return model.loss(images, descriptors, labels, frames, train_images=stage == 2).sum()

            run = torch.compile(loss) if mode == "compile" else loss

            def step():
                optimizer.zero_grad(set_to_none=True)
                scaler.scale(run()).backward()
                scaler.step(optimizer)
                scaler.update()

            yield name, shape, mode, step, 5
            del model, optimizer, scaler, trained, fixed
            torch.cuda.empty_cache()


def run(path, modes, dtype):
    try:
        import torch
    except ImportError:
        print("pytorch_peer.py: no PyTorch for this Python: the table has no peer", file=sys.stderr)
        return NO_DEVICE
    if not torch.cuda.is_available():
        print("pytorch_peer.py: PyTorch finds no usable CUDA device", file=sys.stderr)
        return NO_DEVICE
    torch.set_float32_matmul_precision("high")
    about = {"torch": torch.__version__, "cuda": torch.version.cuda, "device": torch.cuda.get_device_name()}
    earlier = read_rows(path)
    known = {key(row) for found, row in earlier if found == about}
    timer = Timer()
    failed = False
    step = functools.partial(steps, modes=modes, known=known)
    sources = (products, attentions, norms, optimizers, functools.partial(step, patch=16, samples=128, frames=1), elements,
               functools.partial(step, patch=32, samples=48, frames=16))
    # A row is written at once, for a run may be cut off at any time; so may its last line have been.
    with open(path, "a") as file:
        if file.tell() and not ends_a_line(path):
            print(file=file)
        if not earlier or earlier[-1][0] != about:
            print(json.dumps(about), file=file, flush=True)
        for source in sources:
            for name, shape, mode, call, *options in source(dtype):
                row = {"name": name, "shape": shape, "mode": mode, "dtype": dtype}
                if mode not in modes or key(row) in known:
                    continue
                row["ms"] = attempt(f"{name} {shape} {mode}", timer, call, *options)
                if row["ms"] is None:
                    failed = True
                    continue
                print(f"PyTorch {mode}: {name} {shape}: {row['ms']:.3f} ms", file=sys.stderr, flush=True)
                print(json.dumps(row), file=file, flush=True)
    return 1 if failed else 0


def ends_a_line(path):
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


def key(row):
    return row["name"], row["shape"], row["mode"], row["dtype"]


def read_rows(path):
    """Each row, and before it the line about the machine that it stands below. A line that was cut off counts for nothing."""
    about, rows = None, []
    if os.path.exists(path):
        with open(path) as file:
            for line in file:
                try:
                    read = json.loads(line)
                except json.JSONDecodeError:
                    continue
                if "ms" in read:
                    rows.append((about, read))
                else:
                    about = read
    return rows


def attempt(what, timer, call, *options):
    """Milliseconds, or None: a compiler that fails leaves its row empty, not the table."""
    try:
        return timer(call, *options)
    except Exception as failure:
        print(f"PyTorch {what}: {type(failure).__name__}: {str(failure)[:300]}", file=sys.stderr)
        return None


def join(ours_path, peer_path, out, commit, driver, command):
    """One CSV of both: a row each of ours, with the peer's time of the same name, shape and precision where it has one."""
    peer = read_rows(peer_path)
    # PyTorch's last version and card; what was timed of others is not mixed with it.
    about_peer = peer[-1][0] if peer else None
    theirs = {key(row): row["ms"] for about, row in peer if about == about_peer}
    lines = [f"# date {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d} UTC; {driver}; commit {commit}; {command}"]
    rows, known = [], set()
    for about, row in read_rows(ours_path):
        dtype = about["precision"]
        floors = (f"# {about['device']}: measured floors {about['peakGflops'] / 1e3:.1f} TFLOP/s "
                  f"({about['peakOf']} alone), {about['bandwidthGBs']:.0f} GB/s (copy)")
        if floors not in lines:
            lines.append(floors)
        known.add((row["name"], row["shape"], dtype))
        times = [theirs.get((row["name"], row["shape"], mode, dtype)) for mode in ("eager", "compile")]
        rows.append([row["name"], row["shape"], dtype, f"{row['ms']:.4f}", f"{row['ms'] * row['ratio']:.4f}",
                     cell(row.get("gflops"), ".0f"), cell(row.get("gbPerSecond"), ".1f"), cell(row["ratio"], ".3f"),
                     *(cell(ms, ".4f") for ms in times), *(cell(ms and ms / row["ms"], ".3f") for ms in times)])
    lines.append("# peer: PyTorch {torch}, CUDA {cuda}, {device}".format(**about_peer) if about_peer else "# peer: none")
    with open(out, "w", newline="") as file:
        file.write("\n".join(lines) + "\n")
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["name", "shape", "precision", "ours_ms", "floor_ms", "gflops", "gb_per_s", "share_of_floor",
                        "eager_ms", "compile_ms", "eager_over_ours", "compile_over_ours"])
        table.writerows(rows)
    alone = [f"{name} {shape} {dtype}" for name, shape, _, dtype in theirs if (name, shape, dtype) not in known]
    if alone:
        print(f"pytorch_peer.py: {len(alone)} rows of PyTorch have none of ours beside them, such as {alone[0]}",
              file=sys.stderr)
    return 0


def cell(value, form):
    return "" if value is None else format(value, form)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mode = parser.add_mutually_exclusive_group(required=True)
    here = os.path.dirname(os.path.abspath(__file__))
    mode.add_argument("--cpu-check", nargs="?", const=os.path.join(here, "..", "tests", "golden"), metavar="GOLDEN_FOLDER")
    mode.add_argument("--run", metavar="OUT.jsonl")
    mode.add_argument("--join", metavar="ROWS.jsonl")
    parser.add_argument("--modes", choices=("eager", "compiled"), default="eager", help="with --run: as it is, or under torch.compile")
    parser.add_argument("--dtype", choices=("fp16", "bf16"), default="fp16", help="how activations are stored")
    parser.add_argument("--peer", default="", metavar="OUT.jsonl", help="with --join: PyTorch's rows")
    parser.add_argument("--out")
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--driver", default="driver unknown", help="the card and its driver")
    parser.add_argument("--command", default="")
    arguments = parser.parse_args()
    if arguments.cpu_check:
        return cpu_check(arguments.cpu_check)
    if arguments.run:
        return run(arguments.run, ("compile",) if arguments.modes == "compiled" else ("eager",), arguments.dtype)
    if not arguments.out:
        parser.error("--join needs --out")
    return join(arguments.join, arguments.peer, arguments.out, arguments.commit, arguments.driver, arguments.command)


if __name__ == "__main__":
    sys.exit(main())
