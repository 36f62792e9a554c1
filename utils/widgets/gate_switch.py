"""Gate switch: a small trained GRU in the page, whose gates the reader forces open or shut."""

from collections.abc import Sequence

import torch
import traitlets
from torch import Tensor, nn

from utils.widgets.base import CourseWidget, check_finite, pack_halves, read_module, read_style, unpack_halves

FORCES = ("free", "0", "1")
MOST_STEPS, MOST_UNITS = 32, 64


class GateSwitch(CourseWidget):
    """Numbers and marks, what a GRU that should keep the last marked number answers, and its gates.

    Make it with :meth:`from_model`. Traits: ``hidden`` (units), ``weights`` (float16 bytes: weight_ih,
    weight_hh, bias_ih and bias_hh of the cell, weight and bias of the answer), and what the reader changes:
    ``values`` in [-1, 1], ``marks``, ``update`` and ``reset`` (what the gate is forced to: ``"free"``,
    ``"0"`` or ``"1"``), ``span`` (first and last step, from 1, at which gates are forced) and ``chosen``
    (the step, from 1, that the controls change).
    """

    _esm = read_module("shared", "plot", "halves", "gate_switch")
    _css = read_style("gate_switch")

    hidden = traitlets.Int().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    values = traitlets.List(traitlets.CFloat()).tag(sync=True)
    marks = traitlets.List(traitlets.Bool()).tag(sync=True)
    update = traitlets.Enum(FORCES, "free").tag(sync=True)
    reset = traitlets.Enum(FORCES, "free").tag(sync=True)
    span = traitlets.Tuple(traitlets.Int(), traitlets.Int()).tag(sync=True)
    chosen = traitlets.Int(1).tag(sync=True)

    @classmethod
    def from_model(
        cls, cell: nn.GRUCell, answer: nn.Linear, values: Sequence[float], marks: Sequence[bool]
    ) -> "GateSwitch":
        """Put a cell, its answer and a sequence into a figure; the modules are left as they are.

        Args:
            cell: reads a value and a mark; at most 64 units.
            answer: from the state to one number.
            values: (steps,) numbers in [-1, 1], 2 to 32 of them.
            marks: (steps,) whether each is to be remembered.

        Raises:
            ValueError: if the modules are others.
            traitlets.TraitError: if values or marks do not fit.
        """
        hidden = getattr(cell, "hidden_size", 0)
        if not isinstance(cell, nn.GRUCell) or cell.input_size != 2 or not cell.bias or hidden > MOST_UNITS:
            raise ValueError(f"expected a GRUCell of 2 inputs with biases, at most 64 units, got {cell}")
        if not isinstance(answer, nn.Linear) or tuple(answer.weight.shape) != (1, hidden):
            raise ValueError(f"expected an answer nn.Linear({hidden}, 1), got {answer}")
        parts = [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh, answer.weight, answer.bias]
        state = {"hidden": hidden, "weights": pack_halves(parts), "span": (1, len(values))}
        return cls(**state, values=[float(v) for v in values], marks=[bool(m) for m in marks])

    def run(
        self, *, update: str | None = None, reset: str | None = None, span: tuple[int, int] | None = None
    ) -> dict[str, Tensor]:
        """What the page computes, from the state alone, by torch.

        Args:
            update: what the update gate is forced to; by default as it is in the figure. Likewise the others.
            reset: what the reset gate is forced to.
            span: first and last step, from 1, at which gates are forced.

        Returns:
            ``answers`` (steps,), ``states``, ``update`` and ``reset`` (steps, hidden each).
        """
        n, numbers = self.hidden, unpack_halves(self.weights)
        sizes = [6 * n, 3 * n * n, 3 * n, 3 * n, n, 1]
        w_ih, w_hh, b_ih, b_hh, w, b = numbers.split(sizes)
        forced = {"update": update or self.update, "reset": reset or self.reset}
        first, last = span or self.span
        h, rows = torch.zeros(n), []
        for t, (value, mark) in enumerate(zip(self.values, self.marks, strict=True), start=1):
            x = torch.tensor([value, float(mark)])
            x_r, x_z, x_n = (w_ih.view(-1, 2) @ x + b_ih).chunk(3)
            h_r, h_z, h_n = (w_hh.view(-1, n) @ h + b_hh).chunk(3)
            gates = {"reset": torch.sigmoid(x_r + h_r), "update": torch.sigmoid(x_z + h_z)}
            for name, to in forced.items():
                if to != "free" and first <= t <= last:
                    gates[name] = torch.full((n,), float(to))
            candidate = torch.tanh(x_n + gates["reset"] * h_n)
            h = (1 - gates["update"]) * candidate + gates["update"] * h
            rows.append({"answers": w @ h + b[0], "states": h} | gates)
        return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}

    @traitlets.validate("values", "marks", "span", "chosen")
    def _validate_sequence(self, proposal: dict) -> list | tuple | int:
        values, marks, span, chosen = self.values_with(proposal, "values", "marks", "span", "chosen")
        count = len(values)
        check_finite("values", values)
        if not 2 <= count <= MOST_STEPS or any(abs(v) > 1 for v in values):
            raise traitlets.TraitError(f"expected 2 to {MOST_STEPS} values in [-1, 1], got {values}")
        if len(marks) != count:
            raise traitlets.TraitError(f"expected a mark for each of {count} values, got {len(marks)}")
        if not 1 <= span[0] <= span[1] <= count:
            raise traitlets.TraitError(f"expected a span of steps in 1..{count}, got {span}")
        if not 1 <= chosen <= count:
            raise traitlets.TraitError(f"expected chosen to be a step in 1..{count}, got {chosen}")
        return proposal["value"]
