"""What a comparison with a library must notice."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from utils.checks import gaps

quick = settings(deadline=None, derandomize=True, max_examples=40)


@quick
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 1000))
def test_equal_results_have_no_gap_and_a_moved_one_has_its_size(rows, columns, seed):
    torch.manual_seed(seed)
    layer, x = nn.Linear(columns, 3).double(), torch.randn(rows, columns, dtype=torch.float64)
    inputs = [x.requires_grad_(), *layer.parameters()]
    by_hand = x @ layer.weight.T + layer.bias
    assert max(gaps(by_hand, layer(x), inputs)) < 1e-12
    value, gradient = gaps([by_hand, by_hand + 0.5], [layer(x), layer(x)], inputs)
    assert math.isclose(value, 0.5) and gradient < 1e-12


def test_a_wrong_gradient_behind_right_values_is_found():
    x = torch.linspace(-1, 1, 5, dtype=torch.float64, requires_grad=True)
    value, gradient = gaps(x * x.detach(), x**2, [x], generator=torch.Generator().manual_seed(0))
    assert value == 0 and gradient > 0.1


def test_copies_of_parameters_are_compared_in_order_and_shape():
    layer, conv = nn.Linear(2, 3), nn.Conv1d(2, 3, 1)
    conv.load_state_dict({"weight": layer.weight[:, :, None], "bias": layer.bias})
    x = torch.randn(4, 2)
    ours, theirs = layer(x), conv(x[:, :, None])[:, :, 0]
    assert max(gaps(ours, theirs, [*layer.parameters()], [*conv.parameters()])) < 1e-5


def test_what_is_no_number_is_not_passed_over():
    x = torch.tensor([1.0, 0.0], requires_grad=True)
    assert math.isnan(gaps([x, x / x.detach()], [x, x], [x])[0])


def test_results_of_other_shapes_are_an_error():
    x = torch.ones(3, requires_grad=True)
    with pytest.raises(ValueError, match=r"same shapes, got \[\(3,\)\] and \[\(1, 3\)\]"):
        gaps(x, x[None], [x])
    with pytest.raises(ValueError, match="same shapes"):
        gaps([x, x], [x], [x])
