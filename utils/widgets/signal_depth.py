"""Signal and depth: how large activations and gradients are at each layer of a random network."""

import traitlets

from utils.widgets.base import CourseWidget, check_finite, read_module, read_style

ACTIVATIONS = ("relu", "tanh", "sigmoid", "centred")
LIMITS = {"gain": (0.1, 5), "depth": (2, 60), "seed": (0, 9999)}


class SignalDepth(CourseWidget):
    """The root mean square of activations and gradients, layer by layer, beside the two recursions.

    The page draws a network of 100 units a layer with weights of standard deviation ``gain / sqrt(100)``,
    sends an input of size 1 forward and a gradient of size 1 back, and marks what it finds; lines are what
    theory says of infinitely many units. Traits (all can be set and read from Python): ``activation`` (one of
    `ACTIVATIONS`; ``"centred"`` is 4σ(z) − 2), ``gain``, ``depth`` and ``seed``.
    """

    _esm = read_module("shared", "plot", "signal_depth")
    _css = read_style("signal_depth")

    activation = traitlets.Enum(ACTIVATIONS, "relu").tag(sync=True)
    gain = traitlets.CFloat(1.0).tag(sync=True)
    depth = traitlets.CInt(30).tag(sync=True)
    seed = traitlets.CInt(0).tag(sync=True)

    def __init__(self, activation: str = "relu", *, gain: float = 1.0, depth: int = 30, seed: int = 0):
        """Show a network before training.

        Args:
            activation: ``"relu"``, ``"tanh"``, ``"sigmoid"`` or ``"centred"``.
            gain: standard deviation of the weights times the root of the number of units, in [0.1, 5].
            depth: number of layers, 2 to 60.
            seed: of the weights that the page draws, 0 to 9999.

        Raises:
            traitlets.TraitError: if the activation is another, or a number lies outside its range.
        """
        super().__init__(activation=activation, gain=gain, depth=depth, seed=seed)

    @traitlets.validate("gain", "depth", "seed")
    def _validate_number(self, proposal: dict) -> float:
        name, value = proposal["trait"].name, proposal["value"]
        check_finite(name, [value])
        low, high = LIMITS[name]
        if not low <= value <= high:
            raise traitlets.TraitError(f"expected {name} in [{low}, {high}], got {value}")
        return value
