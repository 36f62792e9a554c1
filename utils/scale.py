"""The one switch between laptop size and full size."""

import os
from typing import TypeVar

import torch

FULL_VARIABLE = "COURSE_FULL"
T = TypeVar("T")


def full_size() -> bool:
    """Whether the full-size switch is on: ``COURSE_FULL=1`` in the environment.

    Raises:
        ValueError: if the variable holds anything but ``0`` or ``1``.
    """
    value = os.environ.get(FULL_VARIABLE, "0")
    if value not in ("0", "1"):
        raise ValueError(f"expected {FULL_VARIABLE} to be 0 or 1, got {value!r}")
    return value == "1"


def pick(device: torch.device, *, cpu: T, gpu: T, full: T | None = None) -> T:
    """One size for a laptop CPU, one for a GPU, one for the full-size run.

    Args:
        device: the chapter's device; anything but a CPU counts as a GPU.
        cpu: the size that keeps the chapter inside its time on two cores.
        gpu: the size on a GPU.
        full: the size when the full-size switch is on; by default that of a GPU.
    """
    if full_size():
        return gpu if full is None else full
    return cpu if device.type == "cpu" else gpu
