"""Optimizer path: where SGD, momentum, Nesterov, RMSProp and Adam go on a surface, and how the loss falls."""

import traitlets

from utils.widgets.base import CourseWidget, check_finite, read_module, read_style

OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adam")
WINDOWS = {  # (lowest, highest) x and y of each surface, and the default start
    "valley": ((-2, 2), (-2, 2), (-1.7, 0.8)),
    "turned": ((-2, 2), (-2, 2), (-1.7, -0.2)),
    "rosenbrock": ((-2, 2), (-1, 3), (-1.2, 1.0)),
    "saddle": ((-2, 2), (-2, 2), (-1.6, 0.02)),
}
LIMITS = {"lr": (1e-4, 3), "beta1": (0, 0.99), "beta2": (0, 0.9999), "steps": (10, 500), "kappa": (1, 320)}
SETTING = ("optimizer", "lr", "beta1", "beta2", "start")


class OptimizerPath(CourseWidget):
    """The path of an optimizer on a surface beside its loss at each step; the start can be dragged.

    Traits (all can be set and read from Python): ``surface`` (a key of `WINDOWS`), ``optimizer`` (one of
    `OPTIMIZERS`, with PyTorch's conventions), ``lr``, ``beta1`` (the momentum of SGD too), ``beta2`` (the
    averaging of RMSProp too), ``steps``, ``start``, ``kappa`` (the condition number of the two valleys) and
    ``previous``: a setting with its own ``optimizer``, and what else differs, drawn as a faint path; empty
    for none. The figure puts there what was set before the reader's last change. A surface and a start go in
    together: ``with figure.hold_sync(), figure.hold_trait_notifications(): ...``.
    """

    _esm = read_module("shared", "plot", "contours", "optimizer_path")
    _css = read_style("contours", "optimizer_path")

    surface = traitlets.Enum(tuple(WINDOWS), "turned").tag(sync=True)
    optimizer = traitlets.Enum(OPTIMIZERS, "momentum").tag(sync=True)
    lr = traitlets.CFloat(0.01).tag(sync=True)
    beta1 = traitlets.CFloat(0.9).tag(sync=True)
    beta2 = traitlets.CFloat(0.999).tag(sync=True)
    steps = traitlets.CInt(100).tag(sync=True)
    kappa = traitlets.CFloat(100.0).tag(sync=True)
    start = traitlets.Tuple(traitlets.CFloat(), traitlets.CFloat()).tag(sync=True)
    previous = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        surface: str = "turned",
        optimizer: str = "momentum",
        *,
        lr: float = 0.01,
        beta1: float = 0.9,
        beta2: float = 0.999,
        steps: int = 100,
        kappa: float = 100.0,
        start: tuple[float, float] | None = None,
        previous: dict | None = None,
    ):
        """Show the path of one optimizer.

        Args:
            surface: ``"valley"``, ``"turned"``, ``"rosenbrock"`` or ``"saddle"``.
            optimizer: ``"sgd"``, ``"momentum"``, ``"nesterov"``, ``"rmsprop"`` or ``"adam"``.
            lr: learning rate in [0.0001, 3].
            beta1: momentum in [0, 0.99].
            beta2: averaging of the squared gradients in [0, 0.9999].
            steps: 10 to 500.
            kappa: condition number of the valleys in [1, 320].
            start: where the path begins, inside the surface's window; by default a telling place.
            previous: a faint path for comparison, for example ``{"optimizer": "sgd"}``.

        Raises:
            traitlets.TraitError: if a value is unknown or lies outside its range.
        """
        if start is None and surface in WINDOWS:
            start = WINDOWS[surface][2]
        numbers = dict(lr=lr, beta1=beta1, beta2=beta2, steps=steps, kappa=kappa)
        rest = dict(start=start or (0, 0), previous=previous or {})
        super().__init__(surface=surface, optimizer=optimizer, **numbers, **rest)

    @traitlets.validate("lr", "beta1", "beta2", "steps", "kappa")
    def _validate_number(self, proposal: dict) -> float:
        _check_number(proposal["trait"].name, proposal["value"])
        return proposal["value"]

    @traitlets.validate("surface", "start")
    def _validate_start(self, proposal: dict) -> str | tuple[float, float]:
        surface, start = self.values_with(proposal, "surface", "start")
        _check_start(surface, start)
        return proposal["value"]

    @traitlets.validate("previous")
    def _validate_previous(self, proposal: dict) -> dict:
        setting = proposal["value"]
        if setting and (setting.get("optimizer") not in OPTIMIZERS or not set(setting) <= set(SETTING)):
            raise traitlets.TraitError(
                f"expected previous to name an optimizer of {OPTIMIZERS}, and else some of {SETTING[1:]}, "
                f"got {setting}"
            )
        for name in ("lr", "beta1", "beta2"):
            if name in setting:
                _check_number(name, setting[name])
        if "start" in setting:
            _check_start(self.surface, setting["start"])
        return setting


def _check_number(name: str, value: float) -> None:
    low, high = LIMITS[name]
    if not low <= value <= high:
        raise traitlets.TraitError(f"expected {name} in [{low}, {high}], got {value}")


def _check_start(surface: str, start: tuple[float, float]) -> None:
    check_finite("start", start)
    windows = WINDOWS[surface][:2]
    if not all(low <= value <= high for value, (low, high) in zip(start, windows, strict=True)):
        raise traitlets.TraitError(f"expected start inside the window {windows} of {surface!r}, got {start}")
