"""Threshold and costs, from Python's side and in the browser: its numbers are scikit-learn's."""

import re

import numpy as np
import pytest
import torch
from figure_page import assert_refused, drag, says, settle, touch, write_page
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, precision_score, recall_score, roc_curve
from traitlets import TraitError

from utils.widgets import ThresholdCosts

STATE = "() => document.querySelector('.cw-threshold').figure"


def people(seed: int, count: int = 153) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of four decimals that say something about the labels, and the labels."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(count) < 0.35).astype(int)
    labels[:2] = 0, 1
    scores = rng.logistic(size=count) + 2 * labels - 1.5
    return (1 / (1 + np.exp(-scores))).round(4), labels


def threshold_costs() -> ThresholdCosts:
    return ThresholdCosts(*people(0))


def page_state(page) -> dict:
    settle(page)
    return page.evaluate(STATE)


def shown(page, row: str) -> str:
    return page.get_by_role("row", name=row).locator("td").inner_text()


def price(probabilities, labels, threshold: float, cost: float) -> float:
    """Cost a person by NumPy."""
    called = probabilities >= threshold
    return (cost * (~called & (labels == 1)).sum() + (called & (labels == 0)).sum()) / len(labels)


def test_starts_at_one_half_and_takes_tensors():
    figure = ThresholdCosts(torch.tensor([0.25, 0.75]), torch.tensor([0, 1]), cost=2)
    assert (figure.threshold, figure.cost) == (0.5, 2)
    assert (figure.probabilities, figure.labels) == ([0.25, 0.75], [0, 1])


def test_other_people_go_in_together():
    figure = threshold_costs()
    with figure.hold_sync(), figure.hold_trait_notifications():
        figure.probabilities, figure.labels = [0.1, 0.9, 0.5], [0, 1, 1]
    assert figure.labels == [0, 1, 1]


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"probabilities": [0.1, 0.2], "labels": [1]}, "a label for each"),
        ({"probabilities": [0.1], "labels": [1]}, "2 to 2,000 people"),
        ({"probabilities": [0.1] * 2001, "labels": [0, 1] + [1] * 1999}, "2 to 2,000 people"),
        ({"probabilities": [0.1, 0.2], "labels": [1, 1]}, "both of them"),
        ({"probabilities": [0.1, 0.2], "labels": [0, 2]}, "labels 0 or 1"),
        ({"probabilities": [0.1, 0.2], "labels": [0.5, 1]}, "labels 0 or 1"),
        ({"probabilities": [0.1, 1.2], "labels": [0, 1]}, r"probabilities in \[0, 1\]"),
        ({"probabilities": [0.1, float("nan")], "labels": [0, 1]}, "finite"),
        ({"probabilities": [0.1, 0.2], "labels": [0, 1], "threshold": 1.1}, r"threshold in \[0, 1\]"),
        ({"probabilities": [0.1, 0.2], "labels": [0, 1], "cost": 0.5}, r"cost in \[1, 20\]"),
        ({"probabilities": [0.1, 0.2], "labels": [0, 1], "cost": float("nan")}, "cost in"),
    ],
)
def test_refuses(arguments, words):
    with pytest.raises(TraitError, match=words):
        ThresholdCosts(**arguments)


def test_keeps_its_value_when_a_bad_one_is_refused():
    bad = [("threshold", -0.1), ("cost", 21), ("labels", [0, 1]), ("probabilities", [0.5])]
    assert_refused(threshold_costs(), bad)
    with pytest.raises(TypeError):
        ThresholdCosts([0.1, 0.2], [0, 1], price=3)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=2, max_size=40))
def test_takes_any_people_of_both_classes(pairs):
    probabilities, labels = zip(*pairs, strict=True)
    if len(set(labels)) == 2:
        assert ThresholdCosts(probabilities, labels).labels == list(labels)


def test_numbers_equal_scikit_learns(session, tmp_path):
    for seed in range(4):
        probabilities, labels = people(seed)
        cost = 1 + 3 * seed
        figure = ThresholdCosts(probabilities, labels, cost=cost, threshold=0.37)
        page = session().open(write_page(tmp_path / f"{seed}.html", [figure]))
        for step in (37, 0, 5, 50, 90):
            page.get_by_label("Threshold").and_(page.locator("input")).fill(str(step))
            state, called = page_state(page), probabilities >= step / 100
            tn, fp, fn, tp = confusion_matrix(labels, called, labels=[0, 1]).ravel().tolist()
            assert state["counts"] == {"found": tp, "missed": fn, "alarms": fp, "spared": tn}
            assert state["recall"] == pytest.approx(recall_score(labels, called))
            assert state["specificity"] == pytest.approx(recall_score(1 - labels, ~called))
            if called.any():
                assert state["precision"] == pytest.approx(precision_score(labels, called))
            assert state["cost"] == pytest.approx((cost * fn + fp) / len(labels))
            prices = [price(probabilities, labels, i / 100, cost) for i in range(101)]
            assert state["lowest"] == pytest.approx(min(prices))
            assert state["at"] == pytest.approx(np.argmin(prices) / 100)
            assert state["advised"] == pytest.approx(1 / (1 + cost))
        assert shown(page, "Lowest cost").startswith(f"{min(prices):.3f} at {np.argmin(prices) / 100:.2f}")


def test_the_curve_is_scikit_learns(session, tmp_path):
    probabilities, labels = people(3)
    page = session().open(write_page(tmp_path / "p.html", [ThresholdCosts(probabilities, labels)]))
    path = page.locator(".cw-curve").get_attribute("d")
    drawn = np.array([[float(v) for v in pair.split()] for pair in path[1:].split("L")])
    fpr, tpr, _ = roc_curve(labels, probabilities, drop_intermediate=False)
    expected = np.stack([46 + fpr * (330 - 46), 256 + tpr * (10 - 256)], axis=1)  # the panel's axes
    assert drawn.shape == expected.shape and np.abs(drawn - expected).max() < 0.06


def test_nobody_called_has_no_precision(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [ThresholdCosts([0.2, 0.6], [0, 1], threshold=1)]))
    state = page_state(page)
    assert state["precision"] is None and state["recall"] == 0 and state["cost"] == 2
    assert shown(page, "Precision") == "nobody called"
    assert "NaN" not in page.locator(".cw-threshold").inner_html()


def test_by_keyboard(session, tmp_path):
    probabilities, labels = people(1)
    page = session().open(write_page(tmp_path / "p.html", [ThresholdCosts(probabilities, labels)]))
    page.keyboard.press("Tab")
    for key in ("ArrowRight", "ArrowUp", "Shift+ArrowRight"):  # more alarms: a lower threshold
        page.keyboard.press(key)
    settle(page)
    called = probabilities >= 0.38
    assert page_state(page)["counts"]["alarms"] == (called & (labels == 0)).sum()
    for _ in range(9):
        page.keyboard.press("Shift+ArrowRight")
    state = page_state(page)
    assert state["recall"] == 1 and state["specificity"] == 0, "it stops at the end of the curve"
    page.get_by_label("A miss costs").fill("9")
    assert page_state(page)["advised"] == pytest.approx(0.1)
    says(page, re.compile(r"^Threshold 0\.00: \d+ found, 0 missed"))
    page.get_by_role("button", name="Start again").click()
    called = probabilities >= 0.5
    assert page_state(page)["counts"]["found"] == (called & (labels == 1)).sum()


def test_by_mouse(session, tmp_path):
    figure = threshold_costs()
    page = session().open(write_page(tmp_path / "p.html", [figure, figure]))
    before = page_state(page)
    drag(page, page.locator(".cw-knob").first, 60, -30)
    after = page_state(page)
    assert after["alarmRate"] > before["alarmRate"] and after["recall"] > before["recall"]
    both = [page.get_by_role("row", name="Precision").nth(i).inner_text() for i in (0, 1)]
    assert both[0] == both[1], "both views show the same threshold"


def test_by_finger(session, tmp_path):
    address = write_page(tmp_path / "p.html", [threshold_costs()])
    page = session(has_touch=True, is_mobile=True, viewport={"width": 375, "height": 900}).open(address)
    before = page_state(page)
    box = page.locator(".cw-knob").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch(page, [(x, y), (x + 10, y - 5), (x + 70, y - 30)])
    assert page_state(page)["alarmRate"] > before["alarmRate"]
    assert page.evaluate("scrollY") == 0, "dragging the point must not scroll the page"
