"""Softmax explorer: logits and a temperature on sliders, the probabilities they turn into."""

from collections.abc import Sequence

import traitlets

from utils.widgets.base import CourseWidget, check_finite, read_module, read_style


class SoftmaxExplorer(CourseWidget):
    """A few logits on sliders, what the exponential makes of each, and the softmax probabilities.

    Traits (all can be set and read from Python): ``labels``, ``logits`` in [-5, 5], one for each label,
    and ``temperature`` in [0.1, 10], by which the logits are divided. Classes of another number go in
    together, as the points of :class:`LineAndLoss` do.
    """

    _esm = read_module("shared", "softmax_explorer")
    _css = read_style("softmax_explorer")

    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    logits = traitlets.List(traitlets.CFloat()).tag(sync=True)
    temperature = traitlets.CFloat().tag(sync=True)

    def __init__(self, labels: Sequence[str], logits: Sequence[float], *, temperature: float = 1.0):
        """Show the logits.

        Args:
            labels: (n,) short names of the classes, 2 to 10 of them.
            logits: (n,) numbers in [-5, 5].
            temperature: in [0.1, 10].

        Raises:
            traitlets.TraitError: if lengths differ, there are not 2 to 10 classes, or a number lies
                outside its range.
        """
        super().__init__(labels=list(labels), logits=[float(z) for z in logits], temperature=temperature)

    @traitlets.validate("labels", "logits")
    def _validate_classes(self, proposal: dict) -> list[str] | list[float]:
        labels, logits = self.values_with(proposal, "labels", "logits")
        check_finite("logits", logits)
        if len(labels) != len(logits) or not 2 <= len(labels) <= 10:
            raise traitlets.TraitError(
                f"expected 2 to 10 labels and a logit for each, got labels={labels} and logits={logits}"
            )
        if any(abs(z) > 5 for z in logits):
            raise traitlets.TraitError(f"expected logits in [-5, 5], got {logits}")
        return proposal["value"]

    @traitlets.validate("temperature")
    def _validate_temperature(self, proposal: dict) -> float:
        if not 0.1 <= proposal["value"] <= 10:  # also refuses NaN
            raise traitlets.TraitError(f"expected a temperature in [0.1, 10], got {proposal['value']}")
        return proposal["value"]
