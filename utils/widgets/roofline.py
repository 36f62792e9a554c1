"""Roofline: how fast a layer can be on two machines, by its batch, its width and its numbers."""

import math
from collections.abc import Mapping, Sequence

import traitlets

from utils.widgets.base import CourseWidget, read_module, read_style

PRECISIONS = ("fp32", "bf16")
LIMITS = {"batch": (1, 4096), "width": (16, 8192)}
MACHINES = (
    {"name": "A CPU", "bandwidth": 20, "fp32": 100, "bf16": 100},
    {"name": "A100 (data sheet)", "bandwidth": 2039, "fp32": 19_500, "bf16": 312_000},
)


class Roofline(CourseWidget):
    """A fully connected layer under the roofs of two machines.

    The layer multiplies a batch (batch, width) with weights (width, width). Traits (all can be set and read
    from Python): ``batch`` and ``width``, powers of two, ``precision`` (one of `PRECISIONS`), and
    ``machines``: two dictionaries with ``name``, ``bandwidth`` in GB/s, and the peak in GFLOP/s for each
    precision. The page computes the rest.
    """

    _esm = read_module("shared", "plot", "roofline")
    _css = read_style("roofline")

    batch = traitlets.CInt(16).tag(sync=True)
    width = traitlets.CInt(1024).tag(sync=True)
    precision = traitlets.Enum(PRECISIONS, "fp32").tag(sync=True)
    machines = traitlets.List(traitlets.Dict()).tag(sync=True)

    def __init__(
        self,
        machines: Sequence[Mapping] = MACHINES,
        *,
        batch: int = 16,
        width: int = 1024,
        precision: str = "fp32",
    ):
        """Show the layer.

        Args:
            machines: two, as the class says; numbers between 0.1 and 10 million.
            batch: a power of two in [1, 4096].
            width: a power of two in [16, 8192].
            precision: ``"fp32"`` (4 bytes a number) or ``"bf16"`` (2 bytes).

        Raises:
            traitlets.TraitError: if a number lies outside its range or is no power of two, or a machine
                lacks an entry.
        """
        machines = [dict(machine) for machine in machines]
        super().__init__(machines=machines, batch=batch, width=width, precision=precision)

    @traitlets.validate("batch", "width")
    def _validate_size(self, proposal: dict) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        low, high = LIMITS[name]
        if not low <= value <= high or value & (value - 1):
            raise traitlets.TraitError(
                f"expected {name} to be a power of two in [{low}, {high}], got {value}"
            )
        return value

    @traitlets.validate("machines")
    def _validate_machines(self, proposal: dict) -> list:
        machines, names = proposal["value"], ("bandwidth", *PRECISIONS)
        if len(machines) != 2 or any(set(machine) != {"name", *names} for machine in machines):
            raise traitlets.TraitError(f"expected two machines with name, {', '.join(names)}, got {machines}")
        numbers = [machine[name] for machine in machines for name in names]
        if not all(math.isfinite(number) and 0.1 <= number <= 1e7 for number in numbers):
            raise traitlets.TraitError(f"expected numbers between 0.1 and 10 million, got {numbers}")
        return machines
