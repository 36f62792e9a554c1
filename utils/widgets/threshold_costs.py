"""Threshold and costs: a threshold moves along the ROC curve; counts, precision, recall and cost follow."""

from collections.abc import Sequence

import traitlets

from utils.widgets.base import CourseWidget, check_finite, read_module, read_style


class ThresholdCosts(CourseWidget):
    """People with a stated probability and a label; who has at least the threshold is called positive.

    Traits (all can be set and read from Python): ``probabilities`` in [0, 1] and ``labels`` (0 or 1, one for
    each, both among them), ``threshold`` in [0, 1] and ``cost``, what a positive person who is missed costs,
    in false alarms, in [1, 20]. People of another number go in together, as in :class:`LabelsAndCurve`.
    """

    _esm = read_module("shared", "plot", "threshold_costs")
    _css = read_style("threshold_costs")

    probabilities = traitlets.List(traitlets.CFloat()).tag(sync=True)
    labels = traitlets.List(traitlets.CInt()).tag(sync=True)
    threshold = traitlets.CFloat().tag(sync=True)
    cost = traitlets.CFloat().tag(sync=True)

    def __init__(
        self,
        probabilities: Sequence[float],
        labels: Sequence[int],
        *,
        threshold: float = 0.5,
        cost: float = 4.0,
    ):
        """Show the people.

        Args:
            probabilities: (n,) numbers in [0, 1], 2 to 2,000 of them; kept to four decimals.
            labels: (n,) 0 or 1; at least one of each.
            threshold: in [0, 1].
            cost: of a miss, in false alarms, in [1, 20].

        Raises:
            traitlets.TraitError: if lengths differ, there are not 2 to 2,000 people, a class is missing, or a
                number lies outside its range.
        """
        people = [round(float(p), 4) for p in probabilities]
        marks = [float(y) for y in labels]
        if not set(marks) <= {0, 1}:  # CInt would cut 0.9 down to 0
            raise traitlets.TraitError(f"expected labels 0 or 1, got {sorted(set(marks))}")
        super().__init__(probabilities=people, labels=marks, threshold=threshold, cost=cost)

    @traitlets.validate("probabilities", "labels")
    def _validate_people(self, proposal: dict) -> list:
        probabilities, labels = self.values_with(proposal, "probabilities", "labels")
        check_finite("probabilities", probabilities)
        if len(probabilities) != len(labels) or not 2 <= len(labels) <= 2000:
            raise traitlets.TraitError(
                f"expected the probabilities of 2 to 2,000 people and a label for each, got "
                f"{len(probabilities)} and {len(labels)}"
            )
        if set(labels) != {0, 1}:
            raise traitlets.TraitError(f"expected labels 0 and 1, both of them, got {sorted(set(labels))}")
        if not all(0 <= p <= 1 for p in probabilities):
            raise traitlets.TraitError("expected probabilities in [0, 1]")
        return proposal["value"]

    @traitlets.validate("threshold")
    def _validate_threshold(self, proposal: dict) -> float:
        if not 0 <= proposal["value"] <= 1:  # also refuses NaN
            raise traitlets.TraitError(f"expected a threshold in [0, 1], got {proposal['value']}")
        return proposal["value"]

    @traitlets.validate("cost")
    def _validate_cost(self, proposal: dict) -> float:
        if not 1 <= proposal["value"] <= 20:
            raise traitlets.TraitError(f"expected a cost in [1, 20], got {proposal['value']}")
        return proposal["value"]
