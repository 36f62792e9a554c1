"""Accuracy against torchmetrics, and the running mean."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_accuracy

from utils.metrics import Mean, accuracy

DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()
quick = settings(deadline=None, derandomize=True, max_examples=40)


@quick
@given(
    st.integers(1, 20),
    st.integers(2, 12),
    st.lists(st.integers(1, 5), max_size=2),
    st.integers(0, 2**32 - 1),
)
def test_accuracy_is_torchmetrics(batch: int, classes: int, rest: list[int], seed: int):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(batch, classes, *rest, generator=generator)
    targets = torch.randint(classes, (batch, *rest), generator=generator)
    expected = multiclass_accuracy(logits, targets, num_classes=classes, average="micro")
    assert torch.equal(accuracy(logits, targets), expected)
    assert torch.equal(accuracy(3 * logits - 7, targets), expected)  # only the order of the logits matters


@pytest.mark.parametrize("device", DEVICES)
def test_accuracy_stays_on_the_device(device: str):
    result = accuracy(torch.eye(4, device=device), torch.arange(4, device=device))
    assert result.device.type == device and result.shape == () and result.item() == 1


@pytest.mark.parametrize(
    ("logits", "targets"),
    [((0,), (0,)), ((3, 4), (4,)), ((3, 4), (3, 4)), ((3, 4, 5), (3, 4)), ((3, 4), (3, 1)), ((0, 4), (0,))],
)
def test_accuracy_refuses_shapes_that_do_not_belong_together(logits: tuple, targets: tuple):
    with pytest.raises(ValueError) as error:
        accuracy(torch.zeros(logits), torch.zeros(targets, dtype=torch.long))
    assert str(logits) in str(error.value) and str(targets) in str(error.value)


@pytest.mark.parametrize(("logits", "targets"), [((5, 1), (5,)), ((5, 1, 2), (5, 2)), ((5,), (5,))])
def test_accuracy_of_one_logit_an_example_is_refused(logits: tuple, targets: tuple):
    with pytest.raises(ValueError, match="at least two classes") as error:
        accuracy(torch.zeros(logits), torch.zeros(targets, dtype=torch.long))
    assert str(logits) in str(error.value)


@quick
@given(st.lists(st.lists(st.floats(-100, 100), min_size=1, max_size=9), min_size=1, max_size=9))
def test_mean_weights_batches_by_their_size(batches: list[list[float]]):
    mean = Mean()
    for batch in batches:
        mean.add(torch.tensor(batch).mean(), len(batch))
    expected = torch.tensor(sum(batches, []), dtype=torch.float64).mean().item()
    assert mean.item() == pytest.approx(expected, abs=1e-4)


def test_mean_does_not_stagnate_in_half_precision():
    mean = Mean()
    for _ in range(2000):  # in bfloat16 the sum stops at 256
        mean.add(torch.tensor(1.0, dtype=torch.bfloat16), 1)
    assert mean.item() == 1


def test_mean_holds_no_graph_and_wants_a_batch():
    mean = Mean()
    with pytest.raises(ValueError, match="is the data empty"):
        mean.item()
    mean.add(torch.ones((), requires_grad=True) * 2, 3)
    assert not mean.total.requires_grad and mean.item() == 2
