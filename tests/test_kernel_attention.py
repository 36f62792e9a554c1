"""Kernel attention: its state from Python's side, its numbers and its handling in a real browser."""

import numpy as np
import pytest
import torch
from figure_page import assert_refused, drag, says, settle, tap, write_page
from torch.nn import functional as F
from traitlets import TraitError

from utils.widgets import KernelAttention


def by_torch(keys, values, query, width) -> tuple[float, torch.Tensor]:
    keys, values = torch.tensor(keys, dtype=torch.float64), torch.tensor(values, dtype=torch.float64)
    weights = F.softmax(-((query - keys) ** 2) / (2 * width**2), dim=0)
    return (weights @ values).item(), weights


def number(text: str) -> float:
    return float(text.replace("\u2212", "-"))


# From Python's side


def test_ranges_reach_beyond_the_keys():
    figure = KernelAttention([0.0, 10.0], [1.0, 2.0])
    assert figure.query_range == (-1.0, 11.0) and figure.query == 5.0
    assert KernelAttention([3.0], [1.0]).query_range == (2.0, 4.0)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"keys": [1, 2], "values": [1]}, "as many keys as values"),
        ({"keys": [], "values": []}, "at least one"),
        ({"keys": [float("nan")], "values": [1]}, "keys to be finite"),
        ({"width": 0.001}, "width inside"),
        ({"width": 0.5, "width_range": (0.0, 1.0)}, "widths above 0"),
        ({"query": 99}, "query inside"),
        ({"query_range": (3, 3)}, "range that is not empty"),
    ],
)
def test_it_refuses(arguments, words):
    with pytest.raises(TraitError, match=words):
        KernelAttention(**arguments)


def test_it_keeps_its_value_when_a_bad_one_is_refused():
    assert_refused(KernelAttention(), [("width", -1), ("query", 50), ("xs", [1]), ("ys", [float("inf")] * 3)])


# In the browser


def test_weights_and_answers_are_those_of_torch(session, tmp_path):
    rng = np.random.default_rng(0)
    cases = []
    for _ in range(12):
        n = int(rng.integers(1, 30))
        keys, values = (5 * rng.normal(size=n)).tolist(), rng.normal(size=n).tolist()
        figure = KernelAttention(keys, values, width=float(10 ** rng.uniform(-1.6, 0.6)))
        figure.query = float(rng.uniform(*figure.query_range))
        cases.append(figure)
    page = session().open(write_page(tmp_path / "p.html", cases))
    for i, figure in enumerate(cases):
        answer, weights = by_torch(figure.xs, figure.ys, figure.query, figure.width)
        shown = page.locator(".cw-kernel").nth(i)
        facts = [number(text) for text in shown.locator("dd").all_text_contents()]
        expected = (answer, weights.max().item(), 1 / weights.square().sum().item())
        np.testing.assert_allclose(facts, expected, atol=0.051)
        np.testing.assert_allclose(facts[:2], expected[:2], atol=5.1e-4)
        bottom, top = 256, 10  # of the panel's drawing
        heads = [
            float(y)
            for y in shown.locator(".cw-head").evaluate_all("all => all.map(e => e.getAttribute('cy'))")
        ]
        np.testing.assert_allclose((bottom - np.array(heads)) / (bottom - top), weights.numpy(), atol=1e-9)


def test_mouse_touch_and_keys_move_the_query(session, tmp_path):
    figure = KernelAttention([0.0, 10.0], [1.0, 2.0])
    page = session(has_touch=True).open(write_page(tmp_path / "p.html", [figure]))
    knob = page.locator(".cw-handle")

    def value() -> float:
        return float(knob.get_attribute("aria-valuenow"))

    assert value() == 5.0
    drag(page, knob, 40, 0)
    moved = value()
    assert moved > 5.0
    knob.focus()
    page.keyboard.press("ArrowLeft")
    settle(page)
    step = moved - value()
    assert 0 < step < 0.1
    page.keyboard.press("Shift+ArrowRight")
    settle(page)
    assert value() == pytest.approx(moved + 9 * step)
    tap(page, page.locator(".cw-kernel svg svg").first)
    assert value() == pytest.approx(5.0, abs=0.1), "a tap in the middle of the panel"
    says(page, "Answer 1.50, from about 2.0 keys")


def test_the_width_decides_how_far_a_query_listens(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [KernelAttention([0, 1, 2], [0, 3, 9], query=0.9)]))
    slider = page.get_by_label("Width")
    for key, keys in (("Home", 1.0), ("End", 3.0)):
        slider.press(key)
        settle(page)
        assert number(page.locator("dd").nth(2).inner_text()) == pytest.approx(keys, abs=0.11)
    answer, _ = by_torch([0, 1, 2], [0, 3, 9], 0.9, 5.0)
    assert number(page.locator("dd").first.inner_text()) == pytest.approx(answer, abs=6e-4)
