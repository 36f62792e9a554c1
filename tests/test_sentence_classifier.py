"""The sentence classifier: its numbers against torch's, in Python and in a browser."""

import gzip
import random
import re
import unicodedata

import numpy as np
import pytest
import torch
from figure_page import assert_refused, says, settle, tap, write_page
from playwright.sync_api import expect
from traitlets import TraitError

import utils.text
from utils.widgets import SentenceClassifier
from utils.widgets.sentence_classifier import terms_of

WORDS = [
    *"a the film is not never good bad dull it's charming".split(),
    *"funny too long and but quite isn't étrange नमस्ते".split(),
]
PAIRS = ["not good", "not bad", "too long", "is not", "never dull", "a film"]
SENTENCES = [
    "",
    "???",
    "Not good, not bad.",
    "THE FILM ISN'T FUNNY",
    "the the the film film",
    "Étrange: a naïve film; too   long-and dull!",
    "It's charming, quite charming — and never dull.",
    "flugelhorn",
    "It isn't good.",
    "It isn’t good.",
    "It isn''t good, 'twas \u2018dull\u2019, it\u2019s long\u2019",
    "ÉTRANGE e\u0301trange, ΑΣ.Β ΟΔΟΣ, नमस्ते İstanbul straße ⅧⒶ ½²_x3y",
]


def sentence_classifier(seed: int = 0, **options) -> SentenceClassifier:
    terms = WORDS + PAIRS
    scores = torch.randn(len(terms), generator=torch.Generator().manual_seed(seed))
    return SentenceClassifier(terms, scores, 0.1 * seed - 0.2, **options)


def by_torch(figure: SentenceClassifier, text: str) -> float:
    """A matrix product of counts and scores in place of a sum over a table."""
    found = utils.text.words(text)
    found += [" ".join(pair) for pair in zip(found[:-1], found[1:], strict=True)]
    counts = torch.tensor([found.count(term) for term in figure.terms.split("\n")]).double()
    scores = torch.from_numpy(np.frombuffer(figure.scores, dtype="<f2").astype("f8"))
    return (counts @ scores + figure.bias).item()


# Python's side


@pytest.mark.parametrize("seed", range(5))
def test_the_logit_is_a_sum_of_scores(seed):
    figure = sentence_classifier(seed)
    for text in SENTENCES:
        assert figure.logit(text) == pytest.approx(by_torch(figure, text), abs=1e-6)
    assert figure.logit() == figure.logit(figure.examples[0])
    assert figure.logit("flugelhorn") == figure.bias


def test_scores_are_kept_in_half_precision():
    scores = torch.randn(len(WORDS), requires_grad=True)
    figure = SentenceClassifier(WORDS, scores)
    for word, score in zip(WORDS, scores.tolist(), strict=True):
        assert figure.logit(word) == pytest.approx(score, rel=1e-3)
    assert len(figure.scores) == 2 * len(WORDS)


def test_terms_are_words_and_neighbours():
    assert terms_of("Don't go, don't!") == ["don't", "go", "don't", "don't go", "go don't"]
    assert terms_of("") == terms_of("123 ½ '") == []
    assert terms_of("It isn’t") == terms_of("It isn't") == ["it", "isn't", "it isn't"]


def test_without_terms_or_examples():
    figure = SentenceClassifier([], [], 0.5, examples=[])
    assert (figure.text, figure.terms, figure.logit("a film")) == ("", "", 0.5)


def test_module_and_style_stay_small():
    packed = len(gzip.compress((SentenceClassifier._esm + SentenceClassifier._css).encode()))
    assert packed < 10_000


def test_bad_values_are_refused_and_change_nothing():
    for terms, scores, words in [
        (["a", "a"], [1, 2], "a term twice"),
        (["A"], [1], "got 'A'"),
        (["isn’t"], [1], "got 'isn’t'"),
        (["a", "", "b"], [1, 2, 3], "got ''"),
        (["a b c"], [1], "one or two words"),
        ([""], [1], None),
        (["a"], [1, 2], "each of 1 terms"),
        (["a"], [float("nan")], "finite"),
        (["a"], [1e6], "within"),
    ]:
        with pytest.raises(TraitError, match=words):
            SentenceClassifier(terms, scores)
    with pytest.raises(TraitError, match="at most 300 characters, got 301"):
        sentence_classifier(text="x" * 301)
    bad = [("text", "x" * 301), ("scores", b"123"), ("bias", float("inf")), ("examples", ["y" * 301])]
    assert_refused(sentence_classifier(), bad)


# In the browser


@pytest.mark.parametrize("seed", range(3))
def test_the_pages_numbers_are_torchs(session, tmp_path, seed):
    figure = sentence_classifier(seed)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    script = "text => document.querySelector('.cw').parentElement.classify(text).logit"
    for text in SENTENCES:
        assert page.evaluate(script, text) == pytest.approx(by_torch(figure, text), abs=1e-3)
    for text in SENTENCES:
        page.get_by_label("A sentence about a film").fill(text)
        settle(page)
        expected = torch.sigmoid(torch.tensor(by_torch(figure, text))).item()
        shown = re.search(r"positive ([\d.]+)", page.locator(".cw-sum").inner_text())[1]
        assert float(shown) / 100 == pytest.approx(expected, abs=6e-4)


def test_the_page_splits_as_python_does(session, tmp_path):
    """Random texts of letters, marks, apostrophes and what is none of them, in several scripts."""
    rng = random.Random(0)
    likely = "aZéßΣσİıǅ'’‘ʼ-.:5½²ⅧⒶ_ \n\u0301\u00adनम\u0938\u094d中"
    letters = [*likely, *(chr(c) for c in range(0x3000) if unicodedata.category(chr(c))[0] != "C")]
    texts = [
        "".join(rng.choices(letters, [50] * len(likely) + [1] * (len(letters) - len(likely)), k=12))
        for _ in range(3000)
    ]
    page = session().open(write_page(tmp_path / "p.html", [sentence_classifier()]))
    split = page.evaluate(
        "texts => texts.map(document.querySelector('.cw').parentElement.words)", texts + SENTENCES
    )
    assert split == [utils.text.words(text) for text in texts + SENTENCES]


def test_a_typographic_apostrophe_is_an_apostrophe(session, tmp_path):
    figure = SentenceClassifier(
        ["isn't", "it isn't", "isn't good", "isn", "good"], [-2.0, -0.5, -0.3, 3.0, 1.0]
    )
    assert figure.logit("It isn’t good.") == figure.logit("It isn't good.") < -1
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    shown = []
    for text in ("It isn't good.", "It isn’t good."):
        page.get_by_label("A sentence about a film").fill(text)
        settle(page)
        shown.append(page.locator(".cw-sum, .cw-words, .cw-verdict").all_inner_texts())
    assert shown[0] == shown[1]


def test_words_show_what_they_add(session, tmp_path):
    figure = sentence_classifier(text="The film is not good, flugelhorn!")
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    words, pairs = page.locator(".cw-words").nth(0), page.locator(".cw-words").nth(1)
    assert words.locator("li span").all_inner_texts() == ["The", "film", "is", "not", "good", "flugelhorn"]
    assert pairs.locator("li span").all_inner_texts() == ["is not", "not good"]
    shown = words.locator("small").all_inner_texts()
    assert shown[-1] == "unknown"
    for word, text in zip(("the", "film", "is", "not", "good"), shown, strict=False):
        value = float(text.replace("\u2212", "-"))
        assert value == pytest.approx(figure.logit(word) - figure.bias, abs=0.006)
    assert "1 unknown word adds nothing" in page.locator(".cw-sum").inner_text()
    page.get_by_label("A sentence about a film").fill("")
    settle(page)
    expect(words.locator("li")).to_have_count(0)
    assert pairs.is_hidden()


def test_examples_by_mouse_finger_and_keyboard(session, tmp_path):
    figure = sentence_classifier(examples=["good film", "bad film", "dull film"])
    page = session(has_touch=True).open(write_page(tmp_path / "p.html", [figure]))
    box = page.get_by_label("A sentence about a film")
    assert box.input_value() == "good film"
    page.get_by_role("button", name="bad film").click()
    settle(page)
    assert box.input_value() == "bad film"
    tap(page, page.get_by_role("button", name="dull film"))
    assert box.input_value() == "dull film"
    page.get_by_role("button", name="good film").focus()
    page.keyboard.press("Enter")
    settle(page)
    assert box.input_value() == "good film"
    says(page, re.compile(r"^Positive: \d+\s%$"))


def test_markup_in_a_sentence_stays_text(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [sentence_classifier()]))
    page.get_by_label("A sentence about a film").fill("<img src=x onerror=alert(1)> good")
    settle(page)
    assert page.locator(".cw img").count() == 0
    assert "onerror" in page.locator(".cw-words").first.inner_text()


def test_views_stay_in_step(session, tmp_path):
    figure = sentence_classifier(text="never dull")
    page = session().open(write_page(tmp_path / "p.html", [figure, figure]))
    boxes = page.get_by_label("A sentence about a film")
    assert [boxes.nth(k).input_value() for k in (0, 1)] == ["never dull"] * 2
    boxes.nth(1).press_sequentially(" and long")
    settle(page)
    assert boxes.nth(0).input_value() == "never dull and long"
    sums = page.locator(".cw-sum").all_inner_texts()
    assert sums[0] == sums[1]
