"""Attention: torch's values and gradients under copied weights, masks, positions, and what is refused."""

import itertools
import math

import pytest
import torch
from d2l import torch as d2l
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from utils.layers.attention import (
    AdditiveAttention,
    MultiHeadAttention,
    causal_mask,
    masked_softmax,
    padding_mask,
    scaled_dot_product_attention,
    sinusoidal_positions,
)

quick = settings(deadline=None, derandomize=True, max_examples=40)
sizes = st.integers(1, 5)
seeds = st.integers(0, 2**32)


def random_mask(*shape: int) -> torch.Tensor:
    """Each row has at least one allowed place."""
    mask = torch.rand(shape) < 0.6
    mask[..., 0] = True
    return mask


def randn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def agree(ours: tuple, theirs: tuple, ours_sources: list, their_sources: list) -> None:
    """Same tensors, and the same gradients of a random sum of them."""
    directions = [torch.randn_like(y) for y in theirs]
    found = []
    for outputs, sources in ((ours, ours_sources), (theirs, their_sources)):
        loss = sum((y * d).sum() for y, d in zip(outputs, directions, strict=True))
        found.append([*outputs, *torch.autograd.grad(loss, sources)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


# Scores and softmax


@quick
@given(sizes, sizes, sizes, st.floats(-300, 300), seeds)
def test_masked_softmax_is_a_softmax_of_what_is_left(batch, rows, keys, far, seed):
    torch.manual_seed(seed)
    scores, mask = (
        torch.randn(batch, rows, keys, dtype=torch.float64) * abs(far) + far,
        random_mask(rows, keys),
    )
    weights = masked_softmax(scores, mask)
    assert (weights[:, ~mask] == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(batch, rows, dtype=torch.float64))
    for i, row in enumerate(mask):
        torch.testing.assert_close(weights[:, i, row], F.softmax(scores[:, i, row], dim=-1))
    torch.testing.assert_close(masked_softmax(scores), F.softmax(scores, dim=-1))


def test_a_row_without_a_place_is_zero_with_zero_gradient():
    scores = torch.randn(3, 4, requires_grad=True)
    mask = torch.tensor([[True, False, True, True], [False] * 4, [True] * 4])
    weights = masked_softmax(scores, mask)
    (weights * torch.randn(3, 4)).sum().backward()
    assert (weights[1] == 0).all() and (scores.grad[1] == 0).all()
    assert scores.grad.isfinite().all() and scores.grad[0].any() and scores.grad[0, 1] == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_masked_softmax_in_low_precision(dtype):
    weights = masked_softmax(
        torch.tensor([[9.0, -9.0, 60000.0]], dtype=dtype), torch.tensor([True, True, False])
    )
    assert weights.dtype == dtype and weights[0, 2] == 0 and weights[0, 0] > 0.99


@quick
@given(sizes, sizes, sizes, sizes, sizes, seeds)
def test_scaled_dot_products_are_torchs(batch, queries, keys, width, value_width, seed):
    torch.manual_seed(seed)
    inputs = [
        randn(batch, 2, queries, width),
        randn(batch, 2, keys, width),
        randn(batch, 2, keys, value_width),
    ]
    mask = random_mask(batch, 1, queries, keys)
    for m in (None, mask):
        ours, weights = scaled_dot_product_attention(*inputs, m)
        theirs = F.scaled_dot_product_attention(*inputs, attn_mask=m)
        agree((ours,), (theirs,), inputs, inputs)
        torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))


def test_an_empty_row_is_that_of_torchs_function():
    inputs = [randn(2, 3, 4) for _ in range(3)]
    mask = torch.ones(3, 3, dtype=torch.bool)
    mask[1] = False
    ours, _ = scaled_dot_product_attention(*inputs, mask)
    agree((ours,), (F.scaled_dot_product_attention(*inputs, attn_mask=mask),), inputs, inputs)


@quick
@given(sizes, sizes, sizes, sizes, sizes, seeds)
def test_additive_attention_is_d2ls(batch, queries, keys, width, hidden, seed):
    torch.manual_seed(seed)
    query, key, value = randn(batch, queries, width), randn(batch, keys, width + 1), randn(batch, keys, 3)
    ours = AdditiveAttention(width, width + 1, hidden).double()
    theirs = d2l.AdditiveAttention(hidden, 0.0).double()
    lengths = torch.randint(1, keys + 1, (batch,))
    theirs(query, key, value, lengths)  # makes the lazy layers
    pairs = [(theirs.W_q, ours.query), (theirs.W_k, ours.key), (theirs.w_v, ours.score)]
    for one, other in pairs:
        one.weight.data.copy_(other.weight.data)
    mask = torch.arange(keys) < lengths[:, None, None]
    expected = theirs(query, key, value, lengths)
    result, weights = ours(query, key, value, mask)
    agree((result, weights), (expected, theirs.attention_weights), [query, key, value], [query, key, value])


# Several heads


@quick
@given(sizes, sizes, sizes, sizes, sizes, st.booleans(), seeds)
def test_heads_are_torchs(heads, size, batch, queries, keys, masked, seed):
    torch.manual_seed(seed)
    theirs = nn.MultiheadAttention(heads * size, heads, batch_first=True, dtype=torch.float64)
    for weights in theirs.parameters():
        nn.init.normal_(weights)
    ours = MultiHeadAttention(heads * size, heads).double()
    ours.load_state_dict(theirs.state_dict())
    inputs = [randn(batch, n, heads * size) for n in (queries, keys, keys)]
    known, allowed = random_mask(batch, keys), random_mask(queries, keys)
    mask = known[:, None, None] & allowed if masked else None
    options = {"key_padding_mask": ~known, "attn_mask": ~allowed} if masked else {}
    expected = theirs(*inputs, average_attn_weights=False, **options)
    sources = [[*inputs, *layer.parameters()] for layer in (ours, theirs)]
    agree(ours(*inputs, mask), expected, *sources)


def test_parameters_have_torchs_names_shapes_and_start():
    ours, theirs = MultiHeadAttention(12, 3), nn.MultiheadAttention(12, 3)
    for name, value in theirs.state_dict().items():
        assert ours.state_dict()[name].shape == value.shape
    bound = math.sqrt(6 / (4 * 12))
    assert 0.8 * bound < ours.in_proj_weight.abs().max() <= bound
    assert not ours.in_proj_bias.any() and not ours.out_proj.bias.any()


def test_kept_keys_and_values_give_the_same():
    torch.manual_seed(0)
    layer, x = MultiHeadAttention(12, 3).double(), randn(2, 7, 12)
    whole, weights = layer(x, x, x, causal_mask(7))
    keys, values = layer.keys_and_values(x)
    for start, end in itertools.pairwise((0, 3, 4, 7)):
        mask = causal_mask(end - start, end)
        part, part_weights = layer.attend(x[:, start:end], keys[:, :, :end], values[:, :, :end], mask)
        torch.testing.assert_close(part, whole[:, start:end])
        torch.testing.assert_close(part_weights, weights[:, :, start:end, :end])


def test_dropout_falls_on_weights_in_training_alone():
    torch.manual_seed(0)
    layer, x = MultiHeadAttention(8, 2, dropout=0.5), torch.randn(4, 6, 8)
    plain = MultiHeadAttention(8, 2)
    plain.load_state_dict(layer.state_dict())
    assert not torch.allclose(layer(x, x, x)[0], plain(x, x, x)[0])
    torch.testing.assert_close(layer(x, x, x)[1], plain(x, x, x)[1])  # those reported are whole
    torch.testing.assert_close(layer.eval()(x, x, x), plain(x, x, x))


@pytest.mark.parametrize("heads", [0, -2, 5, 24])
def test_heads_that_do_not_divide_the_width_are_refused(heads):
    with pytest.raises(ValueError, match=f"divides the width 12, got {heads}"):
        MultiHeadAttention(12, heads)


# Masks


@quick
@given(sizes, st.integers(0, 5))
def test_causal_mask_ends_at_the_last_key(queries, past):
    mask = causal_mask(queries, queries + past)
    expected = [[j <= i + past for j in range(queries + past)] for i in range(queries)]
    assert mask.dtype == torch.bool and mask.tolist() == expected
    assert torch.equal(causal_mask(queries), causal_mask(queries, queries))


def test_padding_mask_hides_padding():
    ids = torch.tensor([[5, 3, 1, 1], [2, 1, 4, 0]])
    mask = padding_mask(ids, pad=1)
    assert mask.shape == (2, 1, 1, 4)
    assert mask[:, 0, 0].tolist() == [[True, True, False, False], [True, False, True, True]]


@quick
@given(sizes, st.integers(1, 6), st.integers(1, 6), seeds)
def test_padding_and_future_change_nothing(batch, steps, more, seed):
    torch.manual_seed(seed)
    layer, x, tail = MultiHeadAttention(8, 2).double(), randn(batch, steps, 8), 9 * randn(batch, more, 8)
    longer = torch.cat([x, tail], dim=1)
    ids = (torch.arange(steps + more) < steps).long().expand(batch, -1)
    torch.testing.assert_close(
        layer(longer, longer, longer, padding_mask(ids, 0))[0][:, :steps], layer(x, x, x)[0]
    )
    past = layer(x, x, x, causal_mask(steps))[0]
    torch.testing.assert_close(layer(longer, longer, longer, causal_mask(steps + more))[0][:, :steps], past)


# Positions


@pytest.mark.parametrize("width", [2, 6, 64])
def test_positions_are_d2ls(width):
    theirs = d2l.PositionalEncoding(width, 0.0, max_len=200).P[0]
    torch.testing.assert_close(sinusoidal_positions(200, width), theirs, atol=1e-4, rtol=0)


def test_a_step_is_a_rotation_wherever_it_starts():
    places = sinusoidal_positions(120, 16).double()
    rates = 10_000.0 ** (-torch.arange(0, 16, 2, dtype=torch.float64) / 16)
    for k in (1, 5, 60):
        turns = [torch.tensor([[a.cos(), a.sin()], [-a.sin(), a.cos()]]) for a in k * rates]
        torch.testing.assert_close(places[:-k] @ torch.block_diag(*turns).T, places[k:], atol=1e-4, rtol=0)


def test_an_odd_width_is_refused():
    with pytest.raises(ValueError, match="even width, got 5"):
        sinusoidal_positions(3, 5)
