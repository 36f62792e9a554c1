"""Choosing a device, seeding, precision, and timing that waits for the device."""

import operator
import os
import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch

DEVICE_VARIABLE = "COURSE_DEVICE"
SHIFT_VARIABLE = "COURSE_SEED_SHIFT"


def get_device(name: str | None = None) -> torch.device:
    """The device to compute on: CUDA, else Apple's MPS, else the CPU.

    Args:
        name: a device such as ``"cpu"`` or ``"cuda:0"``. Without it the environment variable
            ``COURSE_DEVICE`` decides, and without that, what the machine has.

    Returns:
        A device that exists on this machine.

    Raises:
        ValueError: if the name is not that of a CPU, CUDA or MPS device.
        RuntimeError: if the device asked for is not there. There is no silent fallback.
    """
    name = name or os.environ.get(DEVICE_VARIABLE)
    if not name:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise ValueError(f"expected a device like cpu, cuda, cuda:1 or mps, got {name!r}")
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= count[device.type]:
        raise RuntimeError(
            f"{name!r} was asked for (argument or {DEVICE_VARIABLE}), "
            f"but this machine has {count[device.type]} device(s) of type {device.type}"
        )
    return device


def describe_device(device: torch.device) -> str:
    """One line that names the hardware, for printed results: ``"cpu, 1 thread"`` or the GPU's name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{device.type}, {threads} thread{'s' if threads > 1 else ''}"


def shifted(seed: int) -> int:
    """The seed that is used where the course asks for ``seed``: the same, unless all are shifted.

    ``COURSE_SEED_SHIFT=1000`` in the environment adds 1000 to every seed of the course, to see which results
    belong to one lucky draw (`make shake`). For generators that are not torch's:
    ``np.random.default_rng(shifted(0))``.

    Args:
        seed: any integer, NumPy's too.

    Raises:
        ValueError: if the variable holds no whole number, or the sum leaves [0, 2**32), the range that NumPy
            accepts.
    """
    shift = os.environ.get(SHIFT_VARIABLE, "0")
    if not shift.isdecimal():
        raise ValueError(f"expected {SHIFT_VARIABLE} to be a whole number, got {shift!r}")
    seed = operator.index(seed) + int(shift)
    if not 0 <= seed < 2**32:
        raise ValueError(f"expected a seed in [0, 2**32), got {seed}")
    return seed


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's generators (torch's on every device), as `shifted` says.

    Args:
        seed: an integer in [0, 2**32), the range that NumPy accepts.

    Raises:
        ValueError: if the seed lies outside that range.
    """
    seed = shifted(seed)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def new_generator(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A source of random numbers of its own, so that what it draws depends on nothing else.

    Args:
        seed: as for `seed_everything`, and shifted like it.
        device: where the numbers are drawn; the same seed gives other numbers on another kind of device.
    """
    return torch.Generator(device).manual_seed(shifted(seed))


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all work given to it; on a CPU there is nothing to wait for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


class Timer:
    """Wall-clock seconds of a block, synchronised with the device at both ends.

    A GPU works behind Python's back: without waiting for it, a timer measures how long it takes
    to *ask* for the work. Use as ``with Timer(device) as timer: ...`` and read ``timer.seconds``.
    """

    def __init__(self, device: torch.device | None = None):
        self.device = device or torch.device("cpu")
        self.seconds = float("nan")

    def __enter__(self) -> "Timer":
        synchronize(self.device)
        self.start = time.perf_counter()
        return self

    def __exit__(self, *exception: object) -> None:
        synchronize(self.device)
        self.seconds = time.perf_counter() - self.start


def fastest(
    run: Callable, *arguments: object, device: torch.device | None = None, repeats: int = 5
) -> float:
    """Seconds of the fastest of several calls: whatever else runs can only slow one down.

    Args:
        run: called with the arguments, once more than it is timed; the first call may set things up.
        device: where it computes.
        repeats: how many calls are timed, at least 1.
    """
    run(*arguments)
    times = []
    for _ in range(repeats):
        with Timer(device) as timer:
            run(*arguments)
        times.append(timer.seconds)
    return min(times)


def autocast(device: torch.device, enabled: bool = True) -> AbstractContextManager:
    """Mixed precision for a block: matrix products in bfloat16, sensitive operations in float32.

    Args:
        device: where the block computes. On MPS the context does nothing.
        enabled: ``False`` gives a context that does nothing, so that a chapter has one code path.

    Source: Micikevicius et al., "Mixed Precision Training", ICLR 2018; Kalamkar et al.,
        "A Study of BFLOAT16 for Deep Learning Training", 2019.
    """
    if not enabled or device.type == "mps":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
