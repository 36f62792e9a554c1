"""Softmax explorer: logits and a temperature on sliders, the probabilities they turn into."""

from collections.abc import Sequence

import traitlets

from utils.widgets.base import CourseWidget, check_finite, read_module


class SoftmaxExplorer(CourseWidget):
    """A few logits on sliders, what the exponential makes of each, and the softmax probabilities.

    Traits (all can be set and read from Python): ``labels``, ``logits`` in [-5, 5], one for each label,
    and ``temperature`` in [0.1, 10], by which the logits are divided.
    """

    _esm = read_module("shared", "softmax_explorer")

    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    logits = traitlets.List(traitlets.CFloat()).tag(sync=True)
    temperature = traitlets.CFloat().tag(sync=True)

    def __init__(self, labels: Sequence[str], logits: Sequence[float], *, temperature: float = 1.0):
        """Show the logits.

        Args:
            labels: (n,) names of the classes, two or more.
            logits: (n,) numbers in [-5, 5].
            temperature: in [0.1, 10].

        Raises:
            traitlets.TraitError: if lengths differ, there are fewer than two classes, or a number lies
                outside its range.
        """
        self._check(list(labels), list(logits), temperature)
        super().__init__(labels=list(labels), logits=list(logits), temperature=temperature)

    @staticmethod
    def _check(labels: Sequence[str], logits: Sequence[float], temperature: float) -> None:
        check_finite("logits and temperature", (*logits, temperature))
        if len(labels) != len(logits) or len(labels) < 2:
            raise traitlets.TraitError(
                f"expected a logit for each of two or more labels, got {labels} and {logits}"
            )
        if any(abs(z) > 5 for z in logits) or not 0.1 <= temperature <= 10:
            raise traitlets.TraitError(
                f"expected logits in [-5, 5] and a temperature in [0.1, 10], got {logits} and {temperature}"
            )

    @traitlets.validate("labels", "logits", "temperature")
    def _validate(self, proposal: dict) -> list | float:
        self._check(self.labels, self.logits, self.temperature)
        return proposal["value"]
