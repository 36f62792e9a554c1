"""Polynomial fit: readings of a day, a polynomial through them, and its error on readings to come."""

from collections.abc import Sequence

import numpy as np
import traitlets

from utils.device import shifted
from utils.widgets.base import CourseWidget, check_finite, read_module, read_style

DEGREES, COUNTS = 15, (16, 128)  # a polynomial of the highest degree meets as many readings as there are


def draw_errors(seed: int) -> list[float]:
    """Errors of a thermometer in units of its standard deviation, as many as the figure can show."""
    return np.random.default_rng(shifted(seed)).normal(size=COUNTS[1]).round(4).tolist()


class PolynomialFit(CourseWidget):
    """Readings of a thermometer through a day, and the polynomial that fits them, with an L2 penalty or none.

    Traits (all can be set and read from Python): ``degree`` from 0 to 15, ``penalty`` in [0, 1], the λ of
    (λ/2)‖w‖² beside the mean squared error, ``noise``, the thermometer's standard deviation in degrees from
    0 to 3, ``count``, the number of readings from 16 to 128, and their ``errors`` in units of ``noise``, of
    which the first ``count`` are shown. The page solves the least squares, in Legendre polynomials.
    """

    _esm = read_module("shared", "plot", "polynomial_fit")
    _css = read_style("polynomial_fit")

    degree = traitlets.Int(3, min=0, max=DEGREES).tag(sync=True)
    penalty = traitlets.CFloat(0.0).tag(sync=True)
    noise = traitlets.CFloat(1.0).tag(sync=True)
    count = traitlets.Int(COUNTS[0], min=COUNTS[0], max=COUNTS[1]).tag(sync=True)
    errors = traitlets.List(traitlets.CFloat()).tag(sync=True)

    def __init__(
        self,
        errors: Sequence[float] | None = None,
        *,
        degree: int = 3,
        penalty: float = 0.0,
        noise: float = 1.0,
        count: int = COUNTS[0],
    ):
        """Show the readings.

        Args:
            errors: up to 128 numbers of a standard normal distribution; what lacks is drawn.
            degree: of the polynomial.
            penalty: in [0, 1]; 0 is plain least squares.
            noise: standard deviation of a reading, in degrees Celsius.
            count: number of readings, evenly spaced through the day.

        Raises:
            traitlets.TraitError: if a number lies outside its range, or there are more than 128 errors.
        """
        given = [] if errors is None else [float(error) for error in errors]
        errors = given + draw_errors(0)[len(given) :]
        super().__init__(errors=errors, degree=degree, penalty=penalty, noise=noise, count=count)

    @traitlets.validate("errors")
    def _validate_errors(self, proposal: dict) -> list[float]:
        check_finite("errors", proposal["value"])
        if len(proposal["value"]) != COUNTS[1]:
            raise traitlets.TraitError(f"expected {COUNTS[1]} errors, got {len(proposal['value'])}")
        return proposal["value"]

    @traitlets.validate("penalty", "noise")
    def _validate_range(self, proposal: dict) -> float:
        name, most = proposal["trait"].name, {"penalty": 1, "noise": 3}[proposal["trait"].name]
        if not 0 <= proposal["value"] <= most:  # also refuses NaN
            raise traitlets.TraitError(f"expected {name} in [0, {most}], got {proposal['value']}")
        return proposal["value"]
