#!/usr/bin/env python3
"""Makes preprocess.safetensors for the tests with Pillow: resizes of the shorter side, CLIP's preprocessing, and the augmentation operators
as torchvision does them on Pillow pictures. See README.md. Needs torch, numpy and Pillow."""

import argparse

import numpy as np
import torch
from PIL import Image, ImageEnhance

from export_golden import save

MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def noise(generator, height, width):
    """A smooth gradient under noise, and black and white squares: edges overshoot in a bicubic resize."""
    rows, columns = np.mgrid[:height, :width]
    base = np.stack([255 * rows / height, 255 * columns / width, 128 + 0 * rows], -1)
    pixels = np.clip(base + generator.normal(0, 40, (height, width, 3)), 0, 255).astype(np.uint8)
    pixels[height // 4:height // 2, width // 4:width // 2] = 255
    pixels[height // 2:3 * height // 4, width // 2:3 * width // 4] = 0
    return Image.fromarray(pixels)


def tensor(picture):
    return torch.from_numpy(np.array(picture))


def resize(picture, size):
    """torchvision's Resize: the shorter side becomes size, the longer is rounded down."""
    width, height = picture.size
    if width <= height:
        return picture.resize((size, int(size * height / width)), Image.BICUBIC)
    return picture.resize((int(size * width / height), size), Image.BICUBIC)


def clip(picture, size):
    picture = resize(picture, size)
    width, height = picture.size
    left, top = round((width - size) / 2), round((height - size) / 2)
    pixels = tensor(picture.crop((left, top, left + size, top + size))).permute(2, 0, 1).float() / 255
    return (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def turn_hue(picture, factor):
    h, s, v = picture.convert("HSV").split()
    turned = (np.array(h).astype(np.int64) + int(factor * 255)) % 256
    return Image.merge("HSV", (Image.fromarray(turned.astype(np.uint8), "L"), s, v)).convert("RGB")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="the file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=224, help="of the network's input")
    arguments = parser.parse_args()
    generator, size, tensors = np.random.default_rng(arguments.seed), arguments.size, {}
    for name, height, width in [("landscape", 41, 57), ("portrait", 67, 31), ("small", 9, 12), ("square", size, size), ("thin", 7, 53)]:
        picture = noise(generator, height, width)
        tensors.update({f"{name}.rgb": tensor(picture), f"{name}.resize{size}": tensor(resize(picture, size)),
                        f"{name}.clip": clip(picture, size)})
    source = noise(generator, 45, 38)
    i, j, h, w = 5, 3, 29, 33
    crop = source.crop((j, i, j + w, i + h))
    tensors.update({"aug.source": tensor(source), "aug.crop_box_ijhw": torch.tensor([i, j, h, w]),
                    "aug.resized_crop_bicubic": tensor(crop.resize((size, size), Image.BICUBIC)),
                    "aug.resized_crop_bilinear": tensor(crop.resize((size, size), Image.BILINEAR)),
                    "aug.hflip": tensor(source.transpose(Image.FLIP_LEFT_RIGHT))})
    for name, enhance in [("brightness", ImageEnhance.Brightness), ("contrast", ImageEnhance.Contrast), ("saturation", ImageEnhance.Color)]:
        for factor in [0.0, 0.6, 1.4, 3.0]:
            tensors[f"aug.{name}.{factor}"] = tensor(enhance(source).enhance(factor))
    for factor in [-0.5, -0.3, 0.1, 0.3, 0.5]:
        tensors[f"aug.hue.{factor}"] = tensor(turn_hue(source, factor))
    save(arguments.out, tensors, {"seed": str(arguments.seed), "made_with": f"Pillow {Image.__version__}",
                                  "note": f"*.clip = shorter side to {size} (bicubic, antialiased), center crop, /255, CLIP mean and std"})


if __name__ == "__main__":
    main()
