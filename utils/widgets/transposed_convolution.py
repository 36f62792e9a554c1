"""Transposed convolution: stamp by stamp, and as an ordinary convolution over numbers set apart by zeros."""

from collections.abc import Sequence

import traitlets

from utils.widgets.base import CourseWidget, check_finite, read_module, read_style

ZERO_TO_THREE = ((0.0, 1), (2, 3))
LIMITS = {"padding": (0, 2), "stride": (1, 3), "position": (0, 10_000)}


class TransposedConvolution(CourseWidget):
    """Every number of a small picture stamps the kernel, times itself, on a larger one.

    Traits (all can be set and read from Python): ``picture`` and ``kernel``, rows of numbers in [-9, 9];
    ``stride``; ``padding``, which counts as the kernel's smaller side less one where it is more;
    ``position``, the number whose stamp was put down last, or the place of the output at which the window
    stands, both counted row by row (beyond the last it is the last); ``mode``, "stamp" or "window".
    """

    _esm = read_module("shared", "transposed_convolution")
    _css = read_style("transposed_convolution")

    picture = traitlets.List(traitlets.List(traitlets.CFloat())).tag(sync=True)
    kernel = traitlets.List(traitlets.List(traitlets.CFloat())).tag(sync=True)
    stride = traitlets.Int().tag(sync=True)
    padding = traitlets.Int().tag(sync=True)
    position = traitlets.Int().tag(sync=True)
    mode = traitlets.Enum(["stamp", "window"]).tag(sync=True)

    def __init__(
        self,
        picture: Sequence[Sequence[float]] = ZERO_TO_THREE,
        kernel: Sequence[Sequence[float]] = ZERO_TO_THREE,
        *,
        stride: int = 1,
        padding: int = 0,
        position: int = 0,
        mode: str = "stamp",
    ):
        """Show the picture, the kernel and what has been stamped so far.

        Args:
            picture: 1 to 3 rows of as many numbers in [-9, 9].
            kernel: 1 to 4 rows of as many numbers in [-9, 9].
            stride: 1 to 3, from stamp to stamp.
            padding: 0 to 2 rows and columns that are cut off on each side.
            position: 0 for the first number or place, then row by row.
            mode: "stamp" or "window".

        Raises:
            traitlets.TraitError: if a number lies outside its range or rows differ in length.
        """
        grids = [[[float(value) for value in row] for row in grid] for grid in (picture, kernel)]
        super().__init__(
            picture=grids[0], kernel=grids[1], stride=stride, padding=padding, position=position, mode=mode
        )

    @traitlets.validate("picture", "kernel")
    def _validate_grid(self, proposal: dict) -> list[list[float]]:
        name, rows = proposal["trait"].name, proposal["value"]
        high = 3 if name == "picture" else 4
        widths = {len(row) for row in rows}
        if len(widths) != 1 or not all(1 <= n <= high for n in (len(rows), *widths)):
            raise traitlets.TraitError(f"expected {name} of 1 to {high} rows and columns, got {rows}")
        values = [value for row in rows for value in row]
        check_finite(name, values)
        if any(abs(value) > 9 for value in values):
            raise traitlets.TraitError(f"expected numbers in [-9, 9] in {name}, got {rows}")
        return rows

    @traitlets.validate(*LIMITS)
    def _validate_number(self, proposal: dict) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        low, high = LIMITS[name]
        if not low <= value <= high:
            raise traitlets.TraitError(f"expected {name} in [{low}, {high}], got {value}")
        return value
