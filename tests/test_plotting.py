"""Figures: the shared look, grids of pictures, matrices of counts."""

import io
from collections.abc import Iterator

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.plotting import BLUE, GREEN, GREY, ORANGE, PURPLE, heat_map, image_grid, label_line, use_style


@pytest.fixture(autouse=True)
def own_settings() -> Iterator[None]:
    with mpl.rc_context({"backend": "agg"}):
        use_style()
        yield
    plt.close("all")


def contrast(*colors: str) -> float:
    """Contrast ratio of two colours as WCAG 2 defines it."""
    rgb = np.array([mpl.colors.to_rgb(color) for color in colors])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    low, high = sorted(linear @ [0.2126, 0.7152, 0.0722] + 0.05)
    return high / low


def test_lines_are_told_apart_without_colour():
    styles = [(c["linestyle"], c["color"]) for c in plt.rcParams["axes.prop_cycle"]]
    assert [color for _, color in styles] == [BLUE, ORANGE, GREEN, PURPLE, GREY]
    for i, (line, color) in enumerate(styles):
        for other_line, other in styles[:i]:
            assert line != other_line or contrast(color, other) > 1.3
        assert contrast(color, "white") >= 3  # WCAG 1.4.11


def test_text_is_at_least_9_points_and_the_ground_is_white():
    sizes = [value for name, value in plt.rcParams.items() if name.endswith(("labelsize", "font.size"))]
    assert all(size >= 9 for size in sizes if isinstance(size, (int, float)))
    assert plt.rcParams["figure.facecolor"] == "white"


def test_the_same_figure_gives_the_same_svg():
    def svg() -> bytes:
        figure, axis = plt.subplots()
        axis.plot([1, 3, 2])
        label_line(axis, 1, 3, "loss", BLUE)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
        return file.getvalue()

    assert svg() == svg()


@settings(deadline=None, derandomize=True, max_examples=10)
@given(st.integers(1, 9), st.booleans(), st.integers(1, 5), st.booleans())
def test_a_grid_shows_every_picture_once(n: int, colour: bool, columns: int, titled: bool):
    images = torch.rand(n, 3, 4, 5) if colour else torch.rand(n, 4, 5)
    titles = [str(i) for i in range(n)] if titled else None
    figure = image_grid(images, titles, columns=columns)
    shown = [axis for axis in figure.axes if axis.images]
    assert len(shown) == n and len(figure.axes) % min(columns, n) == 0
    for i, axis in enumerate(shown):
        expected = images[i].permute(1, 2, 0) if colour else images[i]
        assert np.array_equal(axis.images[0].get_array(), expected)
        assert axis.get_title() == (str(i) if titled else "")
    plt.close(figure)


def test_a_grid_takes_bytes_arrays_and_titles_as_an_array():
    image_grid(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), np.array(["a", "b"]))
    image_grid(np.zeros((1, 4, 4)))


@pytest.mark.parametrize(
    ("picture", "shown"),
    [
        (np.uint8([[255, 255]]), [0, 0]),  # ink alone
        (np.uint8([[0, 0]]), [1, 1]),  # paper alone
        (np.uint8([[0, 51]]), [1, 0.8]),  # faint ink stays faint
        (np.float32([[-3, 5]]), [1, 0]),
        (np.array([[0.0, 1e-9]]), [1, 0]),
        (np.array([[1.0, 1.0]]), [0, 0]),
        (np.array([[0.0, 0.0]]), [1, 1]),
        (np.array([[True, False]]), [0, 1]),
        (np.array([[True, True]]), [0, 0]),
        (np.array([[0, 9]]), [1, 0]),
    ],
)
def test_a_grid_shows_ink_dark_and_paper_white(picture: np.ndarray, shown: list[float]):
    (axis,) = image_grid(picture[None]).axes
    image = axis.images[0]
    colours = image.cmap(image.norm(image.get_array()))[0, :, 0]
    assert colours.tolist() == pytest.approx(shown, abs=0.01)


@pytest.mark.parametrize("shape", [(4, 4), (2, 1, 4, 4), (2, 4, 4, 3), (0, 4, 4), (1, 1, 3, 4, 4)])
def test_a_grid_refuses_other_shapes(shape: tuple):
    with pytest.raises(ValueError) as error:
        image_grid(np.zeros(shape))
    assert str(shape) in str(error.value)


def test_a_grid_refuses_another_number_of_titles():
    with pytest.raises(ValueError, match="expected 2 titles, got 1"):
        image_grid(torch.zeros(2, 4, 4), ["one"])


def test_a_heat_map_writes_its_counts_so_that_they_can_be_read():
    counts = np.array([[90, 0, 3], [1, 80, 0]])
    _, axis = plt.subplots()
    heat_map(axis, counts, "digit", "answer")
    assert {t.get_text(): t.get_color() for t in axis.texts} == {
        "90": "white",
        "80": "white",
        "3": "black",
        "1": "black",
    }
    assert (axis.get_ylabel(), axis.get_xlabel()) == ("digit", "answer")
    assert [len(axis.get_yticks()), len(axis.get_xticks())] == [2, 3]


def test_a_heat_map_without_its_diagonal_keeps_the_numbers_and_the_matrix():
    counts = np.array([[90, 4], [1, 80]])
    _, axis = plt.subplots()
    heat_map(axis, counts, "digit", "answer", empty_diagonal=True)
    colors = {t.get_text(): t.get_color() for t in axis.texts}
    assert colors == {"90": "black", "4": "white", "1": "black", "80": "black"}
    assert axis.images[0].get_clim() == (1, 4) and counts[0, 0] == 90
