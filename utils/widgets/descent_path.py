"""Descent path: gradient descent on the mean squared error of a line, step by step."""

from collections.abc import Sequence

import numpy as np
import traitlets

from utils.widgets.base import CourseWidget, check_finite, check_inside, read_module, read_style
from utils.widgets.line_and_loss import check_points, fit_line, round_inside, round_range


def step_limit(xs: Sequence[float]) -> float:
    """The learning rate 2/λmax beyond which descent on the mean squared error over (w, b) diverges."""
    X = np.stack([xs, np.ones(len(xs))], axis=1)
    return float(2 / np.linalg.eigvalsh(2 / len(X) * X.T @ X)[-1])


def path_ranges(xs: Sequence[float], ys: Sequence[float]) -> list[tuple[float, float]]:
    """Ranges of w and b about the least-squares line in which the contours are neither flat nor narrow."""
    slope, intercept = fit_line(xs, ys)
    X = np.stack([xs, np.ones(len(xs))], axis=1)
    reach = 0.45 * max(np.ptp(ys), 1e-9)  # a line this far off at all x is far off
    halves = reach * np.sqrt(np.diag(np.linalg.inv(X.T @ X / len(X))))
    return [round_range(slope, halves[0]), round_range(intercept, halves[1])]


class DescentPath(CourseWidget):
    """Gradient descent on the loss of ŷ = wx + b: its path on the contours, its loss, and its line.

    Traits (all can be set and read from Python): ``xs``, ``ys``, ``start`` (w, b), ``lr``, ``steps``,
    ``batch_size`` (0: all examples in every step), ``seed`` of the random order, ``w_range`` and
    ``b_range``. New points of another number go in together:
    ``with figure.hold_sync(), figure.hold_trait_notifications(): figure.xs, figure.ys = xs, ys``.
    """

    _esm = read_module("shared", "plot", "contours", "descent_path")
    _css = read_style("descent_path")

    xs = traitlets.List(traitlets.CFloat()).tag(sync=True)
    ys = traitlets.List(traitlets.CFloat()).tag(sync=True)
    start = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)
    lr = traitlets.CFloat().tag(sync=True)
    steps = traitlets.CInt().tag(sync=True)
    batch_size = traitlets.CInt().tag(sync=True)
    seed = traitlets.CInt().tag(sync=True)
    w_range = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)
    b_range = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)

    def __init__(
        self,
        xs: Sequence[float] = (1.0, 2.0, 3.0),
        ys: Sequence[float] = (2.0, 4.0, 6.0),
        *,
        start: tuple[float, float] | None = None,
        lr: float | None = None,
        steps: int = 40,
        batch_size: int = 0,
        seed: int = 0,
        w_range: tuple[float, float] | None = None,
        b_range: tuple[float, float] | None = None,
    ):
        """Descend from ``start``.

        Args:
            xs: (n,) numbers, at least two of them different.
            ys: (n,) numbers.
            start: slope and intercept at the start, inside the ranges; by default towards a corner.
            lr: the learning rate; by default 0.6 of the limit 2/λmax.
            steps: how many updates to show, 1 to 200.
            batch_size: examples in a step, from 1 to n; 0 means all.
            seed: of the random order in which examples come.
            w_range: lowest and highest slope shown; by default round numbers about the best slope.
            b_range: lowest and highest intercept shown; likewise.

        Raises:
            traitlets.TraitError: if lengths differ, a number is not finite, all x are equal, a range is
                empty, the start lies outside, or ``lr``, ``steps`` or ``batch_size`` is out of bounds.
        """
        xs, ys = [float(x) for x in xs], [float(y) for y in ys]
        check_points(xs, ys)
        near_w, near_b = path_ranges(xs, ys)
        w_range, b_range = w_range or near_w, b_range or near_b
        if start is None:
            corner = zip((0.2, 0.2), (w_range, b_range), strict=True)
            start = tuple(
                round_inside(low + share * (high - low), (low, high)) for share, (low, high) in corner
            )
        lr = float(f"{0.6 * step_limit(xs):.2g}") if lr is None else lr
        ranges = {"w_range": w_range, "b_range": b_range}
        run = {"lr": lr, "steps": steps, "batch_size": batch_size, "seed": seed}
        super().__init__(xs=xs, ys=ys, start=start, **run, **ranges)

    @traitlets.validate("xs", "ys")
    def _validate_points(self, proposal: dict) -> list[float]:
        check_points(*self.values_with(proposal, "xs", "ys"))
        return proposal["value"]

    @traitlets.validate("start", "w_range", "b_range")
    def _validate_start(self, proposal: dict) -> tuple[float, float]:
        start, *ranges = self.values_with(proposal, "start", "w_range", "b_range")
        for name, value, limits in zip(("w", "b"), start, ranges, strict=True):
            check_inside(name, value, limits)
        return proposal["value"]

    @traitlets.validate("lr")
    def _validate_lr(self, proposal: dict) -> float:
        check_finite("lr", [proposal["value"]])
        if proposal["value"] <= 0:
            raise traitlets.TraitError(f"expected lr above 0, got {proposal['value']}")
        return proposal["value"]

    @traitlets.validate("steps", "batch_size", "seed")
    def _validate_counts(self, proposal: dict) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        low, high = {"steps": (1, 200), "batch_size": (0, len(self.xs)), "seed": (0, 2**31 - 1)}[name]
        if not low <= value <= high:
            raise traitlets.TraitError(f"expected {name} in {low}..{high}, got {value}")
        return value
