"""Checking a reader's answer to a code exercise."""

from collections.abc import Callable, Iterable
from typing import Any

import torch


def check_answer(answer: Callable, cases: Iterable[tuple[tuple, Any, str]], tolerance: float = 1e-6) -> bool:
    """Try a reader's function on cases, and print a line that helps.

    Args:
        answer: the function that the reader fills in. While it returns ``...`` it counts as not answered.
        cases: (arguments, expected value, hint). The hint says what such a case is about; it is printed when
            the answer is wrong. Expected values are numbers, tensors, arrays, strings or tuples of them.
        tolerance: largest absolute difference between numbers.

    Returns:
        Whether every case is right. A wrong answer prints its arguments, both values and the hint; it raises
        nothing, so that the notebook runs on.
    """
    count = 0
    for arguments, expected, hint in cases:
        try:
            value = answer(*arguments)
        except Exception as error:
            print(f"{answer.__name__}{_short(arguments)} raises {type(error).__name__}: {error}")
            print(f"Hint: {hint}")
            return False
        if value is ...:
            print(f"{answer.__name__}: not answered yet")
            return False
        if not _equal(value, expected, tolerance):
            print(f"{answer.__name__}{_short(arguments)} gives {_short(value)}, expected {_short(expected)}")
            print(f"Hint: {hint}")
            return False
        count += 1
    print(f"{answer.__name__}: right in all {count} cases")
    return True


def _equal(value: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, str):
        return isinstance(value, str) and value == expected
    if isinstance(expected, tuple):
        same_length = isinstance(value, (tuple, list)) and len(value) == len(expected)
        return same_length and all(_equal(v, e, tolerance) for v, e in zip(value, expected, strict=True))
    try:
        value = value.cpu() if isinstance(value, torch.Tensor) else value
        got, want = (torch.as_tensor(x, dtype=torch.float64) for x in (value, expected))
    except (TypeError, ValueError, RuntimeError):
        return False
    return got.shape == want.shape and torch.allclose(got, want, rtol=0, atol=tolerance)


def _short(value: Any) -> str:
    text = str(value).replace("\n", " ")
    return text if len(text) <= 120 else text[:117] + "..."
