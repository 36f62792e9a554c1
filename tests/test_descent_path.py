"""The figure of chapter 2 and the contours that it shares with chapter 12."""

import json
import re

import numpy as np
import pytest
import torch
from figure_page import assert_refused, drag, says, settle, touch, write_page
from traitlets import TraitError

from utils.widgets import DescentPath
from utils.widgets.base import read_module
from utils.widgets.descent_path import step_limit

CONTOURS = read_module("shared", "plot", "contours")
SURFACES = {
    "bowl": ("u * u + 4 * v * v", lambda u, v: u**2 + 4 * v**2),
    "saddle": ("u * u - v * v", lambda u, v: u**2 - v**2),
    "waves": ("Math.sin(3 * u) * Math.cos(2 * v)", lambda u, v: np.sin(3 * u) * np.cos(2 * v)),
    "rosenbrock": (
        "(1 - u) ** 2 + 10 * (v - u * u) ** 2",
        lambda u, v: (1 - u) ** 2 + 10 * (v - u * u) ** 2,
    ),
}


def in_page(page, script: str):
    """What a script computes with the figures' shared code in scope."""
    return page.evaluate(f"() => {{ {CONTOURS}\n {script} }}")


@pytest.mark.parametrize("name", SURFACES)
def test_contours_lie_where_the_function_has_the_level(session, tmp_path, name):
    script, function = SURFACES[name]
    (tmp_path / "p.html").write_text("<!doctype html><title>Empty</title><p>Empty")
    page = session().open((tmp_path / "p.html").as_uri(), "p")
    for level in (-0.5, 0.3, 1.1, 2.0):
        lines = in_page(
            page,
            f"return rings(sampleGrid((u, v) => {script}, [-2, 2], [-1, 3], 80), {json.dumps(level)})",
        )
        u, v = np.array([point for ring in lines for point in ring]).reshape(-1, 2).T
        own = (abs(u) < 2.04) & (v > -1.04) & (v < 3.04)  # the rest closes a ring beyond the panel
        grid_u, grid_v = np.meshgrid(np.linspace(-2, 2, 81), np.linspace(-1, 3, 81), indexing="ij")
        low = function(grid_u, grid_v) <= level
        slope = np.hypot(*np.gradient(function(grid_u, grid_v), 0.05)).max()
        assert (abs(function(u, v)[own] - level) < 0.002 * slope).all()
        assert bool(low.any() and not low.all()) == bool(own.any())
        # The share of the panel at or below the level: the rings' even-odd area is the grid's.
        inside = np.zeros(grid_u.shape, bool)
        for ring in lines:
            inside ^= surrounds(np.array(ring), grid_u, grid_v)
        assert (inside != low).mean() < 0.01


def surrounds(ring: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Whether points lie inside a closed ring, by counting the crossings of a ray."""
    inside = np.zeros(u.shape, bool)
    for (u1, v1), (u2, v2) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if v1 != v2:
            inside ^= ((v1 > v) != (v2 > v)) & (u < (u2 - u1) * (v - v1) / (v2 - v1) + u1)
    return inside


def test_contours_are_drawn_highest_first_with_their_levels(session, tmp_path):
    (tmp_path / "p.html").write_text("<!doctype html><title>Empty</title><p>Empty")
    page = session().open((tmp_path / "p.html").as_uri(), "p")
    levels, texts = in_page(
        page,
        """const where = panel("Test", [-2, 2], [-2, 2], ["u"], ["v"]);
        const group = contours(where, (u, v) => (v > 1.9 ? NaN : u * u + v * v), [0.5, 3, 1]);
        return [[...group.querySelectorAll("path")].map((path) => Number(path.dataset.level)),
                [...group.querySelectorAll("text")].map((text) => text.textContent)];""",
    )
    assert levels == [3, 1, 0.5] and texts == ["3", "1", "0.5"]


def mulberry(seed: int):
    """The figure's generator of random numbers, once more."""
    state, mask = seed, 2**32 - 1
    while True:
        state = (state + 0x6D2B79F5) & mask
        t = ((state ^ (state >> 15)) * (state | 1)) & mask
        t ^= (t + ((t ^ (t >> 7)) * (t | 61) & mask)) & mask
        yield ((t ^ (t >> 14)) & mask) / 2**32


def torch_path(figure: DescentPath) -> tuple[np.ndarray, np.ndarray]:
    """The descent that a figure stands for, with autograd's gradients: path (steps + 1, 2) and losses."""
    xs, ys = (torch.tensor(values, dtype=torch.float64) for values in (figure.xs, figure.ys))
    line = torch.tensor(figure.start, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([line], lr=figure.lr)
    n, random, waiting = len(xs), mulberry(figure.seed), []
    order, size = list(range(n)), figure.batch_size or n
    path = [line.detach().clone()]
    for _ in range(figure.steps):
        if not waiting:
            for i in range(n - 1, 0, -1):
                j = int(next(random) * (i + 1))
                order[i], order[j] = order[j], order[i]
            waiting = [order[i : i + size] for i in range(0, n, size)]
        chosen = waiting.pop(0)
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(line[0] * xs[chosen] + line[1], ys[chosen]).backward()
        optimizer.step()
        path.append(line.detach().clone())
    path = torch.stack(path)
    return path.numpy(), ((path[:, :1] * xs + path[:, 1:] - ys) ** 2).mean(dim=1).numpy()


def patients(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    xs = rng.normal(1.3, 0.9, 40)
    return xs, 90 + 50 * xs + 60 * rng.normal(size=40)


def page_path(page) -> tuple[np.ndarray, np.ndarray]:
    run = page.evaluate("document.querySelector('.cw-descent').parentElement.descent()")
    return np.array(run["path"]), np.array(run["losses"])


@pytest.mark.parametrize("size", [0, 7, 1])
@pytest.mark.parametrize("seed", [0, 123456])
def test_path_is_torchs(session, tmp_path, size, seed):
    figure = DescentPath(*patients(seed), steps=130, batch_size=size, seed=seed, lr=0.06)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    path, losses = page_path(page)
    expected_path, expected_losses = torch_path(figure)
    np.testing.assert_allclose(path, expected_path, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-9)
    verdict = page.locator(".cw-verdict").inner_text()
    lowest = np.polyfit(figure.xs, figure.ys, 1, full=True)[1][0] / 40
    assert f"MSE is {expected_losses[-1]:.4g};" in verdict and f"lowest is {lowest:.4g}." in verdict


@pytest.mark.parametrize("share, word", [(0.3, "Converges"), (0.98, "Oscillates"), (1.02, "Diverges")])
def test_verdict_is_what_happens(session, tmp_path, share, word):
    xs, ys = patients()
    limit = 2 / np.linalg.eigvalsh(2 / 40 * np.stack([xs, xs**0]) @ np.stack([xs, xs**0]).T)[-1]
    assert step_limit(xs) == pytest.approx(limit)
    figure = DescentPath(xs, ys, lr=share * limit, steps=200)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    assert page.locator(".cw-verdict strong").inner_text().startswith(word)
    assert f"η is {share:.2g} of 2/\u2060λmax" in page.locator(".cw-verdict").inner_text()
    _, losses = page_path(page)
    excess = losses - np.polyfit(xs, ys, 1, full=True)[1][0] / 40
    assert (excess[-1] > excess[-50]) == (share > 1)


def test_divergence_to_infinity_is_drawn(session, tmp_path):
    figure = DescentPath(lr=90, steps=200)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    assert "MSE is \u221e" in page.locator(".cw-verdict").inner_text()
    drawn = page.evaluate("[...document.querySelectorAll('.cw svg *')].map(e => e.outerHTML).join('')")
    assert "NaN" not in drawn and "Infinity" not in drawn


def test_controls(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [DescentPath(*patients(), lr=0.05)]))
    rate, steps = page.get_by_label("Learning rate"), page.get_by_label("Steps")
    limit = step_limit(patients()[0])
    rate.focus()
    page.keyboard.press("End")
    settle(page)
    assert page.locator(".cw-verdict strong").inner_text() == "Diverges"
    assert 1.25 < float(rate.get_attribute("aria-valuetext").split(", ")[1].split()[0]) < 1.4
    mark, track = page.locator(".cw-track small").bounding_box(), rate.bounding_box()
    at = (mark["x"] + mark["width"] / 2 - track["x"] - 8) / (track["width"] - 16)
    low, high = (float(rate.get_attribute(name)) for name in ("min", "max"))
    page.keyboard.press("Home")
    settle(page)
    step = float(rate.get_attribute("aria-valuetext").split(",")[0])
    assert step * (low + at * (high - low)) == pytest.approx(limit, rel=0.02), "the mark stands at the limit"
    steps.fill("7")
    settle(page)
    assert len(page_path(page)[0]) == 8
    again = page.get_by_role("button", name="New sample")
    assert again.get_attribute("aria-disabled") == "true"
    page.get_by_label("One").check()
    settle(page)
    assert again.get_attribute("aria-disabled") is None
    before = page_path(page)[0]
    again.click()
    settle(page)
    after = page_path(page)[0]
    assert (before[0] == after[0]).all() and (before[-1] != after[-1]).all()
    says(page, re.compile(r"^Wanders\."))


def test_start_by_keyboard_mouse_and_finger(session, tmp_path):
    figure = DescentPath(start=(0, 0), w_range=(-2, 6), b_range=(-4, 4))
    address = write_page(tmp_path / "p.html", [figure])
    page = session().open(address)
    start = page.get_by_role("slider", name="Start of the descent")
    start.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+ArrowRight")
    settle(page)
    assert page_path(page)[0][0] == pytest.approx([0.5, 0.05])
    for _ in range(20):
        page.keyboard.press("Shift+ArrowDown")
    settle(page)
    assert page_path(page)[0][0] == pytest.approx([0.5, -4]), "the start stays on the map"
    drag(page, start.locator(".cw-knob"), 60, -60)
    w, b = page_path(page)[0][0]
    assert w > 1 and b > -3.5
    np.testing.assert_allclose(page_path(page)[0], torch_path(DescentPath(start=(w, b)))[0], atol=1e-9)

    page = session(has_touch=True, is_mobile=True, viewport={"width": 375, "height": 1800}).open(address)
    box = page.locator(".cw-knob").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch(page, [(x, y), (x, y - 20), (x, y - 40)])
    assert page_path(page)[0][0][1] > 0.5 and page.evaluate("scrollY") == 0


def test_python_side():
    figure = DescentPath()
    assert (figure.xs, figure.ys, figure.steps, figure.batch_size) == ([1, 2, 3], [2, 4, 6], 40, 0)
    assert 0 < figure.lr < step_limit(figure.xs) == pytest.approx(2 / 11.0925, rel=1e-4)
    slope, intercept = np.polyfit(figure.xs, figure.ys, 1)
    assert figure.w_range[0] < slope < figure.w_range[1]
    assert figure.b_range[0] < intercept < figure.b_range[1]
    with figure.hold_sync(), figure.hold_trait_notifications():
        figure.xs, figure.ys = [0, 1], [5, 6]
    assert (figure.xs, figure.ys) == ([0, 1], [5, 6])


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"xs": [1, 2], "ys": [1]}, "as many xs as ys"),
        ({"xs": [1, 1], "ys": [1, 2]}, "two different xs"),
        ({"ys": [1, 2, float("inf")]}, "ys to be finite"),
        ({"start": (99, 0)}, "expected w inside .* got w=99"),
        ({"start": (0, float("nan"))}, "finite"),
        ({"w_range": (2, 2), "start": (2, 0)}, "not empty"),
        ({"lr": 0}, "lr above 0, got 0"),
        ({"lr": float("nan")}, "lr to be finite"),
        ({"steps": 0}, "steps in 1..200, got 0"),
        ({"batch_size": 4}, "batch_size in 0..3, got 4"),
        ({"seed": -1}, "seed in 0"),
    ],
)
def test_python_refuses(arguments, words):
    with pytest.raises(TraitError, match=words):
        DescentPath(**arguments)
    figure = DescentPath()
    assert_refused(figure, [] if {"xs", "w_range"} & arguments.keys() else [*arguments.items()])
