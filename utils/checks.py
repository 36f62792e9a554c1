"""How far our results and their gradients are from a library's."""

from collections.abc import Sequence

import torch
from torch import Tensor


def gaps(
    ours: Tensor | Sequence[Tensor],
    theirs: Tensor | Sequence[Tensor],
    inputs: Sequence[Tensor],
    their_inputs: Sequence[Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> tuple[float, float]:
    """Largest absolute difference of results, and of their gradients in a random direction.

    Args:
        ours: one result or several.
        theirs: as many, of the same shapes; the graph is kept, for a further comparison.
        inputs: what ours depend on, parameters included.
        their_inputs: what theirs depend on, if these are copies: in the same order, with as many numbers.
        generator: of the direction, on the results' device.

    Returns:
        The two differences; NaN if anything compared is NaN.

    Raises:
        ValueError: if a shape of theirs differs from that of ours, which a difference would broadcast away.
    """
    ours, theirs = ([y] if isinstance(y, Tensor) else list(y) for y in (ours, theirs))
    shapes = [[tuple(y.shape) for y in results] for results in (ours, theirs)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"expected results of the same shapes, got {shapes[0]} and {shapes[1]}")
    directions = [torch.randn(y.shape, generator=generator, dtype=y.dtype, device=y.device) for y in ours]
    found = []
    for results, sources in ((ours, inputs), (theirs, inputs if their_inputs is None else their_inputs)):
        total = sum((y * d).sum() for y, d in zip(results, directions, strict=True))
        gradients = torch.autograd.grad(total, sources, retain_graph=True)
        found.append([flat(results), flat(gradients)])
    value, gradient = ((a - b).abs().max().item() for a, b in zip(*found, strict=True))
    return value, gradient


def flat(tensors: Sequence[Tensor]) -> Tensor:
    """All numbers of some tensors, one after the other, without their graph."""
    return torch.cat([values.detach().flatten() for values in tensors])
