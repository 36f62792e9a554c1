"""Scenes to detect and to segment in: a few handwritten digits each, on pieces of photographs."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from utils.data.cache import cached, package_file
from utils.data.digits import TEST_PHOTOS, mnist
from utils.data.photographs import PHOTOS, photos

SCENE_SIZE, SCENE_DIGITS = 64, 4  # pixels a side, and digits at most
INK = 85  # from a third of full ink on, a pixel belongs to a digit
SCENE_COUNTS = {"train": 4_000, "test": 1_000}


class Scenes(NamedTuple):
    """One part of `digit_scenes`; all share their first dimension n, the number of scenes."""

    images: Tensor  # (n, 3, 64, 64) uint8 RGB
    boxes: Tensor  # (n, 4, 4) float32 corners x1, y1, x2, y2 in pixels; zeros where there is no digit
    labels: Tensor  # (n, 4) int64: the digit, -1 where there is none
    masks: Tensor  # (n, 64, 64) uint8: 0 for the photograph, 1 + digit for its ink
    instances: Tensor  # (n, 64, 64) uint8: 0 for the photograph, else 1 + place of the digit in `labels`


def _below(limit: int, generator: torch.Generator) -> int:
    return int(torch.randint(limit, (), generator=generator))


def _glyph(digit: np.ndarray, tile: int) -> np.ndarray:
    """The digit (28, 28) resized to (tile, tile), without its margin of less ink than `INK`."""
    ink = np.asarray(Image.fromarray(digit).resize((tile, tile), Image.Resampling.BILINEAR))
    rows, columns = (ink >= INK).any(1).nonzero()[0], (ink >= INK).any(0).nonzero()[0]
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else ink[:0, :0]


def _background(picture: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """(64, 64, 3): a random square of 64 to 192 pixels, shrunk."""
    side = SCENE_SIZE + _below(2 * SCENE_SIZE + 1, generator)
    top, left = (_below(length - side + 1, generator) for length in picture.shape[:2])
    crop = Image.fromarray(picture[top : top + side, left : left + side])
    return np.asarray(crop.resize((SCENE_SIZE, SCENE_SIZE), Image.Resampling.BILINEAR))


def _colour(under: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """A random colour whose brightness differs by 70 or more of 255 from what lies under the digit."""
    brightness = np.array([299, 587, 114])  # of red, green and blue, in thousandths
    behind = int(under.reshape(-1, 3).sum(0) @ brightness) // (under.size // 3)
    while True:
        colour = torch.randint(256, (3,), generator=generator).numpy()
        if abs(int(colour @ brightness) - behind) >= 70_000:
            return colour


def _scene(
    picture: np.ndarray, digits: list[tuple[np.ndarray, int]], generator: torch.Generator
) -> tuple[np.ndarray, ...]:
    """One scene: image, boxes, labels, masks, instances. A digit that finds no place is left out."""
    size = SCENE_SIZE
    image = _background(picture, generator).astype(np.int64)
    strongest = np.zeros((size, size), np.int64)  # ink of the digit to which the pixel belongs
    instances, masks = np.zeros((2, size, size), np.uint8)
    labels, taken = np.full(SCENE_DIGITS, -1), []
    for digit, label in digits:
        glyph = _glyph(digit, 20 + _below(25, generator)).astype(np.int64)  # 14 to 32 pixels high as a rule
        h, w = glyph.shape
        for _ in range(20):
            y, x = _below(size - h + 1, generator), _below(size - w + 1, generator)
            common = [
                max(0, min(x + w, x2) - max(x, x1)) * max(0, min(y + h, y2) - max(y, y1))
                / max(1, min(h * w, (x2 - x1) * (y2 - y1)))
                for x1, y1, x2, y2 in taken
            ]  # fmt: skip
            if h * w and max(common, default=0) <= 0.15:  # boxes may overlap a little
                break
        else:
            continue
        here = (slice(y, y + h), slice(x, x + w))
        colour = _colour(image[here], generator)
        image[here] = (image[here] * (255 - glyph[..., None]) + colour * glyph[..., None] + 127) // 255
        own = (glyph >= INK) & (glyph >= strongest[here])
        strongest[here][own] = glyph[own]
        instances[here][own], masks[here][own] = len(taken) + 1, label + 1
        labels[len(taken)] = label
        taken.append((x, y, x + w, y + h))
    return image.astype(np.uint8), _bounds(instances), labels, masks, instances


def _bounds(instances: np.ndarray) -> np.ndarray:
    """(4, 4): the smallest box around each digit's ink, its right and lower edge behind the last pixel."""
    boxes = np.zeros((SCENE_DIGITS, 4), np.float32)
    for number in range(1, int(instances.max()) + 1):
        rows, columns = (instances == number).nonzero()
        boxes[number - 1] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    return boxes


def _make_digit_scenes(*_: Path) -> dict[str, Tensor]:
    pictures = {name: picture.permute(1, 2, 0).numpy() for name, picture in photos().items()}
    behind = {
        "train": [picture for name, picture in pictures.items() if name not in TEST_PHOTOS],
        "test": [pictures[name] for name in TEST_PHOTOS],
    }
    data = {}
    for seed, ((part, n), split) in enumerate(zip(SCENE_COUNTS.items(), mnist(), strict=True)):
        generator = torch.Generator().manual_seed(seed)  # part of the data, so no shift of seeds moves it
        order = iter(torch.randperm(len(split.inputs), generator=generator).tolist())  # no digit twice
        scenes = []
        for _ in range(n):
            chosen = [next(order) for _ in range(1 + _below(SCENE_DIGITS, generator))]
            digits = [(split.inputs[i].numpy(), int(split.targets[i])) for i in chosen]
            picture = behind[part][_below(len(behind[part]), generator)]
            scenes.append(_scene(picture, digits, generator))
        fields = [torch.from_numpy(np.stack(field)) for field in zip(*scenes, strict=True)]
        fields[0] = fields[0].permute(0, 3, 1, 2).contiguous()
        data |= {f"{part}_{name}": field for name, field in zip(Scenes._fields, fields, strict=True)}
    return data


def digit_scenes(device: torch.device | str = "cpu") -> tuple[Scenes, Scenes]:
    """Pictures of 64 by 64 pixels with one to four digits each: 4,000 to train on and 1,000 to test on.

    MNIST digits are painted in random colours, sizes and places on pieces of photographs; their boxes may
    overlap a little. Each digit is used once. The test scenes have MNIST's test digits, on photographs that
    training never shows (`TEST_PHOTOS`). Boxes and masks are exact: to a digit belong the pixels in which
    it has a third of full ink or more, and no less than another digit there; its box is the smallest around
    them. Made in about four seconds, then read from the cache (103 MB); the same every time.

    Returns:
        Training and test part.

    Raises:
        FileNotFoundError: if a package that holds the digits or a photograph is not installed.
    """
    sources = [package_file("mnist", "data/mnist.pkl.gz")] + [package_file(*at) for at in PHOTOS.values()]
    data = cached("digit-scenes", sources, _make_digit_scenes)
    train, test = (
        Scenes(*(data[f"{part}_{name}"].to(device) for name in Scenes._fields)) for part in SCENE_COUNTS
    )
    return train, test
