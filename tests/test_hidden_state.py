"""Hidden state: its state from Python's side, its numbers and its handling in a real browser."""

import gzip
import math
import re

import pytest
import torch
from figure_page import assert_refused, says, settle, tap, write_page
from torch import nn
from traitlets import TraitError

from utils.layers.recurrent import RecurrentLanguageModel
from utils.widgets import HiddenState

CHARACTERS = " abcdefghijklmnopqrstuvwxyz,.:'!?-;"


def network(seed: int, hidden: int = 32, width: int = 8) -> RecurrentLanguageModel:
    """With weights that float16 holds exactly, wide enough that the state moves."""
    torch.manual_seed(seed)
    model = RecurrentLanguageModel(nn.RNN, len(CHARACTERS), width, hidden)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_((1.5 * parameter).half())
    return model


def hidden_state(seed: int = 0, **state) -> HiddenState:
    return HiddenState.from_model(network(seed), CHARACTERS, **state)


@torch.no_grad()
def by_torch(model: RecurrentLanguageModel, text: str, cut: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """States and probabilities (characters, ...) in float64, from zeros again at the cut."""
    ids = torch.tensor([[CHARACTERS.index(c) for c in text]])
    model = model.double()
    parts = [p for p in (ids[:, :cut], ids[:, cut:]) if p.shape[1]]
    states = torch.cat([model.rnn(model.embedding(p))[0][0] for p in parts])
    return states, model.output(states).softmax(1)


# From Python's side


def test_it_starts_at_the_end_of_its_line():
    figure = hidden_state()
    assert figure.text == "to be, or not to be: that is the question." and figure.position == 41
    assert (figure.unit, figure.cut, figure.width, figure.hidden_size) == (0, 0, 8, 32)
    assert len(figure.weights) == 2 * sum(p.numel() for p in network(0).parameters())


@pytest.mark.parametrize(
    "state, words",
    [
        ({"text": ""}, "expected 1 to 60 characters"),
        ({"text": "Capital"}, "expected 1 to 60 characters"),
        ({"text": "a" * 61}, "expected 1 to 60"),
        ({"position": 42}, r"position in \[0, 41\], got 42"),
        ({"unit": 32}, r"unit in \[0, 31\], got 32"),
        ({"cut": -1}, r"cut in \[0, 41\], got -1"),
    ],
)
def test_it_refuses(state, words):
    with pytest.raises(TraitError, match=words):
        hidden_state(**state)


def test_it_keeps_its_value_when_a_bad_one_is_refused():
    figure = hidden_state(text="abc", cut=1)
    assert_refused(figure, [("text", "ABC"), ("text", ""), ("position", 3), ("unit", -1), ("cut", 3)])
    figure.text = "other words"
    assert (figure.position, figure.cut) == (2, 1)


def test_it_says_which_model_it_wants():
    for kind in (nn.GRU, lambda *sizes, **rest: nn.RNN(*sizes, nonlinearity="relu", **rest)):
        model = RecurrentLanguageModel(kind, len(CHARACTERS), 4, 8)
        with pytest.raises(ValueError, match=r"expected one layer of nn\.RNN with tanh"):
            HiddenState.from_model(model, CHARACTERS)
    with pytest.raises(ValueError, match="one layer"):
        HiddenState.from_model(RecurrentLanguageModel(nn.RNN, len(CHARACTERS), 4, 8, 2), CHARACTERS)
    with pytest.raises(ValueError, match="a character for each id"):
        HiddenState.from_model(network(0), CHARACTERS[1:])
    with pytest.raises(ValueError, match="at most 64 units"):
        HiddenState.from_model(network(0, hidden=65), CHARACTERS)


def test_module_and_style_stay_small():
    size = len(gzip.compress((HiddenState._esm + HiddenState._css).encode()))
    assert size < 10_000, size


# In the browser


def shares(page) -> dict[str, float]:
    """The chart: character to percentage."""
    names = page.locator(".cw-next b").all_inner_texts()
    values = [float(t.strip("<>\u00a0%")) for t in page.locator(".cw-next .cw-share").all_inner_texts()]
    return dict(zip(names, values, strict=True))


def expected_shares(probabilities: torch.Tensor) -> dict[str, float]:
    top = probabilities.topk(7)
    names = [CHARACTERS[k].replace(" ", "\u2423") for k in top.indices.tolist()]
    return dict(zip(names, (100 * top.values).tolist(), strict=True))


@pytest.mark.parametrize("seed, hidden, width", [(0, 32, 8), (1, 5, 3), (2, 64, 1)])
def test_states_and_probabilities_equal_torchs(session, tmp_path, seed, hidden, width):
    model = network(seed, hidden, width)
    figure = HiddenState.from_model(model, CHARACTERS)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    g = torch.Generator().manual_seed(seed)
    script = """([text, cut]) => document.querySelector('.cw-state').parentElement.read(text, cut)
        .map(({ state, next }) => [Array.from(state), next])"""
    for length in (1, 2, 17, 60):
        text = "".join(CHARACTERS[i] for i in torch.randint(len(CHARACTERS), (length,), generator=g).tolist())
        for cut in {0, length // 2, length - 1}:
            shown = page.evaluate(script, [text, cut])
            states, probabilities = by_torch(model, text, cut)
            ours = [torch.tensor([row[k] for row in shown], dtype=torch.float64) for k in (0, 1)]
            assert (ours[0] - states).abs().max() < 1e-6
            assert (ours[1] - probabilities).abs().max() < 1e-6


def test_it_shows_what_torch_computes(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [hidden_state(unit=4)]))
    text = "to be, or not to be: that is the question."
    states, probabilities = by_torch(network(0), text)
    assert shares(page) == pytest.approx(expected_shares(probabilities[-1]), abs=0.0501)
    script = (
        "[...document.querySelectorAll('.cw-map [fill-opacity]')].map(r => r.getAttribute('fill-opacity'))"
    )
    opacity = [float(value) for value in page.evaluate(script)]
    shown = torch.tensor(opacity, dtype=torch.float64).view(len(text), 33)
    assert (shown[:, 1:] - states.abs()).abs().max() < 6e-4
    assert (shown[:, 0] - states[:, 4].abs()).abs().max() < 6e-4
    negative = page.locator(".cw-map .cw-minus").count()
    assert negative == (states < 0).sum() + (states[:, 4] < 0).sum()
    ids = [CHARACTERS.index(c) for c in text]
    bits = sum(-math.log2(probabilities[t, ids[t + 1]]) for t in range(len(ids) - 1)) / (len(ids) - 1)
    assert f"costs {bits:.2f} bits" in page.locator(".cw-controls").inner_text()


def test_typing_slider_and_keyboard(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [hidden_state()]))
    field = page.get_by_role("textbox", name="Text")
    field.fill("HEL~lo 2!")
    settle(page)
    assert shares(page) == pytest.approx(expected_shares(by_torch(network(0), "hello !")[1][-1]), abs=0.0501)
    field.fill("")
    settle(page)
    page.get_by_label("Character").focus()
    assert field.input_value() == "hello !", "what was typed last that made sense"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    settle(page)
    second = by_torch(network(0), "hello !")[1][1]
    assert shares(page) == pytest.approx(expected_shares(second), abs=0.0501)
    assert page.get_by_label("Character").get_attribute("aria-valuetext") == "2, e"
    real = 100 * second[CHARACTERS.index("l")].item()
    assert f"expected with {real:.1f}" in page.locator("figure .cw-note").inner_text()
    names = list(expected_shares(second))[:3]
    says(page, re.compile(f"^After e: {names[0]} "))
    page.get_by_role("group", name="Map of the state").focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "Shift+ArrowDown"):
        page.keyboard.press(key)
    settle(page)
    assert page.get_by_label("Character").input_value() == "3"
    assert page.get_by_label("Unit").input_value() == "13"


def test_forgetting(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [hidden_state(text="to be, or not", position=3)]))
    button = page.get_by_role("button")
    assert "Forget all before" in button.inner_text()
    button.click()
    settle(page)
    text, model = "to be, or not", network(0)
    (whole, cut) = (by_torch(model, text, c)[1] for c in (0, 3))
    assert shares(page) == pytest.approx(expected_shares(cut[3]), abs=0.0501)
    marks = page.evaluate("[...document.querySelectorAll('.cw-next i')].map(i => parseFloat(i.style.left))")
    top = cut[3].topk(7).indices
    assert marks == pytest.approx((100 * whole[3][top]).tolist(), abs=1e-3)
    ids = torch.tensor([CHARACTERS.index(c) for c in text])
    bits = [-p[3:-1].gather(1, ids[4:, None]).log2().mean().item() for p in (cut, whole)]
    note = page.locator(".cw-controls").inner_text()
    assert f"costs {bits[0]:.2f} bits" in note and f"remembered {bits[1]:.2f} bits" in note
    assert page.locator(".cw-cut").count() == 1
    button.click()
    settle(page)
    assert shares(page) == pytest.approx(expected_shares(whole[3]), abs=0.0501)
    assert page.locator(".cw-cut").count() == page.locator(".cw-next i").count() == 0


def test_click_and_tap_choose_a_cell(session, tmp_path):
    address = write_page(tmp_path / "p.html", [hidden_state(text="a" * 60)])
    for options in ({}, dict(has_touch=True, is_mobile=True, viewport={"width": 375, "height": 900})):
        page = session(**options).open(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
        cell = page.locator(".cw-map rect[fill-opacity]").nth(33 * 50 + 1 + 9)  # character 51, unit 10
        (tap(page, cell) if options else cell.click())
        settle(page)
        values = page.get_by_label("Character").input_value(), page.get_by_label("Unit").input_value()
        assert values == ("51", "10")


def test_two_views_stay_in_step(session, tmp_path):
    figure = hidden_state()
    page = session().open(write_page(tmp_path / "p.html", [figure, figure]))
    page.get_by_role("textbox", name="Text").first.fill("a word")
    page.get_by_label("Unit").nth(1).fill("7")
    settle(page)
    assert page.get_by_role("textbox", name="Text").nth(1).input_value() == "a word"
    maps = [page.locator(".cw-map").nth(i).inner_html() for i in (0, 1)]
    assert maps[0] == maps[1]
