"""Line and loss: a line, its residuals, and the mean squared error over its parameters."""

import math
from collections.abc import Sequence

import numpy as np
import traitlets

from utils.widgets.base import CourseWidget, check_finite, check_inside, read_module


def fit_line(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """Slope and intercept of the least-squares line through points with at least two different x."""
    slope, intercept = np.polyfit(xs, ys, deg=1)
    return float(slope), float(intercept)


def round_range(centre: float, half: float) -> tuple[float, float]:
    """A range of round numbers about ``centre`` that reaches at least ``half`` to both sides."""
    step = 10.0 ** math.floor(math.log10(half)) / 2
    middle, reach = round(centre / step), math.ceil(half / step - 1e-9)
    return float((middle - reach) * step), float((middle + reach) * step)


def default_ranges(xs: Sequence[float], ys: Sequence[float]) -> list[tuple[float, float]]:
    """Ranges of slope and intercept about the least-squares line, wide enough to see a bad line too."""
    slope, intercept = fit_line(xs, ys)
    height = max(*ys, 0.0) - min(*ys, 0.0)
    height = height if height > 1e-100 else 1.0  # all y may be 0, or subnormal
    steepness = max(abs(slope), height / max(abs(x) for x in xs))
    return [round_range(slope, 1.5 * steepness), round_range(intercept, 0.5 * height)]


def round_inside(value: float, limits: tuple[float, float]) -> float:
    """The value rounded to a 120th of the range, and moved into it."""
    step = (limits[1] - limits[0]) / 120
    return min(max(round(round(value / step) * step, 12), limits[0]), limits[1])


def check_points(xs: Sequence[float], ys: Sequence[float]) -> None:
    """Raise traitlets.TraitError unless a line can be fitted to these points."""
    check_finite("xs", xs)
    check_finite("ys", ys)
    if len(xs) != len(ys) or len(set(xs)) < 2:
        raise traitlets.TraitError(
            f"expected as many xs as ys, with at least two different xs, got xs={xs} and ys={ys}"
        )


class LineAndLoss(CourseWidget):
    """Data with the line ŷ = wx + b beside its mean squared error over (w, b); everything moves together.

    Traits (all can be set and read from Python): ``xs``, ``ys``, ``w``, ``b``, ``w_range``,
    ``b_range``, ``one_parameter`` (the line is ŷ = wx, and ``b`` is kept but not used) and
    ``show_optimum`` (mark the least-squares solution). New points of another number go in together:
    ``with figure.hold_sync(), figure.hold_trait_notifications(): figure.xs, figure.ys = xs, ys``.
    """

    _esm = read_module("shared", "plot", "line_and_loss")

    xs = traitlets.List(traitlets.CFloat()).tag(sync=True)
    ys = traitlets.List(traitlets.CFloat()).tag(sync=True)
    w = traitlets.CFloat().tag(sync=True)
    b = traitlets.CFloat().tag(sync=True)
    w_range = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)
    b_range = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)
    one_parameter = traitlets.Bool().tag(sync=True)
    show_optimum = traitlets.Bool().tag(sync=True)

    def __init__(
        self,
        xs: Sequence[float] = (1.0, 2.0, 3.0),
        ys: Sequence[float] = (2.0, 4.0, 6.0),
        *,
        w: float | None = None,
        b: float | None = None,
        one_parameter: bool = False,
        show_optimum: bool = False,
        w_range: tuple[float, float] | None = None,
        b_range: tuple[float, float] | None = None,
    ):
        """Show the points and the line ``w``, ``b``.

        Args:
            xs: (n,) numbers, at least two of them different.
            ys: (n,) numbers.
            w: slope at the start, inside ``w_range``; by default about half the best slope.
            b: intercept at the start, inside ``b_range``; by default about the best one.
            one_parameter: start with the line through the origin, ŷ = wx.
            show_optimum: start with the least-squares solution marked.
            w_range: lowest and highest slope; by default round numbers about the best slope.
            b_range: lowest and highest intercept; by default round numbers about the best one.

        Raises:
            traitlets.TraitError: if lengths differ, a number is not finite, all x are equal, a range
                is empty, or a parameter lies outside its range.
        """
        xs, ys = [float(x) for x in xs], [float(y) for y in ys]
        check_points(xs, ys)
        slope, intercept = fit_line(xs, ys)
        near_w, near_b = default_ranges(xs, ys)
        w_range, b_range = w_range or near_w, b_range or near_b
        w = round_inside(slope / 2, w_range) if w is None else w
        b = round_inside(intercept, b_range) if b is None else b
        modes = {"one_parameter": one_parameter, "show_optimum": show_optimum}
        super().__init__(xs=xs, ys=ys, w=w, b=b, w_range=w_range, b_range=b_range, **modes)

    @traitlets.validate("xs", "ys")
    def _validate_points(self, proposal: dict) -> list[float]:
        check_points(*self.values_with(proposal, "xs", "ys"))
        return proposal["value"]

    @traitlets.validate("w", "b", "w_range", "b_range")
    def _validate_parameters(self, proposal: dict) -> float | tuple[float, float]:
        for name in ("w", "b"):
            check_inside(name, *self.values_with(proposal, name, f"{name}_range"))
        return proposal["value"]
