"""Decision boundary: a small network that is trained inside the page, and what it makes of the plane."""

import traitlets

from utils.widgets.base import CourseWidget, read_module, read_style

LAST_STEP = 4000


class DecisionBoundary(CourseWidget):
    """A multilayer perceptron on two inputs, trained in the page, with its boundary, loss and accuracy.

    Traits (all can be set and read from Python): ``data`` ("xor", "moons" or "spirals"), ``hidden`` (1 to 16
    units a layer), ``layers`` (1 or 2 hidden layers), ``activation`` ("linear", "relu", "tanh" or "sigmoid"),
    ``seed`` (of the initial weights) and ``steps``: how many steps of Adam the network has been trained. Each
    step uses all points, so that these six say everything about the network: a page that is given them
    trains up to ``steps`` and shows the same picture.
    """

    _esm = read_module("shared", "decision_boundary")
    _css = read_style("decision_boundary")

    data = traitlets.Enum(("xor", "moons", "spirals")).tag(sync=True)
    hidden = traitlets.CInt().tag(sync=True)
    layers = traitlets.CInt().tag(sync=True)
    activation = traitlets.Enum(("linear", "relu", "tanh", "sigmoid")).tag(sync=True)
    seed = traitlets.CInt().tag(sync=True)
    steps = traitlets.CInt().tag(sync=True)

    def __init__(
        self,
        data: str = "xor",
        *,
        hidden: int = 4,
        layers: int = 1,
        activation: str = "tanh",
        seed: int = 0,
        steps: int = 0,
    ):
        """Show the network after so many steps.

        Args:
            data: "xor" (four clouds), "moons" or "spirals"; 200 points in two classes.
            hidden: units in each hidden layer, 1 to 16.
            layers: hidden layers, 1 or 2.
            activation: "linear" (none), "relu", "tanh" or "sigmoid".
            seed: of the initial weights, 0 to 9999.
            steps: of training at the start, 0 to 4000.

        Raises:
            traitlets.TraitError: if a value is another.
        """
        numbers = {"hidden": hidden, "layers": layers, "seed": seed, "steps": steps}
        super().__init__(data=data, activation=activation, **numbers)

    @traitlets.validate("hidden", "layers", "seed", "steps")
    def _validate_number(self, proposal: dict) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        low, high = {"hidden": (1, 16), "layers": (1, 2), "seed": (0, 9999), "steps": (0, LAST_STEP)}[name]
        if not low <= value <= high:
            raise traitlets.TraitError(f"expected {name} in {low}..{high}, got {value}")
        return value
