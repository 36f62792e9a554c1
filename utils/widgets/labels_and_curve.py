"""Labels and curve: students who passed or failed, and the logistic curve fitted to them at once."""

from collections.abc import Sequence

import traitlets

from utils.widgets.base import CourseWidget, check_finite, read_module, read_style

HOURS = (0.5, 1.0, 1.8, 2.5, 3.0, 3.7, 4.4, 5.2)
LABELS = (0, 0, 0, 1, 0, 1, 1, 1)


class LabelsAndCurve(CourseWidget):
    """Students at their hours of study, a label each, and the fitted probability of a pass.

    Traits (all can be set and read from Python): ``hours`` inside ``x_range``, ``labels`` (0 or 1, one for
    each), ``x_range`` and ``penalty`` in [0, 1], the λ of (λ/2)w² beside the mean cross-entropy. The page
    computes the fit. Students of another number go in together, as the points of :class:`LineAndLoss` do.
    """

    _esm = read_module("shared", "plot", "labels_and_curve")
    _css = read_style("labels_and_curve")

    hours = traitlets.List(traitlets.CFloat()).tag(sync=True)
    labels = traitlets.List(traitlets.CInt()).tag(sync=True)
    x_range = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)
    penalty = traitlets.CFloat().tag(sync=True)

    def __init__(
        self,
        hours: Sequence[float] = HOURS,
        labels: Sequence[int] = LABELS,
        *,
        x_range: tuple[float, float] = (0.0, 6.0),
        penalty: float = 0.0,
    ):
        """Show the students.

        Args:
            hours: (n,) numbers inside ``x_range``, 2 to 40 of them.
            labels: (n,) 0 for a fail, 1 for a pass.
            x_range: lowest and highest hours that a student can be moved to.
            penalty: in [0, 1]; 0 is plain maximum likelihood.

        Raises:
            traitlets.TraitError: if lengths differ, there are not 2 to 40 students, a label is neither 0 nor
                1, the range is empty, or a number lies outside its range.
        """
        students = {"hours": [float(x) for x in hours], "labels": [float(y) for y in labels]}
        if not set(students["labels"]) <= {0, 1}:  # CInt would cut 0.9 down to 0
            raise traitlets.TraitError(f"expected labels 0 or 1, got {students['labels']}")
        super().__init__(**students, x_range=tuple(x_range), penalty=penalty)

    @traitlets.validate("hours", "labels", "x_range")
    def _validate_students(self, proposal: dict) -> list | tuple:
        hours, labels, (low, high) = self.values_with(proposal, "hours", "labels", "x_range")
        check_finite("hours and x_range", (*hours, low, high))
        if len(hours) != len(labels) or not 2 <= len(hours) <= 40:
            raise traitlets.TraitError(
                f"expected the hours of 2 to 40 students and a label for each, got hours={hours} "
                f"and labels={labels}"
            )
        if not set(labels) <= {0, 1}:
            raise traitlets.TraitError(f"expected labels 0 or 1, got {labels}")
        if not low < high or not all(low <= x <= high for x in hours):
            raise traitlets.TraitError(
                f"expected hours inside a range that is not empty, got hours={hours} "
                f"and x_range={(low, high)}"
            )
        return proposal["value"]

    @traitlets.validate("penalty")
    def _validate_penalty(self, proposal: dict) -> float:
        if not 0 <= proposal["value"] <= 1:  # also refuses NaN
            raise traitlets.TraitError(f"expected a penalty in [0, 1], got {proposal['value']}")
        return proposal["value"]
