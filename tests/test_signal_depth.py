"""The figure of signal and depth: what it refuses, whether its sizes are torch's and its theory SciPy's."""

import re

import numpy as np
import pytest
import torch
from figure_page import assert_refused, says, settle, tap, write_page
from scipy import integrate
from traitlets import TraitError

from utils.widgets import SignalDepth
from utils.widgets.signal_depth import ACTIVATIONS

UNITS = 100
BENDS = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "centred": lambda z: 4 * torch.sigmoid(z) - 2,
}
FOUND = """depth => {
    const { measured, predicted, drawn } = document.querySelector('.cw-signal').found;
    const layers = Array.from({ length: depth }, (_, l) => Array.from(drawn.layer(l)));
    return { measured, predicted, input: Array.from(drawn.input), top: Array.from(drawn.top), layers }; }"""


def found(page, depth: int) -> dict:
    settle(page)
    return page.evaluate(FOUND, depth)


def sizes_of(figure: SignalDepth, page_found: dict) -> dict[str, list[float]]:
    """The same network in torch, its gradients by autograd."""
    rms = lambda x: x.square().mean().sqrt().item()  # noqa: E731
    h = torch.tensor(page_found["input"], dtype=torch.float64, requires_grad=True)
    kept = [h]
    for weights in page_found["layers"]:
        W = torch.tensor(weights, dtype=torch.float64).view(UNITS, UNITS) * figure.gain / UNITS**0.5
        kept.append(BENDS[figure.activation](W @ kept[-1]))
    gradients = torch.autograd.grad(kept[-1], kept, torch.tensor(page_found["top"], dtype=torch.float64))
    return {"forward": [rms(x) for x in kept], "backward": [rms(g) for g in gradients]}


def theory_of(figure: SignalDepth) -> dict[str, list[float]]:
    """The recursions with SciPy's integrals and torch's slopes."""

    def mean_square(deviation: float, slope: bool) -> float:
        def integrand(x: np.ndarray) -> np.ndarray:
            z = torch.tensor(deviation * x, requires_grad=True)
            value = BENDS[figure.activation](z)
            if slope:
                (value,) = torch.autograd.grad(value.sum(), z)
            return value.detach().numpy() ** 2 * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)

        return sum(integrate.fixed_quad(integrand, *ends, n=80)[0] for ends in ((-8, 0), (0, 8)))

    forward, factors = [1.0], []
    for _ in range(figure.depth):
        deviation = figure.gain * forward[-1]
        forward.append(mean_square(deviation, False) ** 0.5)
        factors.append(figure.gain * mean_square(deviation, True) ** 0.5)
    return {"forward": forward, "backward": [float(np.prod(factors[l:])) for l in range(figure.depth + 1)]}  # noqa: E741


def test_starts_with_thirty_layers_of_relu():
    figure = SignalDepth()
    assert (figure.activation, figure.gain, figure.depth, figure.seed) == ("relu", 1.0, 30, 0)


def test_refuses_what_it_cannot_show():
    bad = [("activation", "gelu"), ("gain", 0), ("gain", 6), ("gain", float("nan"))]
    bad += [("depth", 1), ("seed", -1)]
    for name, value in bad:
        with pytest.raises(TraitError):
            SignalDepth(**{name: value})
    assert_refused(SignalDepth(), bad)
    with pytest.raises(TraitError, match=r"gain in \[0.1, 5\], got 6"):
        SignalDepth(gain=6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_sizes_are_torchs_and_the_recursion_scipys(session, tmp_path, activation):
    for number, (gain, depth) in enumerate([(1.0, 12), (2.5, 5)]):
        figure = SignalDepth(activation, gain=gain, depth=depth, seed=number)
        page = session().open(write_page(tmp_path / f"{number}.html", [figure]))
        seen = found(page, depth)
        numbers = np.array(seen["layers"])
        assert abs(numbers.mean()) < 0.02 and abs(numbers.std() - 1) < 0.02, "standard normal"
        assert abs(np.corrcoef(numbers[0], numbers[1])[0, 1]) < 0.05, "each layer has weights of its own"
        ours, theory = sizes_of(figure, seen), theory_of(figure)
        for way in ("forward", "backward"):
            assert seen["measured"][way] == pytest.approx(ours[way], rel=1e-9)
            assert seen["predicted"][way] == pytest.approx(theory[way], rel=2e-3)


def test_by_keyboard_and_button(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [SignalDepth(depth=20)]))
    before = found(page, 20)
    page.get_by_role("button", name="g = √2").click()
    after = found(page, 20)
    assert after["predicted"]["forward"] == pytest.approx([1.0] * 21, rel=1e-4)
    assert after["measured"]["forward"][-1] == pytest.approx(before["measured"]["forward"][-1] * 2**10)
    page.get_by_label("Gain g").press("ArrowRight")
    page.get_by_label("Layers").press("ArrowRight")
    settle(page)
    assert page.locator(".cw-value").all_inner_texts() == ["1.42", "21"]
    page.get_by_label("Activation").select_option("sigmoid")
    says(page, re.compile(r"^sigmoid σ, gain 1.42: activations 0\.\d+ after 21 layers, gradient"))
    page.get_by_role("button", name="New weights").click()
    assert found(page, 1)["layers"] != after["layers"][:1]
    assert "NaN" not in page.locator(".cw-signal").inner_html()


def test_far_sizes_stay_near_the_panel(session, tmp_path):
    for number, gain in enumerate((0.1, 5.0)):
        figure = SignalDepth("relu", gain=gain, depth=60)
        page = session().open(write_page(tmp_path / f"{number}.html", [figure]))
        settle(page)
        marks = page.locator(".cw-dots-forward").get_attribute("d")
        heights = [float(y) for y in re.findall(r" (-?[\d.]+)", marks)]
        assert all(-300 < y < 600 for y in heights)


def test_by_finger(session, tmp_path):
    page = session(has_touch=True, is_mobile=True, viewport={"width": 375, "height": 900}).open(
        write_page(tmp_path / "p.html", [SignalDepth()])
    )
    tap(page, page.get_by_role("button", name="g = √2"))
    settle(page)
    assert page.locator(".cw-value").first.inner_text() == "1.41"
