"""What the interactive figures share: how their module and their style sheet are put together."""

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import anywidget
import numpy as np
import torch
import traitlets
from torch import Tensor

HERE = Path(__file__).parent
NOTES = re.compile(r"(?m)^\s*//.*\n|^\s*/\*(.|\n)*?\*/\s*\n|^[ ]+")


def read_module(*names: str) -> str:
    """The source of one ES module: the named files of this folder, joined in this order.

    The saved state of a notebook holds one text per figure, and a page opened from a disk cannot
    import a second file. So the parts are joined here, and the last one exports ``render``.

    Args:
        names: file names without ``.js``, for example ``"shared", "line_and_loss"``.
    """
    return _read(f"{name}.js" for name in names)


def read_style(*names: str) -> str:
    """The style sheet of one figure: what all share, then the named files of this folder.

    Args:
        names: file names without ``.css``, for example ``"draw_digit"``.
    """
    return _read(f"{name}.css" for name in ("style", *names))


def _read(names: Iterable[str]) -> str:
    """The files joined, without comment lines and indentation: those are read in the repository."""
    return NOTES.sub("", "\n".join((HERE / name).read_text(encoding="utf-8") for name in names))


class CourseWidget(anywidget.AnyWidget):
    """Base of the interactive figures; a subclass sets ``_esm = read_module(...)`` and its traits.

    One that needs rules of its own also sets ``_css = read_style(...)``.
    """

    _css = read_style()

    def values_with(self, proposal: dict, *names: str) -> list:
        """Values of the named traits as they would be with traitlets' proposal, for a validator."""
        proposed = {proposal["trait"].name: proposal["value"]}
        return [proposed.get(name, getattr(self, name)) for name in names]


def pack_halves(parts: Iterable[Tensor]) -> bytes:
    """Numbers of the tensors, one after the other, as little-endian float16; ``halves.js`` reads them."""
    numbers = torch.cat([values.detach().cpu().float().ravel() for values in parts])
    return numbers.numpy().astype("<f2").tobytes()


def unpack_halves(data: bytes) -> Tensor:
    """The numbers (n,) float32 of bytes made by `pack_halves`."""
    return torch.from_numpy(np.frombuffer(data, "<f2").astype("f4"))


def check_finite(name: str, values: Sequence[float]) -> None:
    """Raise traitlets.TraitError unless every value is a finite number: JSON has no NaN."""
    if not all(math.isfinite(value) for value in values):
        raise traitlets.TraitError(f"expected {name} to be finite, got {list(values)}")


def check_inside(name: str, value: float, limits: tuple[float, float]) -> None:
    """Raise traitlets.TraitError unless the value lies in the range, and the range is not empty."""
    low, high = limits
    check_finite(f"{name} and {name}_range", (value, low, high))
    if not low < high or not low <= value <= high:
        raise traitlets.TraitError(
            f"expected {name} inside a range that is not empty, got {name}={value} and {name}_range={limits}"
        )
