"""Checking a reader's answer to a code exercise."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from utils.metrics import name_of

MOST = 100_000  # items that are read of an answer that is an iterator, which may have no end


def check_answer(answer: Callable, cases: Iterable[tuple[tuple, Any, str]], tolerance: float = 1e-6) -> bool:
    """Try a reader's function on cases, and print a line that helps.

    Args:
        answer: the function that the reader fills in, or anything that can be called. While it returns
            ``...`` it counts as not answered.
        cases: (arguments, expected value, hint). The hint says what such a case is about; it is printed when
            the answer is wrong. Expected values are numbers, tensors, arrays, strings, None, sets, or tuples,
            lists and dictionaries of them.
        tolerance: largest difference between numbers, as a share of the expected one; of the largest in the
            tensor where 0 is expected. Results in float32 may differ by 64 roundings in any case, and by one
            rounding of the largest number in the tensor, which a sum may have cancelled. Whole numbers must
            be equal, and only truth values answer truth values.

    Returns:
        Whether every case is right. A wrong answer prints its arguments, both values and the hint; it raises
        nothing, so that the notebook runs on.

    Raises:
        ValueError: if there is no case.
    """
    name, count = name_of(answer), 0
    for arguments, expected, hint in cases:
        try:
            value = answer(*arguments)
            value = list(islice(value, MOST)) if isinstance(value, Iterator) else value
            if value is ...:
                print(f"{name}: not answered yet")
                return False
            fault = _fault(value, expected, tolerance)
            said = f"gives {_short(value)}, expected {_short(expected)}: {fault}"
        except Exception as error:
            fault = said = f"raises {type(error).__name__}: {error}"
        if fault:
            print(f"{name}{_short(arguments)} {said}\nHint: {hint}")
            return False
        count += 1
    if count == 0:
        raise ValueError("expected at least one case, got none")
    print(f"{name}: right in all {count} cases")
    return True


def _fault(value: Any, expected: Any, tolerance: float) -> str:
    """What is wrong with a value, in a few words; an empty string if nothing is."""
    if isinstance(expected, Mapping):
        if not isinstance(value, Mapping) or value.keys() != expected.keys():
            return f"not a dictionary with the keys {list(expected)}"
        faults = (_fault(value[key], expected[key], tolerance) for key in expected)
        return next((fault for fault in faults if fault), "")
    want = None if isinstance(expected, tuple) else _numbers(expected)
    if want is None and isinstance(expected, np.ndarray):  # of texts, say
        value, expected = (x.tolist() if isinstance(x, np.ndarray) else x for x in (value, expected))
    if want is not None:
        got = _numbers(value)
        return "not numbers" if got is None else _difference(got, want, tolerance)
    if isinstance(expected, (tuple, list)):
        if not isinstance(value, (tuple, list)) or len(value) != len(expected):
            return f"not {len(expected)} values in a tuple or list"
        faults = (_fault(v, e, tolerance) for v, e in zip(value, expected, strict=True))
        return next((fault for fault in faults if fault), "")
    kind = (set, frozenset) if isinstance(expected, (set, frozenset)) else type(expected)
    return "" if isinstance(value, kind) and value == expected else "not the same"


def _numbers(value: Any) -> Tensor | None:
    """A value as a tensor on the CPU; None if it is something else than numbers in rows of equal length."""
    if isinstance(value, Tensor):
        return value.detach().to_dense().cpu()
    try:
        if isinstance(value, Sequence) and any(isinstance(part, (Tensor, list, tuple)) for part in value):
            return torch.stack([_numbers(part) for part in value])
        return torch.from_numpy(np.array(value))  # a copy: views that run backwards are no tensors
    except (TypeError, ValueError, RuntimeError):
        return None


def _difference(got: Tensor, want: Tensor, tolerance: float) -> str:
    """What is wrong with numbers, as `_fault`."""
    if got.shape != want.shape:
        return f"shape {tuple(got.shape)} where {tuple(want.shape)} is right"
    if torch.bool in (got.dtype, want.dtype):
        if got.dtype != want.dtype:
            return f"{got.dtype} where {want.dtype} is right".replace("torch.", "")
        return "" if torch.equal(got, want) else "not the same"
    if not want.numel():
        return ""
    whole = not (want.is_floating_point() or want.is_complex())
    if whole and not (got.is_floating_point() or got.is_complex()):
        return "" if torch.equal(got.long(), want.long()) else "not the same"
    types = [x.dtype for x in (got, want) if x.is_floating_point() or x.is_complex()]
    rounding = min(max(torch.finfo(dtype).eps for dtype in types), torch.finfo(torch.float32).eps)
    double = torch.complex128 if any(dtype.is_complex for dtype in types) else torch.float64
    got, want = got.to(double), want.to(double)
    sizes = want.abs().nan_to_num(0, posinf=0)
    largest = sizes.max().item() or 1.0
    allowed = max(tolerance, 64 * rounding) * torch.where(sizes > 0, sizes, largest) + rounding * largest
    if whole:
        allowed = allowed.clamp(max=0.5)
    gap = torch.where((got == want) | (got.isnan() & want.isnan()), 0, (got - want).abs())
    if (gap <= allowed).all():
        return ""
    return f"off by up to {gap.max().item():.1g}" if gap.isfinite().all() else "not the same"


def _short(value: Any) -> str:
    text = str(value).replace("\n", " ")
    return text if len(text) <= 120 else text[:117] + "..."
