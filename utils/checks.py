"""Compare our results and gradients with a library's; and what an experiment needs before it may claim."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from utils.device import new_generator

Results = Tensor | np.ndarray | float | Sequence

FURTHER = 8  # values beyond an edge that a search tries before it gives up


def agree(
    ours: Results,
    theirs: Results,
    *,
    gradients_of: Tensor | Sequence[Tensor] = (),
    their_gradients_of: Tensor | Sequence[Tensor] | None = None,
    name: str = "torch",
) -> None:
    """Assert that two results agree, and their gradients too, and print one line that says how closely.

    Differences are relative: the largest one, over the largest number of theirs. Allowed is the machine
    epsilon of the coarser dtype to the power of 2/3 (2e-5 for float32, 4e-11 for float64): room for sums in
    another order, far below what a wrong term makes. Whole numbers and booleans must be equal.

    Gradients are those of the results' sum with random weights, so that no two errors cancel.

    Args:
        ours: a number, array or tensor, or several in a list or tuple.
        theirs: as many, of the same shapes.
        gradients_of: what both depend on, or ours alone; none: values only.
        their_gradients_of: what theirs depend on, if these are copies: in the same order, of as many numbers.
        name: whose the other result is, for the line that is printed.

    Raises:
        AssertionError: if they differ by more than that, or something in either is NaN; it says where.
        ValueError: if the numbers of results, their shapes or their kinds of dtype are not the same, which a
            difference would broadcast or convert away.
    """
    ours, theirs = _as_tensors(ours), _as_tensors(theirs)
    kinds = [[(tuple(y.shape), y.dtype.is_floating_point) for y in results] for results in (ours, theirs)]
    if kinds[0] != kinds[1]:
        given = (f"{[(tuple(y.shape), str(y.dtype)) for y in results]}" for results in (ours, theirs))
        raise ValueError("expected results of the same shapes and kinds, got {} and {}".format(*given))
    value = max((_difference(*pair, "value", name) for pair in zip(ours, theirs, strict=True)), default=0.0)
    line = f"ours = {name}'s: values {value:.0e}"
    own = [gradients_of] if isinstance(gradients_of, Tensor) else list(gradients_of)
    if own:
        copies = own if their_gradients_of is None else their_gradients_of
        copies = [copies] if isinstance(copies, Tensor) else list(copies)
        generator, gradients = new_generator(0), []
        weights = [torch.randn(y.shape, generator=generator, dtype=torch.float64) for y in ours]
        for results, sources in ((ours, own), (theirs, copies)):
            parts = [(y * w.to(y)).sum() for y, w in zip(results, weights, strict=True) if y.requires_grad]
            if not parts:
                raise ValueError("expected results with a graph to take gradients of, got none")
            gradients.append(torch.autograd.grad(sum(parts), sources, retain_graph=True))
        pairs = [(a.flatten(), b.flatten()) for a, b in zip(*gradients, strict=True)]
        line += f", gradients {max(_difference(*pair, 'gradient', name) for pair in pairs):.0e}"
    print(line)


def _as_tensors(results: Results) -> list[Tensor]:
    """One result or several as a list of tensors."""
    several = isinstance(results, (list, tuple)) and any(isinstance(y, (Tensor, np.ndarray)) for y in results)
    return [torch.as_tensor(y) for y in (results if several else [results])]


def _difference(ours: Tensor, theirs: Tensor, what: str, name: str) -> float:
    """The relative difference of two tensors of one shape; an AssertionError if it is too large."""
    ours, theirs = ours.detach().cpu(), theirs.detach().cpu()
    exact = not ours.dtype.is_floating_point
    epsilon = 0.0 if exact else max(torch.finfo(y.dtype).eps for y in (ours, theirs))
    a, b = ours.double(), theirs.double()
    apart = torch.where(a == b, 0.0, (a - b).abs())  # equal infinities, as of a mask, are not apart
    finite = b[b.isfinite()].abs()
    scale = 1.0 if exact or not finite.numel() or finite.max() == 0 else finite.max().item()
    worst = apart.nan_to_num(math.inf, math.inf).flatten()
    found = worst.max().item() / scale if worst.numel() else 0.0
    if found > epsilon ** (2 / 3):
        place = tuple(int(i) for i in np.unravel_index(int(worst.argmax()), a.shape)) if a.ndim else ()
        raise AssertionError(
            f"a {what} differs at {place}: ours {a[place].item():.6g}, {name}'s {b[place].item():.6g}; "
            f"relative {found:.1e}, at most {epsilon ** (2 / 3):.0e}"
        )
    return found


def search(
    score: Callable[[Any], float], values: Sequence[float], *, lowest: bool = False, form: str = ".3g"
) -> float:
    """Try the values of a setting, print what each gives, and return the best one.

    Args:
        score: from a value to its score, on data that the result does not use. NaN is the worst of all, and
            a training that ends in a loss that is no number (`FloatingPointError`) counts as NaN.
        values: in rising order, at least three.
        lowest: whether a low score is a good one, as of a loss.
        form: format of the scores.

    Raises:
        ValueError: if there are fewer than three values or they do not rise; or if the best lies at the edge,
            where a better one may lie beyond it: widen the search.
    """
    values = list(values)
    if len(values) < 3 or any(a >= b for a, b in pairwise(values)):
        raise ValueError(f"expected at least three values in rising order, got {values}")
    scores = [_scored(score, value) for value in values]
    print("  ".join(f"{value:g}: {found:{form}}" for value, found in zip(values, scores, strict=True)))
    ranks = [math.inf if math.isnan(found) else found if lowest else -found for found in scores]
    best = ranks.index(min(ranks))
    if best in (0, len(values) - 1) or ranks[best] == math.inf:
        raise ValueError(f"the best of {values} is {values[best]:g}, at the edge: widen the search")
    return values[best]


def widening_search(score: Callable[[float], float], values: Sequence[float]) -> dict[float, float]:
    """Score the values of a setting, and go on beyond an edge for as long as the best one lies there.

    Each further value is as many times the last as the last is times the one before it, which suits a
    learning rate.

    Args:
        score: from a value to its score, as in `search`; a high one is good.
        values: in rising order, at least two, greater than 0.

    Returns:
        Value to score, of all that were tried, in rising order. The best lies inside.

    Raises:
        ValueError: if there are fewer than two values, they do not rise, or one is not greater than 0; or if
            the best still lies at an edge after `FURTHER` more values.
    """
    values = list(values)
    if len(values) < 2 or values[0] <= 0 or any(a >= b for a, b in pairwise(values)):
        raise ValueError(f"expected two or more values above 0 in rising order, got {values}")
    found = {value: _scored(score, value) for value in values}
    for more in range(FURTHER + 1):
        tried = sorted(found)
        best = max(tried, key=lambda value: -math.inf if math.isnan(found[value]) else found[value])
        if best not in (tried[0], tried[-1]):
            return {value: found[value] for value in tried}
        if more < FURTHER:
            beyond = tried[0] ** 2 / tried[1] if best == tried[0] else tried[-1] ** 2 / tried[-2]
            found[beyond] = _scored(score, beyond)
    raise ValueError(f"expected a best value inside, got one at the edge of {sorted(found)}")


def _scored(score: Callable[[Any], float], value: float) -> float:
    try:
        return float(score(value))
    except FloatingPointError:
        return math.nan


def spread(values: Sequence[float], form: str = ".3g") -> str:
    """Mean and standard deviation of three runs or more, ``"0.98 ± 0.01"``; fewer are listed as they are.

    Args:
        values: one a run.
        form: format of each number, such as ``".1%"``.

    Raises:
        ValueError: if there is none.
    """
    values = [float(value) for value in values]
    if not values:
        raise ValueError("expected at least one value, got none")
    if len(values) < 3:
        return ", ".join(format(value, form) for value in values)
    return f"{np.mean(values):{form}} ± {np.std(values, ddof=1):{form}}"


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
