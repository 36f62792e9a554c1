"""Labels and curve, from Python's side and in the browser: its fit is scikit-learn's."""

import re

import numpy as np
import pytest
import torch
from figure_page import assert_refused, drag, says, settle, touch, write_page
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from torch.nn import functional as F
from traitlets import TraitError

from utils.widgets import LabelsAndCurve

FIT = """() => {
    const { kind, w, b, at, bce, right } = document.querySelector('.cw-labels').fit;
    return { kind, at, bce, right, w: String(w), b: String(b) }; }"""


def page_fit(page) -> dict:
    """What the page has fitted; infinite parameters come as floats too."""
    settle(page)
    fit = page.evaluate(FIT)
    as_float = {name: float(fit[name].replace("Infinity", "inf")) for name in ("w", "b")}
    return fit | as_float


def shown(page, row: str) -> str:
    return page.get_by_role("row", name=row).locator("td").inner_text()


def student(page, number: int):
    return page.get_by_role("slider", name=f"Hours of student {number}", exact=True)


def reference(hours, labels, penalty: float) -> tuple[float, float, float, int]:
    """Slope, intercept, mean cross-entropy and number of right answers by scikit-learn and torch."""
    C = np.inf if penalty == 0 else 1 / (penalty * len(hours))
    model = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12, max_iter=5000)
    x = np.array(hours)[:, None]
    model.fit(x, labels)
    w, b = model.coef_[0, 0], model.intercept_[0]
    logits = torch.tensor(w * x[:, 0] + b)
    bce = F.binary_cross_entropy_with_logits(logits, torch.tensor(labels).double()).item()
    return w, b, bce, int((model.predict(x) == labels).sum())


def random_students(seed: int) -> tuple[list[float], list[int]]:
    rng = np.random.default_rng(seed)
    hours = rng.uniform(0, 6, rng.integers(4, 40)).round(1)
    labels = (rng.logistic(size=len(hours)) < [1.5, -2, 0.3][seed % 3] * (hours - 3)).astype(int)
    labels[np.argsort(hours)[[0, 1, -2, -1]]] = [1, 0, 0, 1]  # a fail and a pass at both ends overlap
    return hours.tolist(), labels.tolist()


def test_starts_with_students_who_overlap():
    figure = LabelsAndCurve()
    assert len(figure.hours) == len(figure.labels) == 8 and figure.penalty == 0
    fails = [x for x, y in zip(figure.hours, figure.labels, strict=True) if not y]
    passes = [x for x, y in zip(figure.hours, figure.labels, strict=True) if y]
    assert max(fails) > min(passes)


def test_takes_arrays_and_other_students_together():
    figure = LabelsAndCurve(np.array([1, 2, 3]), torch.tensor([0, 0, 1]), penalty=0.1)
    assert (figure.hours, figure.labels, figure.penalty) == ([1, 2, 3], [0, 0, 1], 0.1)
    with figure.hold_sync(), figure.hold_trait_notifications():
        figure.hours, figure.labels = [0, 6], [1, 0]
    assert (figure.hours, figure.labels) == ([0, 6], [1, 0])


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"hours": [1, 2], "labels": [1]}, "a label for each"),
        ({"hours": [1], "labels": [1]}, "2 to 40 students"),
        ({"hours": [1] * 41, "labels": [1] * 41}, "2 to 40 students"),
        ({"hours": [1, 2], "labels": [0, 2]}, "labels 0 or 1, got"),
        ({"hours": [1, 2], "labels": [0.5, 1]}, "labels 0 or 1, got"),
        ({"hours": [1, 7], "labels": [0, 1]}, "hours inside a range"),
        ({"hours": [1, float("nan")], "labels": [0, 1]}, "finite"),
        ({"x_range": (6, 0)}, "not empty"),
        ({"penalty": -0.1}, r"penalty in \[0, 1\], got -0.1"),
        ({"penalty": float("nan")}, "penalty in"),
    ],
)
def test_refuses(arguments, words):
    with pytest.raises(TraitError, match=words):
        LabelsAndCurve(**arguments)


def test_keeps_its_value_when_a_bad_one_is_refused():
    figure = LabelsAndCurve([1, 2, 3], [0, 0, 1])
    assert_refused(figure, [("hours", [1]), ("labels", [0, 1, 3]), ("penalty", 2), ("x_range", (2, 3))])
    with pytest.raises(TypeError):
        LabelsAndCurve(slope=1)


@given(st.lists(st.tuples(st.floats(0, 6), st.integers(0, 1)), min_size=2, max_size=40))
def test_takes_any_students(students):
    hours, labels = zip(*students, strict=True)
    figure = LabelsAndCurve(hours, labels)
    assert figure.hours == list(hours) and figure.labels == list(labels)


@pytest.mark.parametrize("penalty", [0.0, 0.01, 1.0])
def test_fit_equals_scikit_learns(session, tmp_path, penalty):
    page = None
    for seed in range(6):
        hours, labels = random_students(seed)
        figure = LabelsAndCurve(hours, labels, penalty=penalty)
        page = session().open(write_page(tmp_path / f"{seed}.html", [figure]))
        fit, (w, b, bce, right) = page_fit(page), reference(hours, labels, penalty)
        assert (fit["w"], fit["b"], fit["bce"]) == pytest.approx((w, b, bce), rel=1e-6, abs=1e-7)
        assert fit["kind"] == "overlap" and fit["right"] == right
        assert fit["at"] == pytest.approx(-b / w, rel=1e-5)
        numbers = [float(re.match(r"[\u2212\d.]+", shown(page, row))[0].replace("\u2212", "-"))
                   for row in ("Slope w", "Mean cross-entropy", "the same in bits")]  # fmt: skip
        assert numbers == pytest.approx([w, bce, bce / np.log(2)], abs=6e-4)


@pytest.mark.parametrize("labels", [[0, 0, 1], [1, 0, 0], [1, 1, 0]])
def test_separable_classes_have_no_finite_slope(session, tmp_path, labels):
    page = session().open(write_page(tmp_path / "p.html", [LabelsAndCurve([1, 2, 3], labels)]))
    fit = page_fit(page)
    assert fit["kind"] == "separable" and fit["bce"] == 0 and fit["right"] == 3
    assert fit["w"] == (np.inf if labels[-1] else -np.inf) and fit["b"] == -fit["w"]
    assert fit["at"] == (1.5 if labels[0] != labels[1] else 2.5)
    assert "No finite w is best" in page.locator(".cw-state").inner_text()
    assert shown(page, "Slope w").endswith("∞") and page.locator(".cw-gap").get_attribute("width") != "0"
    page.get_by_label("Penalty λ").fill("9")  # the slider's places: none, then 1e-4, four to the decade
    fit, (w, b, bce, _) = page_fit(page), reference([1, 2, 3], labels, 0.01)
    assert fit["kind"] == "restrained"
    assert (fit["w"], fit["b"], fit["bce"]) == pytest.approx((w, b, bce), rel=1e-6)
    assert page.locator(".cw-gap").get_attribute("width") == "0"


@pytest.mark.parametrize(
    "hours, labels, kind, bce",
    [
        ([1, 2, 3], [1, 1, 1], "same", 0),
        ([1, 2, 3], [0, 0, 0], "same", 0),
        ([2, 2, 2, 2], [0, 0, 0, 1], "level", -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))),
        ([1, 2, 2, 3], [0, 0, 1, 1], "separable", 0.5 * np.log(2)),  # two at the threshold itself
        ([0, 0, 3], [0, 1, 1], "separable", 2 / 3 * np.log(2)),
    ],
)
def test_edge_cases_are_named(session, tmp_path, hours, labels, kind, bce):
    page = session().open(write_page(tmp_path / "p.html", [LabelsAndCurve(hours, labels)]))
    fit = page_fit(page)
    assert fit["kind"] == kind and fit["bce"] == pytest.approx(bce)
    assert "NaN" not in page.locator(".cw-labels").inner_html()


def test_nearly_separable_students_are_fitted(session, tmp_path):
    """One pair overlaps by a tenth of an hour: a steep curve, and still the best one."""
    hours, labels = [0.5, 1.5, 3.0, 3.1, 4.5, 5.5], [0, 0, 1, 0, 1, 1]
    page = session().open(write_page(tmp_path / "p.html", [LabelsAndCurve(hours, labels)]))
    fit, (w, b, bce, _) = page_fit(page), reference(hours, labels, 0)
    assert fit["kind"] == "overlap"
    assert (fit["w"], fit["b"], fit["bce"]) == pytest.approx((w, b, bce), rel=1e-5)


def test_by_keyboard(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [LabelsAndCurve([1, 2, 3], [0, 1, 0])]))
    page.keyboard.press("Tab")
    for key in ("ArrowRight", "ArrowRight", "Space"):  # student 1: 1.2 hours, passed
        page.keyboard.press(key)
    page.keyboard.press("Tab")
    for key in ("Shift+ArrowRight", "ArrowDown"):  # student 2: 3 hours, failed
        page.keyboard.press(key)
    fit, (w, b, *_) = page_fit(page), reference([1.2, 3, 3], [1, 0, 0], 0.01)
    assert fit["kind"] == "separable" and fit["w"] == -np.inf
    page.get_by_label("Penalty λ").fill("9")
    fit = page_fit(page)
    assert (fit["w"], fit["b"]) == pytest.approx((w, b), rel=1e-6)
    for _ in range(9):
        page.keyboard.press("Shift+Tab")
    student(page, 3).focus()
    for _ in range(9):
        page.keyboard.press("Shift+ArrowLeft")
    settle(page)
    assert student(page, 3).get_attribute("aria-valuenow") == "0", "a student stops at the end of the range"
    assert "failed" in student(page, 3).get_attribute("aria-valuetext")
    says(page, re.compile("mean cross-entropy"))
    page.get_by_role("button", name="Start again").click()
    settle(page)
    assert student(page, 3).get_attribute("aria-valuenow") == "3" and shown(page, "Slope w").endswith("0.000")


def test_by_mouse(session, tmp_path):
    figure = LabelsAndCurve([1, 2, 3, 4], [0, 1, 0, 1])
    page = session().open(write_page(tmp_path / "p.html", [figure, figure]))
    knob = student(page, 2).first.locator(".cw-knob")
    knob.click()
    settle(page)
    assert "failed" in student(page, 2).first.get_attribute("aria-valuetext")
    assert page_fit(page)["kind"] == "separable"
    knob.click()
    assert page_fit(page)["kind"] == "overlap"
    drag(page, knob, 25, 3)
    hours = float(student(page, 2).first.get_attribute("aria-valuenow"))
    assert 2.2 < hours < 2.9 and "passed" in student(page, 2).first.get_attribute("aria-valuetext")
    w, b, bce, _ = reference([1, hours, 3, 4], [0, 1, 0, 1], 0)
    assert page_fit(page)["w"] == pytest.approx(w, rel=1e-6)
    assert shown(page.locator(".cw-labels").nth(1), "Slope w") == shown(
        page.locator(".cw-labels").nth(0), "Slope w"
    ), "both views show the same fit"
    drag(page, student(page, 1).first.locator(".cw-knob"), 0, -250)
    assert "passed" in student(page, 1).first.get_attribute("aria-valuetext"), "dragged up to a pass"


def test_by_finger(session, tmp_path):
    address = write_page(tmp_path / "p.html", [LabelsAndCurve([1.5, 1.8, 4, 4.3], [0, 0, 1, 0])])
    page = session(has_touch=True, is_mobile=True, viewport={"width": 375, "height": 900}).open(address)
    box = student(page, 1).locator(".cw-knob").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch(page, [(x, y)])  # the area of student 2 overlaps it
    assert "passed" in student(page, 1).get_attribute("aria-valuetext")
    assert "failed" in student(page, 2).get_attribute("aria-valuetext")
    box = student(page, 4).locator(".cw-knob").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch(page, [(x, y), (x + 15, y), (x + 40, y)])
    assert float(student(page, 4).get_attribute("aria-valuenow")) > 4.6
    assert page.evaluate("scrollY") == 0, "dragging a student must not scroll the page"
