"""What a reader sees of `check_answer`."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from utils.exercises import check_answer

DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3),
        (3.0000001, 3),
        (True, True),
        (np.bool_(True), True),
        (torch.tensor(2.5), 2.5),
        (np.array([1.0, 2.0]), torch.tensor([1.0, 2.0])),
        (torch.tensor([1, 2]), np.array([1, 2])),
        ([1, 2], torch.tensor([1, 2])),
        (torch.tensor([1.0], requires_grad=True), torch.tensor([1.0])),
        ("cat", "cat"),
        ((1, "a", torch.ones(2)), (1, "a", torch.ones(2))),
        ([1, (2, 3)], (1, (2, 3))),
        (3.0, 3),
        (np.array([1.0, 2.0]), [1, 2]),
        ([torch.ones(2), torch.zeros(2)], torch.tensor([[1.0, 1.0], [0.0, 0.0]])),
        (torch.tensor([1.0, 3e-8]), torch.tensor([1.0, 0.0])),
        (np.float32(0.1), 0.1),
        (1.0000004e7, 1e7),
        ([math.inf, math.nan], [math.inf, math.nan]),
        (np.array([[True, False]]), torch.tensor([[True, False]])),
        (2**70, 2**70),
        (["a", "b"], ["a", "b"]),
        ({"b": 2.0, "a": ("x", 1)}, {"a": ("x", 1), "b": 2}),
        (frozenset({1, 2}), {2, 1}),
        (None, None),
        ([], []),
        (np.arange(3)[::-1], [2, 1, 0]),
        (np.broadcast_to(1.0, (2, 2)), torch.ones(2, 2)),
        ([[torch.ones((), requires_grad=True)]], torch.ones(1, 1)),
        (torch.eye(2).to_sparse(), torch.eye(2)),
        (np.array(["a", "b"]), np.array(["a", "b"])),
    ],
)
def test_right_answers(capsys: pytest.CaptureFixture, value: object, expected: object):
    def answer(x):
        return value

    assert check_answer(answer, [((1,), expected, "hint"), ((2,), expected, "hint")])
    assert capsys.readouterr().out == "answer: right in all 2 cases\n"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3.1, 3),
        (False, True),
        (float("nan"), 1.0),
        (None, 1.0),
        ("3", 3),
        (3, "3"),
        ({}, 1),
        (torch.ones(2), True),
        (torch.ones(2), "cat"),
        (np.array(["cat", "cat"]), "cat"),
        (torch.ones(3), torch.ones(1, 3)),
        (torch.ones(1), 1.0),
        (torch.ones(2), torch.tensor([1.0, 1.1])),
        ((1, 2), (1, 2, 3)),
        (1, (1,)),
        ((1, "b"), (1, "a")),
        (123457000.0, 123456789.1),
        (2e-7, 1e-7),
        (1.0001e7, 1e7),
        (10_000_005, 10_000_000),
        (10_000_000.6, 10_000_000),
        ([1.0, 2e-7], [1.0, 1e-7]),
        (torch.tensor([[0.0, 1.0]]), torch.tensor([[False, True]])),
        (torch.tensor([[False, True]]), torch.tensor([[0.0, 1.0]])),
        (1, True),
        (math.nan, math.inf),
        (2**70 + 1, 2**70),
        (["a", "c"], ["a", "b"]),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 3}, {"a": 1, "b": 2}),
        ({1, 2}, [1, 2]),
        ([1, 2], {1, 2}),
        (0, None),
    ],
)
def test_wrong_answers_show_what_was_expected_and_the_hint(
    capsys: pytest.CaptureFixture, value: object, expected: object
):
    def answer(x):
        return value

    assert not check_answer(answer, [((7,), expected, "look at the last batch")])
    out = capsys.readouterr().out
    assert out.startswith("answer(7,) gives ") and "expected " in out
    assert out.endswith("\nHint: look at the last batch\n")


def test_an_open_exercise_is_not_wrong(capsys: pytest.CaptureFixture):
    def answer(x):
        return ...

    assert not check_answer(answer, [((1,), 1, "hint")])
    assert capsys.readouterr().out == "answer: not answered yet\n"


def test_an_answer_that_raises_does_not_stop_the_notebook(capsys: pytest.CaptureFixture):
    def answer(x):
        return 1 / x

    assert not check_answer(answer, [((1,), 1.0, "fine"), ((0,), 0.0, "what about zero?")])
    out = capsys.readouterr().out
    assert "answer(0,) raises ZeroDivisionError: division by zero" in out and "what about zero?" in out


def test_long_values_are_cut(capsys: pytest.CaptureFixture):
    assert not check_answer(torch.zeros, [((500,), torch.ones(500), "hint")])
    assert all(len(line) < 300 for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize("device", DEVICES)
def test_an_answer_may_live_on_another_device(device: str):
    assert check_answer(lambda: torch.ones(2, device=device), [((), torch.ones(2), "hint")])


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_the_tolerance_is_relative(scale: float):
    assert check_answer(lambda: 1.05 * scale, [((), scale, "hint")], tolerance=0.1)
    assert not check_answer(lambda: 1.05 * scale, [((), scale, "hint")], tolerance=0.01)


def test_whatever_can_be_called_may_answer(capsys: pytest.CaptureFixture):
    double = nn.Linear(1, 1, bias=False)
    nn.init.constant_(double.weight, 2.0)
    assert check_answer(partial(pow, 2), [((3,), 8, "hint")])
    assert check_answer(double, [((torch.ones(1),), torch.tensor([2.0]), "hint")])
    assert not check_answer(double, [((torch.ones(1),), torch.tensor([3.0]), "hint")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("pow: right") and lines[1].startswith("Linear: right")
    assert lines[2].startswith("Linear(tensor([1.]),) gives tensor([2.]") and lines[2].endswith(
        "off by up to 1"
    )


def test_an_iterator_is_read_as_a_list_and_its_errors_are_shown(capsys: pytest.CaptureFixture):
    assert check_answer(lambda n: (i * i for i in range(n)), [((3,), [0, 1, 4], "hint")])
    assert not check_answer(lambda n: map(lambda i: 1 / i, range(n)), [((3,), [0, 1, 4], "hint")])
    assert not check_answer(itertools.count, [((3,), [3, 4], "where does it end?")])
    assert "raises ZeroDivisionError" in capsys.readouterr().out


def test_no_case_is_an_error():
    with pytest.raises(ValueError, match="at least one case"):
        check_answer(print, [])
