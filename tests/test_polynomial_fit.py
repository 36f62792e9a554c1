"""Polynomial fit, from Python's side and in the browser: its fits are NumPy's and scikit-learn's."""

import re

import numpy as np
import pytest
from figure_page import assert_refused, says, settle, tap, write_page
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial import Polynomial
from numpy.polynomial.legendre import legvander
from sklearn.linear_model import Ridge
from traitlets import TraitError

from utils.widgets import PolynomialFit

HOURS = np.linspace(0, 22.5, 451)


def page_fit(page) -> dict:
    settle(page)
    return page.evaluate("document.querySelector('.cw-polynomial').fit")


def truth(hours: np.ndarray) -> np.ndarray:
    return 12 - 6 * np.cos(2 * np.pi * (hours - 4) / 24)


def features(hours: np.ndarray, degree: int) -> np.ndarray:
    return legvander(2 * np.array(hours) / 22.5 - 1, degree)


def reference(fit: dict, degree: int, penalty: float) -> np.ndarray:
    """Weights by NumPy's least squares, or scikit-learn's ridge regression."""
    X, y = features(fit["times"], degree), np.array(fit["readings"])
    if degree == 0 or penalty == 0:
        return np.linalg.lstsq(X, y, rcond=None)[0]
    model = Ridge(alpha=len(y) * penalty / 2, solver="svd").fit(X[:, 1:], y)
    return np.array([model.intercept_, *model.coef_])


def shown(page, row: str) -> float:
    words = page.get_by_role("row", name=row).locator("td").inner_text()
    return float(re.match(r"[\d.e]+", words)[0])


def test_starts_with_sixteen_readings():
    figure = PolynomialFit()
    assert (figure.degree, figure.penalty, figure.noise, figure.count) == (3, 0, 1, 16)
    assert len(figure.errors) == 128 and 0.8 < np.std(figure.errors) < 1.2


def test_given_errors_come_first():
    figure = PolynomialFit(np.array([1.0, -2.0]), degree=15, penalty=0.1, noise=2, count=20)
    assert figure.errors[:2] == [1, -2] and figure.errors[2:] == PolynomialFit().errors[2:]


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"degree": 16}, "degree"),
        ({"degree": -1}, "degree"),
        ({"count": 15}, "count"),
        ({"count": 129}, "count"),
        ({"penalty": -0.1}, r"penalty in \[0, 1\], got -0.1"),
        ({"penalty": float("nan")}, "penalty in"),
        ({"noise": 3.5}, r"noise in \[0, 3\]"),
        ({"errors": [0.0] * 129}, "128 errors, got 129"),
        ({"errors": [float("inf")]}, "finite"),
    ],
)
def test_refuses(arguments, words):
    with pytest.raises(TraitError, match=words):
        PolynomialFit(**arguments)


def test_keeps_its_value_when_a_bad_one_is_refused():
    bad = [("degree", 99), ("penalty", 2), ("noise", -1), ("count", 0), ("errors", [1, 2])]
    assert_refused(PolynomialFit(), bad)


@given(st.lists(st.floats(-5, 5), max_size=128), st.integers(0, 15), st.floats(0, 1))
def test_takes_any_errors(errors, degree, penalty):
    figure = PolynomialFit(errors, degree=degree, penalty=penalty)
    assert figure.errors[: len(errors)] == errors and figure.penalty == penalty


@pytest.mark.parametrize("penalty", [0.0, 1e-4, 0.3])
@pytest.mark.parametrize("count, noise", [(16, 1.0), (48, 3.0), (128, 0.25)])
def test_fits_equal_numpys_and_scikit_learns(session, tmp_path, penalty, count, noise):
    figure = PolynomialFit(degree=15, penalty=penalty, count=count, noise=noise)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    fit = page_fit(page)
    times, readings = np.array(fit["times"]), np.array(fit["readings"])
    assert np.allclose(times, np.linspace(0, 22.5, count))
    assert np.allclose(readings, truth(times) + noise * np.array(figure.errors[:count]))
    assert fit["w"] == pytest.approx(reference(fit, 15, penalty), rel=1e-7, abs=1e-7)
    assert fit["norm"] == pytest.approx(np.linalg.norm(fit["w"][1:]))
    for degree in range(16):
        w = reference(fit, degree, penalty)
        left = ((features(times, degree) @ w - readings) ** 2).mean() ** 0.5
        new = (((features(HOURS, degree) @ w - truth(HOURS)) ** 2).mean() + noise**2) ** 0.5
        assert fit["train"][degree] == pytest.approx(left, rel=1e-6, abs=1e-7)
        assert fit["fresh"][degree] == pytest.approx(new, rel=1e-6)
    assert shown(page, "Training error") == pytest.approx(fit["train"][15], abs=0.006)
    assert shown(page, "Error on new readings") == pytest.approx(fit["fresh"][15], abs=0.006)
    assert shown(page, "Length of the weights") == pytest.approx(fit["norm"], rel=0.5, abs=0.06)


def test_without_a_penalty_the_basis_does_not_matter(session, tmp_path):
    """The same curve as from bare powers."""
    page = session().open(write_page(tmp_path / "p.html", [PolynomialFit(degree=7)]))
    fit = page_fit(page)
    powers = Polynomial.fit(fit["times"], fit["readings"], 7)
    assert features(HOURS, 7) @ fit["w"] == pytest.approx(powers(HOURS), abs=1e-9)


def test_by_keyboard(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [PolynomialFit()]))
    before = page_fit(page)
    page.keyboard.press("Tab")
    page.keyboard.press("End")  # degree 15
    fit = page_fit(page)
    assert len(fit["w"]) == 16 and fit["train"][15] < 1e-6 and fit["fresh"] == before["fresh"]
    assert fit["fresh"][15] > 2 * fit["fresh"][3]
    says(page, re.compile("Training error 0.00 °C, error on new readings"))
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")  # the weakest penalty
    settle(page)  # what is drawn comes a frame later
    slider = page.get_by_label("Penalty λ")
    assert slider.get_attribute("aria-valuetext") == "0.000001"
    assert page_fit(page)["norm"] < fit["norm"]
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("End")
    assert len(page_fit(page)["times"]) == 128
    page.get_by_label("Noise").fill("0")
    assert np.allclose(page_fit(page)["readings"], truth(np.linspace(0, 22.5, 128)))


def test_other_errors_by_mouse_and_by_finger(session, tmp_path):
    address = write_page(tmp_path / "p.html", [PolynomialFit(count=128)])
    page = session().open(address)
    before = page_fit(page)["readings"]
    page.get_by_role("button", name="Other errors").click()
    readings = np.array(page_fit(page)["readings"])
    errors = readings - truth(np.linspace(0, 22.5, 128))
    assert (readings != before).all() and 0.6 < errors.std() < 1.5 and abs(errors.mean()) < 0.6
    phone = session(has_touch=True, is_mobile=True, viewport={"width": 375, "height": 900}).open(address)
    tap(phone, phone.get_by_role("button", name="Other errors"))
    assert page_fit(phone)["readings"] != before


def test_the_picture_has_no_nan(session, tmp_path):
    for figure in (PolynomialFit(degree=15), PolynomialFit(noise=0, degree=15), PolynomialFit(degree=0)):
        page = session().open(write_page(tmp_path / "p.html", [figure]))
        settle(page)
        assert "NaN" not in page.locator(".cw-polynomial").inner_html()
