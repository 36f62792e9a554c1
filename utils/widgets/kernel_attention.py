"""Kernel attention: what a query answers, and which keys it listens to, at a width that the reader sets."""

from collections.abc import Sequence

import traitlets

from utils.widgets.base import CourseWidget, check_finite, check_inside, read_module, read_style


class KernelAttention(CourseWidget):
    """Nadaraya-Watson regression: the answer over all queries beside the weights of one.

    Traits (all can be set and read from Python): ``xs`` (the keys), ``ys`` (the values), ``query``,
    ``query_range``, ``width``, ``width_range``. New points of another number go in together: ``with
    figure.hold_sync(), figure.hold_trait_notifications(): figure.xs, figure.ys = keys, values``.
    """

    _esm = read_module("shared", "plot", "kernel_attention")
    _css = read_style("kernel_attention")

    xs = traitlets.List(traitlets.CFloat()).tag(sync=True)
    ys = traitlets.List(traitlets.CFloat()).tag(sync=True)
    query = traitlets.CFloat().tag(sync=True)
    query_range = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)
    width = traitlets.CFloat().tag(sync=True)
    width_range = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)

    def __init__(
        self,
        keys: Sequence[float] = (1.0, 2.0, 3.0),
        values: Sequence[float] = (1.0, 3.0, 2.0),
        *,
        query: float | None = None,
        width: float = 0.5,
        query_range: tuple[float, float] | None = None,
        width_range: tuple[float, float] = (0.02, 5.0),
    ):
        """Show the points and what the query answers.

        Args:
            keys: (n,) places, at least one.
            values: (n,) the number at each.
            query: the place asked for, in ``query_range``; the middle of it if not given.
            width: standard deviation of the Gaussian kernel, in ``width_range``, in the unit of the keys.
            query_range: lowest and highest query; by default somewhat beyond the keys.
            width_range: lowest and highest width, above 0.

        Raises:
            traitlets.TraitError: if lengths differ, a number is not finite, a range is empty, or query or
                width lies outside its range.
        """
        keys, values = [float(x) for x in keys], [float(y) for y in values]
        self._check_points(keys, values)
        if query_range is None:
            spare = 0.1 * (max(keys) - min(keys)) or 1.0
            query_range = (min(keys) - spare, max(keys) + spare)
        query = sum(query_range) / 2 if query is None else query
        numbers = {"query": query, "query_range": query_range, "width": width, "width_range": width_range}
        super().__init__(xs=keys, ys=values, **numbers)

    @staticmethod
    def _check_points(keys: Sequence[float], values: Sequence[float]) -> None:
        check_finite("keys", keys)
        check_finite("values", values)
        if len(keys) != len(values) or not keys:
            raise traitlets.TraitError(
                f"expected as many keys as values, at least one, got {keys} and {values}"
            )

    @traitlets.validate("xs", "ys")
    def _validate_points(self, proposal: dict) -> list[float]:
        self._check_points(*self.values_with(proposal, "xs", "ys"))
        return proposal["value"]

    @traitlets.validate("query", "query_range", "width", "width_range")
    def _validate_numbers(self, proposal: dict) -> float | tuple[float, float]:
        for name in ("query", "width"):
            check_inside(name, *self.values_with(proposal, name, f"{name}_range"))
        (lowest, _) = self.values_with(proposal, "width_range")[0]
        if lowest <= 0:
            raise traitlets.TraitError(f"expected widths above 0, got width_range from {lowest}")
        return proposal["value"]
