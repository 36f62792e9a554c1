"""The figure of chapter 2 and the contours that it shares with chapter 12."""

import json

import numpy as np
import pytest

from utils.widgets.base import read_module

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
