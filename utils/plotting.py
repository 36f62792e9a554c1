"""One look for all figures: colours told apart in greyscale, text at least 9 pt, the same SVG twice."""

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

BLUE, ORANGE, GREEN, PURPLE, GREY = "#1a5490", "#d4761c", "#2f8f6f", "#7a4f9a", "#6b6b6b"
WIDTH = 7.0  # inches: a figure of full width is 700 px wide on the page


def use_style() -> None:
    """Set matplotlib to the course's look, and notebooks to SVG pictures without a date in them."""
    plt.rcParams.update(
        {
            "figure.figsize": (WIDTH, 3.2),
            "figure.constrained_layout.use": True,
            "figure.dpi": 100,
            "figure.facecolor": "white",
            "font.size": 10,
            "axes.titlesize": 10,
            "axes.titlelocation": "left",
            "axes.labelsize": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": GREY,
            "axes.prop_cycle": mpl.cycler(
                color=[BLUE, ORANGE, GREEN, PURPLE, GREY], linestyle=["-", "--", "-.", ":", "-"]
            ),
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "legend.fontsize": 9,
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "image.cmap": "cividis",
            "image.interpolation": "none",
            "svg.hashsalt": "from-a-line-to-bert",
        }
    )
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", metadata={"Date": None})
    except (ImportError, AttributeError):  # a script, or IPython is not running
        pass


def grey_range(picture: np.ndarray) -> tuple[float, float]:
    """The values shown as paper and as ink."""
    if picture.dtype == np.uint8:
        return 0, 255
    numbers = picture[np.isfinite(picture)]
    low, high = (numbers.min(), numbers.max()) if numbers.size else (0, 0)
    return (low, high) if low < high else (0, 1)


def image_grid(
    images: Tensor | np.ndarray,
    titles: Sequence[str] | None = None,
    *,
    columns: int = 8,
) -> Figure:
    """Pictures in rows and columns, a row as wide as the page; grey ones with high values dark, as ink is.

    Args:
        images: (n, height, width) grey or (n, 3, height, width) RGB. Bytes go from 0 to 255; other grey
            pictures may be of any range, and each is scaled to its own (one of a single value goes from 0 to
            1); other RGB ones lie in [0, 1].
        titles: n short texts, above the pictures.
        columns: pictures a row.

    Raises:
        ValueError: if the shape is another, or the number of titles differs.
    """
    array = np.asarray(images.detach().cpu() if isinstance(images, Tensor) else images)
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[1] != 3) or len(array) == 0:
        shapes = "(n, height, width) or (n, 3, height, width)"
        raise ValueError(f"expected at least one image, {shapes}, got {array.shape}")
    if titles is not None and len(titles) != len(array):
        raise ValueError(f"expected {len(array)} titles, got {len(titles)}")
    columns = min(columns, len(array))
    rows = -(-len(array) // columns)
    size = WIDTH / columns  # inches
    height = size if titles is None else size + 0.2
    figure, axes = plt.subplots(rows, columns, figsize=(size * columns, height * rows))
    for i, axis in enumerate(np.atleast_1d(axes).flat):
        axis.axis("off")
        if i < len(array):
            low, high = grey_range(array[i])
            picture = array[i].transpose(1, 2, 0) if array.ndim == 4 else array[i]
            axis.imshow(picture, cmap="gray_r", vmin=low, vmax=high)
            if titles is not None:
                axis.set_title(titles[i], fontsize=9, loc="center")
    return figure


def heat_map(
    axis: Axes, matrix: np.ndarray, rows: str, columns: str, *, empty_diagonal: bool = False
) -> None:
    """A matrix of counts as coloured squares with the numbers written in them.

    Args:
        axis: where to draw.
        matrix: (rows, columns) whole numbers; zeros are left unwritten.
        rows: label of the vertical axis.
        columns: label of the horizontal axis.
        empty_diagonal: leave the diagonal out of the colour scale, so that the rest is visible.
    """
    shown = matrix.astype(float).copy()
    if empty_diagonal:
        np.fill_diagonal(shown, np.nan)
    axis.imshow(shown, cmap="Blues")
    half = np.nanmax(shown) / 2
    for (i, j), value in np.ndenumerate(matrix):
        if value:
            dark = not np.isnan(shown[i, j]) and shown[i, j] > half
            color = "white" if dark else "black"
            axis.text(j, i, int(value), ha="center", va="center", fontsize=9, color=color)
    axis.set(xlabel=columns, ylabel=rows, xticks=range(matrix.shape[1]), yticks=range(matrix.shape[0]))
    axis.spines[:].set_visible(False)


def label_line(axis: Axes, x: float, y: float, text: str, color: str, dx: float = 4, dy: float = 0) -> None:
    """Write a line's name beside it, instead of a legend: ``dx`` and ``dy`` in points."""
    axis.annotate(text, (x, y), (dx, dy), textcoords="offset points", color=color, fontsize=9, va="center")
