"""What a reader sees of `check_answer`."""

import numpy as np
import pytest
import torch

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
        (123456789.1, 123456789.1),
        ("cat", "cat"),
        ((1, "a", torch.ones(2)), (1, "a", torch.ones(2))),
        ([1, (2, 3)], (1, (2, 3))),
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
        (123456789.2, 123456789.1),
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


def test_the_tolerance_is_absolute():
    assert check_answer(lambda: 1.05, [((), 1.0, "hint")], tolerance=0.1)
    assert not check_answer(lambda: 1.05, [((), 1.0, "hint")], tolerance=0.01)
