"""Sliding window: a convolution place by place, and how far a stack of layers sees."""

from collections.abc import Sequence

import traitlets

from utils.widgets.base import CourseWidget, check_finite, read_module, read_style

NUMBERS = ((3.0, 4, 6, 5, 7), (2, 4, 6, 8, 2), (1, 6, 7, 8, 4), (9, 7, 4, 6, 2), (3, 7, 5, 4, 1))
ONE_TO_NINE = ((1.0, 2, 3), (4, 5, 6), (7, 8, 9))
THREE_LAYERS = ((3, 1, 1), (3, 1, 1), (3, 1, 1))  # kernel, stride, dilation


class SlidingWindow(CourseWidget):
    """A kernel that slides over a small picture, or the receptive field of a stack of layers.

    Traits (all can be set and read from Python): ``picture`` and ``kernel``, rows of numbers in
    [-9, 9]; ``padding``, ``stride`` and ``dilation``; ``position``, the place of the window counted
    row by row (beyond the last place it stands on the last); ``mode``, "window" or "field"; and
    ``layers``, the stack of the mode "field", from the input on.
    """

    _esm = read_module("shared", "sliding_window")
    _css = read_style("sliding_window")

    picture = traitlets.List(traitlets.List(traitlets.CFloat())).tag(sync=True)
    kernel = traitlets.List(traitlets.List(traitlets.CFloat())).tag(sync=True)
    padding = traitlets.Int().tag(sync=True)
    stride = traitlets.Int().tag(sync=True)
    dilation = traitlets.Int().tag(sync=True)
    position = traitlets.Int().tag(sync=True)
    mode = traitlets.Enum(["window", "field"]).tag(sync=True)
    layers = traitlets.List(traitlets.List(traitlets.Int())).tag(sync=True)

    def __init__(
        self,
        picture: Sequence[Sequence[float]] = NUMBERS,
        kernel: Sequence[Sequence[float]] = ONE_TO_NINE,
        *,
        padding: int = 0,
        stride: int = 1,
        dilation: int = 1,
        position: int = 0,
        mode: str = "window",
        layers: Sequence[Sequence[int]] = THREE_LAYERS,
    ):
        """Show the picture with the window on one place, or the stack.

        Args:
            picture: 2 to 7 rows of as many numbers in [-9, 9].
            kernel: 1 to 3 rows of as many numbers in [-9, 9].
            padding: 0 to 2 zeros on each side.
            stride: 1 to 3.
            dilation: 1 to 3. A window that fits nowhere is shown as such.
            position: 0 for the first place, then row by row.
            mode: "window" or "field".
            layers: 1 to 5 triples: kernel (1 to 5), stride (1 or 2), dilation (1 to 9).

        Raises:
            traitlets.TraitError: if a number lies outside its range or rows differ in length.
        """
        grids = [[[float(value) for value in row] for row in grid] for grid in (picture, kernel)]
        super().__init__(
            picture=grids[0], kernel=grids[1], padding=padding, stride=stride, dilation=dilation,
            position=position, mode=mode, layers=[[int(n) for n in layer] for layer in layers],
        )  # fmt: skip

    @traitlets.validate("picture", "kernel")
    def _validate_grid(self, proposal: dict) -> list[list[float]]:
        name, rows = proposal["trait"].name, proposal["value"]
        low, high = (2, 7) if name == "picture" else (1, 3)
        widths = {len(row) for row in rows}
        if len(widths) != 1 or not all(low <= n <= high for n in (len(rows), *widths)):
            raise traitlets.TraitError(f"expected {name} of {low} to {high} rows and columns, got {rows}")
        values = [value for row in rows for value in row]
        check_finite(name, values)
        if any(abs(value) > 9 for value in values):
            raise traitlets.TraitError(f"expected numbers in [-9, 9] in {name}, got {rows}")
        return rows

    @traitlets.validate("padding", "stride", "dilation", "position")
    def _validate_number(self, proposal: dict) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        low, high = {"padding": (0, 2), "position": (0, 10_000)}.get(name, (1, 3))
        if not low <= value <= high:
            raise traitlets.TraitError(f"expected {name} in [{low}, {high}], got {value}")
        return value

    @traitlets.validate("layers")
    def _validate_layers(self, proposal: dict) -> list[list[int]]:
        layers = proposal["value"]
        highest = (5, 2, 9)  # of kernel, stride, dilation
        if not 1 <= len(layers) <= 5 or any(len(layer) != 3 for layer in layers):
            raise traitlets.TraitError(f"expected 1 to 5 layers of kernel, stride, dilation, got {layers}")
        if not all(1 <= n <= top for layer in layers for n, top in zip(layer, highest, strict=True)):
            raise traitlets.TraitError(
                f"expected kernels in 1..5, strides in 1..2, dilations in 1..9, got {layers}"
            )
        return layers
