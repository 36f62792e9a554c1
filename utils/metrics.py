"""What the training loop reports."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor


def accuracy(logits: Tensor, targets: Tensor) -> Tensor:
    """Share of examples whose largest logit is at the target class.

    Args:
        logits: (batch, classes, ...) scores; only their order matters.
        targets: (batch, ...) class indices, int64.

    Returns:
        A scalar float tensor in [0, 1], on the device of the inputs.

    Raises:
        ValueError: if the shapes do not belong together or there is no example; also for one class alone,
            since the largest of one number says nothing: a single logit is compared with 0.
    """
    if (logits.ndim >= 2 and logits.shape[1] < 2) or (logits.ndim == 1 and len(logits) > 0):
        raise ValueError(
            f"expected logits of at least two classes, got {tuple(logits.shape)}; with one logit an example, "
            "compare it with 0"
        )
    if logits.ndim < 2 or logits.shape[:1] + logits.shape[2:] != targets.shape or targets.numel() == 0:
        raise ValueError(
            f"expected logits (batch, classes, ...) and non-empty targets (batch, ...), "
            f"got {tuple(logits.shape)} and {tuple(targets.shape)}"
        )
    return (logits.argmax(dim=1) == targets).float().mean()


def name_of(function: Callable) -> str:
    """A function's name; that of a ``functools.partial`` is its function's, that of a module its class's."""
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__name__", type(function).__name__)


class Mean:
    """A running mean, weighted by batch size, that stays on the device until it is read.

    Reading a number off a GPU (``.item()``) waits for all work before it. The loop adds tensors
    and reads once an epoch.
    """

    def __init__(self) -> None:
        self.total: Tensor | float = 0.0
        self.count = 0

    def add(self, value: Tensor, count: int) -> None:
        """Add the mean ``value`` (a scalar) of a batch of ``count`` examples."""
        self.total = self.total + value.detach().float() * count  # a sum in bfloat16 soon stops growing
        self.count += count

    def item(self) -> float:
        """The mean over all examples added.

        Raises:
            ValueError: if nothing was added.
        """
        if self.count == 0:
            raise ValueError("expected at least one batch, got none: is the data empty?")
        return float(torch.as_tensor(self.total)) / self.count
