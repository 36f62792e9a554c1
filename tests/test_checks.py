"""What a comparison with a library must notice."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from utils.checks import FURTHER, agree, gaps, search, spread, widening_search

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


@quick
@given(
    st.sampled_from([torch.float32, torch.float64]),
    st.integers(1, 6),
    st.integers(1, 300),
    st.integers(0, 1000),
)
def test_sums_in_another_order_agree_at_any_size_of_numbers(dtype, rows, terms, seed):
    generator = torch.Generator().manual_seed(seed)
    x, w = (torch.randn(n, terms, generator=generator, dtype=dtype) for n in (rows, 3))
    x = (x * 10.0 ** (seed % 13 - 6)).requires_grad_()
    w.requires_grad_()
    agree((x[:, None] * w).sum(dim=2), x @ w.T, gradients_of=[x, w])


WRONG = {
    "a sign": lambda x, w: -(x @ w),
    "transposed": lambda x, w: x @ w.T,
    "one place later": lambda x, w: (x @ w).roll(1, dims=0),
    "a small factor": lambda x, w: 1.0001 * (x @ w),
    "one entry": lambda x, w: (x @ w).index_add(0, torch.tensor([1]), torch.full((1, 4), 1e-3)),
    "not a number": lambda x, w: (x @ w).index_fill(0, torch.tensor([2]), float("nan")),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_value_is_refused(wrong):
    x, w = torch.randn(4, 4, generator=torch.Generator().manual_seed(0)), torch.arange(16.0).view(4, 4)
    agree(x @ w, x.numpy() @ w.numpy())
    with pytest.raises(AssertionError, match=r"a value differs at \(\d, \d\): ours"):
        agree(wrong(x, w), x @ w)


@pytest.mark.parametrize("cut", [lambda x: x.detach() * x, lambda x: (x**2).clamp(max=1e6) - x + x.detach()])
def test_a_wrong_gradient_behind_a_right_value_is_refused(cut):
    x = torch.linspace(-1, 1, 5, dtype=torch.float64, requires_grad=True)
    agree(cut(x), x**2)
    with pytest.raises(AssertionError, match="a gradient differs at"):
        agree(cut(x), x**2, gradients_of=x)


def test_nothing_agrees_with_what_is_no_number():
    x = torch.tensor([1.0, float("nan")])
    for ours, theirs in ((x, x), (x, torch.ones(2)), (torch.ones(2), x)):
        with pytest.raises(AssertionError, match=r"differs at \(1,\)"):
            agree(ours, theirs)


def test_two_errors_of_opposite_sign_do_not_cancel():
    x = torch.ones(4, requires_grad=True)
    factors = torch.tensor([1.0, 2.0, 1.0, 2.0])
    ours = x * factors - (factors - 1) * x.detach()
    with pytest.raises(AssertionError, match="a gradient differs"):
        agree(ours, x * 1.0, gradients_of=x)


def test_what_is_said_names_the_other_and_both_distances(capsys):
    layer, copy = nn.Linear(3, 2), nn.Conv1d(3, 2, 1)
    copy.load_state_dict({"weight": layer.weight[:, :, None], "bias": layer.bias})
    x = torch.randn(5, 3)
    options = {"gradients_of": [*layer.parameters()], "their_gradients_of": [*copy.parameters()]}
    agree(layer(x), copy(x[:, :, None])[:, :, 0], **options, name="Conv1d")
    line = capsys.readouterr().out
    assert line.startswith("ours = Conv1d's: values ") and ", gradients " in line
    agree([x, x], [x, x])
    assert capsys.readouterr().out == "ours = torch's: values 0e+00\n"


def test_masked_places_may_be_infinite_and_whole_numbers_are_equal():
    scores = torch.tensor([[0.5, -math.inf], [1.0, 2.0]])
    agree(scores, scores.clone())
    agree(torch.tensor([1, 2]), np.array([1, 2]))
    agree(2.0, 2.0)
    with pytest.raises(AssertionError):
        agree(scores, torch.tensor([[0.5, 0.0], [1.0, 2.0]]))
    with pytest.raises(AssertionError, match=r"differs at \(1,\): ours 2, torch's 3"):
        agree(torch.tensor([1, 2]), torch.tensor([1, 3]))
    with pytest.raises(AssertionError):
        agree(torch.tensor([True, False]), torch.tensor([True, True]))


def test_what_would_be_broadcast_or_converted_away_is_an_error():
    x = torch.ones(3, requires_grad=True)
    for ours, theirs in ((x, x[None]), ([x, x], [x]), (x, torch.ones(3, dtype=torch.int64))):
        with pytest.raises(ValueError, match="same shapes and kinds"):
            agree(ours, theirs)
    with pytest.raises(ValueError, match="with a graph"):
        agree(x.detach(), x, gradients_of=x)


def test_a_comparison_leaves_the_global_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    x = torch.ones(2, requires_grad=True)
    agree(x * 2, x + x, gradients_of=x)
    assert torch.equal(torch.rand(2), expected)


def test_a_search_takes_the_best_inside_and_refuses_one_at_the_edge(capsys):
    assert search(lambda lr: -((lr - 0.1) ** 2), [0.01, 0.1, 1.0]) == 0.1
    assert capsys.readouterr().out.startswith("0.01: -0.0081  0.1: ")
    assert search(lambda lr: (lr - 0.1) ** 2, [0.01, 0.1, 1.0], lowest=True) == 0.1
    assert search(lambda lr: math.nan if lr > 0.2 else lr, [0.1, 0.2, 0.3, 0.4]) == 0.2
    for score in (lambda lr: lr, lambda lr: -lr, lambda lr: math.nan, lambda lr: 0.0):
        with pytest.raises(ValueError, match="at the edge: widen the search"):
            search(score, [0.1, 0.2, 0.3])
    for values in ([0.1, 0.2], [0.3, 0.2, 0.1], []):
        with pytest.raises(ValueError, match="rising order"):
            search(lambda lr: lr, values)


def test_a_widening_search_goes_on_until_the_best_lies_inside():
    for peak, expected in ((0.1, [0.05, 0.1, 0.2]), (0.8, [0.05, 0.1, 0.2, 0.4, 0.8, 1.6])):
        found = widening_search(lambda lr, peak=peak: -abs(lr - peak), [0.05, 0.1, 0.2])
        assert list(found) == pytest.approx(expected)
        assert max(found, key=found.get) == pytest.approx(peak)
    found = widening_search(lambda lr: -abs(lr - 0.0125), [0.05, 0.1])
    assert list(found) == pytest.approx([0.00625, 0.0125, 0.025, 0.05, 0.1])
    found = widening_search(lambda lr: math.nan if lr > 0.3 else lr, [0.1, 0.2])
    assert list(found) == pytest.approx([0.1, 0.2, 0.4])


def test_a_training_that_diverges_is_the_worst_of_a_search():
    def trained(lr):
        if lr > 0.2:
            raise FloatingPointError("loss is nan")
        return lr

    assert search(trained, [0.1, 0.2, 0.3, 0.4]) == 0.2
    assert list(widening_search(trained, [0.1, 0.2])) == pytest.approx([0.1, 0.2, 0.4])


def test_a_widening_search_gives_up_and_says_what_it_wants():
    asked = []
    with pytest.raises(ValueError, match="a best value inside"):
        widening_search(lambda lr: asked.append(lr) or lr, [1, 2])
    assert len(asked) == 2 + FURTHER and asked[-1] == 2 ** (1 + FURTHER)
    for values in ([0.1], [0.2, 0.1], [0.0, 0.1], [-1.0, 1.0]):
        with pytest.raises(ValueError, match="above 0 in rising order"):
            widening_search(lambda lr: lr, values)


def test_a_spread_needs_three_runs():
    assert spread([0.5], ".1%") == "50.0%"
    assert spread([0.5, 0.75], ".2f") == "0.50, 0.75"
    assert spread([1.0, 2.0, 3.0], ".1f") == "2.0 ± 1.0"
    with pytest.raises(ValueError, match="at least one"):
        spread([])
