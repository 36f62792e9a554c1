"""The figure of attention heads: what goes into its state, what the page computes, how it is used."""

import re

import numpy as np
import pytest
import torch
from figure_page import assert_refused, settle, tap, write_page
from playwright.sync_api import expect
from torch import nn
from traitlets import TraitError

from utils.layers.attention import MultiHeadAttention, causal_mask, sinusoidal_positions
from utils.widgets import AttentionHeads

LETTERS = "abcdefghijklmnopqrstuvwxyz ',.;:!?-\n"
TEXT = "to be or not to be, that is"


class Reader(nn.Module):
    """The chapter's network, with weights that half precision holds exactly, large enough to point."""

    def __init__(self, width: int, heads: int, layers: int, seed: int):
        super().__init__()
        torch.manual_seed(seed)
        self.embedding = nn.Embedding(len(LETTERS), width)
        self.attentions = nn.ModuleList(MultiHeadAttention(width, heads) for _ in range(layers))
        self.output = nn.Linear(width, len(LETTERS))
        for weights in self.parameters():
            nn.init.normal_(weights, std=0.25)
            weights.data = weights.data.half().float()

    def forward(self, ids, causal=True, positions=True):
        n, width = len(ids), self.embedding.embedding_dim
        x = (self.embedding(ids) + positions * sinusoidal_positions(n, width))[None]
        seen = []
        for attention in self.attentions:
            y, weights = attention(x, x, x, causal_mask(n) if causal else None)
            x, seen = x + y, [*seen, weights[0]]
        return self.output(x)[0], torch.stack(seen)


def attention_heads(seed: int = 0, sizes: tuple = (64, 4, 2), **state) -> AttentionHeads:
    return AttentionHeads.from_model(Reader(*sizes, seed), LETTERS, **({"text": TEXT} | state))


def ids_of(text: str) -> torch.Tensor:
    return torch.tensor([LETTERS.index(letter) for letter in text])


SIZES = [(64, 4, 2), (24, 3, 1), (8, 1, 3), (12, 6, 2)]


# Python's side


@pytest.mark.parametrize("sizes", SIZES)
@torch.no_grad()
def test_the_state_holds_the_network(sizes):
    model = Reader(*sizes, 1)
    figure = AttentionHeads.from_model(model, LETTERS, text=TEXT)
    for causal in (True, False):
        for positions in (True, False):
            figure.causal, figure.positions = causal, positions
            for ours, theirs in zip(figure.compute(), model(ids_of(TEXT), causal, positions), strict=True):
                torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_the_model_is_left_as_it_is_and_small():
    model = Reader(64, 4, 2, 0).double().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    figure = AttentionHeads.from_model(model, LETTERS, text="a")
    assert model.training and all(torch.equal(before[n], v) for n, v in model.state_dict().items())
    assert len(figure.weights) == 2 * sum(v.numel() for v in before.values()) < 80_000


def test_other_models_are_refused():
    with pytest.raises(ValueError, match="embedding, attentions and output, got Linear"):
        AttentionHeads.from_model(nn.Linear(2, 2), LETTERS, text="a")
    for letters in (LETTERS[:-1], "a" * len(LETTERS)):
        with pytest.raises(ValueError, match="36 different letters"):
            AttentionHeads.from_model(Reader(8, 2, 1, 0), letters, text="a")
    for state, words in [
        ({"text": ""}, "1 to 32"),
        ({"text": "a" * 33}, "1 to 32"),
        ({"text": "Über"}, "got 'Über'"),
        ({"chosen": 27}, r"chosen in 0..26, got 27"),
        ({"layer": 2}, r"layer in 0..1, got 2"),
        ({"head": -1}, r"head in 0..3, got -1"),
    ]:
        with pytest.raises(TraitError, match=words):
            attention_heads(**state)


def test_bad_values_are_refused_and_change_nothing():
    bad = [("text", "A"), ("text", "x"[:0]), ("chosen", -1), ("chosen", 27), ("layer", 5), ("head", 4)]
    assert_refused(attention_heads(chosen=3), bad)


# In the browser


def computed(page) -> tuple[torch.Tensor, torch.Tensor]:
    found = page.evaluate("document.querySelector('.cw').parentElement.compute()")
    return tuple(torch.tensor(found[name], dtype=torch.float32) for name in ("logits", "weights"))


def compare(page, figure) -> None:
    settle(page)
    for found, expected in zip(computed(page), figure.compute(), strict=True):
        assert found.shape == expected.shape
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(("seed", "sizes"), list(enumerate(SIZES)))
def test_logits_and_weights_are_torchs(session, tmp_path, seed, sizes):
    figure = attention_heads(seed, sizes)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    compare(page, figure)
    for name in ("causal mask", "positions", "causal mask"):
        page.get_by_label(name).click()
        trait = name.split()[0]
        setattr(figure, trait, not getattr(figure, trait))
        compare(page, figure)
    rng = np.random.default_rng(seed)
    for n in (1, 2, 32):
        figure.chosen, figure.text = 0, "".join(rng.choice(list(LETTERS[:-1]), n))
        page.get_by_label("Text").fill(figure.text)
        compare(page, figure)


def says_right(page, figure, chosen: int, layer: int, head: int) -> None:
    settle(page)
    row = figure.compute()[1][layer, head, chosen]
    first = int(row.argmax())
    text = page.locator(".cw-said p").first.text_content()
    assert (
        text.startswith(f"Layer {layer + 1}, head {head + 1}: letter ") and f"at {chosen + 1} reads" in text
    )
    place, share = re.search(r"reads .*? at (\d+) \((?:>\u00a0)?(\d+)", text).groups()
    assert int(place) == first + 1 and abs(int(share) - 100 * row[first].item()) <= 1.01
    shares = figure.compute()[0][chosen].softmax(0)
    best = page.locator(".cw-next li").first.text_content()
    assert best[0] == LETTERS[int(shares.argmax())].replace(" ", "\u2423").replace("\n", "\u21b5")
    shade = (
        page.locator(".cw-letters button").nth(first).evaluate("e => e.style.getPropertyValue('--cw-weight')")
    )
    assert float(shade.strip("%")) == pytest.approx(100 * row[first].sqrt().item(), abs=0.1)


def test_pointer_and_keyboard_choose_letter_and_head(session, tmp_path):
    figure = attention_heads(3, chosen=20)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    says_right(page, figure, 20, 0, 0)
    page.locator(".cw-letters button").nth(9).hover()
    says_right(page, figure, 9, 0, 0)
    page.mouse.move(1, 1)
    page.get_by_label("Layer 1, head 1").focus()
    page.keyboard.press("ArrowRight")
    says_right(page, figure, 9, 0, 1)
    page.get_by_label("Layer 2, head 4").check(force=True)
    says_right(page, figure, 9, 1, 3)
    page.locator(".cw-letters [aria-checked=true]").focus()
    for key, chosen in [("ArrowRight", 10), ("ArrowLeft", 9), ("End", 26), ("ArrowRight", 26), ("Home", 0),
                        ("Shift+ArrowRight", 5)]:  # fmt: skip
        page.keyboard.press(key)
        says_right(page, figure, chosen, 1, 3)
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "6: space"


def test_finger_chooses(session, tmp_path):
    figure = attention_heads(2)
    page = session(has_touch=True, viewport={"width": 375, "height": 900}).open(
        write_page(tmp_path / "p.html", [figure])
    )
    tap(page, page.locator(".cw-letters button").nth(17))
    tap(page, page.locator(".cw-map").nth(6))
    says_right(page, figure, 17, 1, 2)


def test_typing_keeps_what_the_network_knows(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [attention_heads(1, chosen=3)]))
    field = page.get_by_label("Text")
    field.fill("Ünd 7 Hats?")
    settle(page)
    assert [b[-1] for b in page.locator(".cw-letters button").all_text_contents()] == list("nd␣␣hats?")
    field.fill("")
    settle(page)
    assert page.locator(".cw-letters button").count() == 9, "an empty text is not computed"
    field.blur()
    assert field.input_value() == "nd  hats?"


def test_views_stay_in_step_and_start_as_python_left_them(session, tmp_path):
    figure = attention_heads(1, chosen=4, layer=1, head=2, causal=False)
    page = session().open(write_page(tmp_path / "p.html", [figure, figure]))
    says_right(page, figure, 4, 1, 2)
    assert not page.get_by_label("causal mask").first.is_checked()
    page.locator(".cw-letters").nth(1).locator("button").nth(7).click()
    settle(page)
    chosen = page.locator(".cw-letters [aria-checked=true]")
    expect(chosen).to_have_count(2)
    assert chosen.all_text_contents()[0] == chosen.all_text_contents()[1] == "r"
