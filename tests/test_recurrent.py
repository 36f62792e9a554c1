"""Recurrent networks: the language model against torch's layers, one token at a time and all at once."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from utils.layers.recurrent import RecurrentLanguageModel
from utils.text import generate

KINDS = (nn.RNN, nn.GRU, nn.LSTM)
sizes = st.integers(1, 6)


def language_model(kind: type, tokens: int, width: int, hidden: int, layers: int) -> RecurrentLanguageModel:
    torch.manual_seed(tokens + 10 * width + 100 * hidden)
    return RecurrentLanguageModel(kind, tokens, width, hidden, layers).double()


def flat(state) -> list[torch.Tensor]:
    return [*state] if isinstance(state, tuple) else [state]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(KINDS), sizes, sizes, sizes, st.integers(1, 3), sizes, sizes)
def test_it_is_a_table_torchs_layers_and_a_linear_layer(kind, tokens, width, hidden, layers, batch, steps):
    model = language_model(kind, tokens, width, hidden, layers)
    rnn = kind(width, hidden, layers, batch_first=True).double()
    rnn.load_state_dict(model.rnn.state_dict())
    table, output = copy.deepcopy(model.embedding.weight), copy.deepcopy(model.output)
    ids = torch.randint(tokens, (batch, steps))
    ours = model(ids)
    one_hot = F.one_hot(ids, tokens).double()
    theirs = output(rnn(one_hot @ table)[0])
    assert ours.shape == (batch, steps, tokens) and torch.allclose(ours, theirs, rtol=0, atol=1e-12)
    weights = torch.randn_like(ours)
    (ours * weights).sum().backward()
    (theirs * weights).sum().backward()
    pairs = [(model.embedding.weight, table), (model.output.weight, output.weight)]
    pairs += zip(model.rnn.parameters(), rnn.parameters(), strict=True)
    assert all(torch.allclose(a.grad, b.grad, rtol=0, atol=1e-10) for a, b in pairs)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(KINDS), st.integers(1, 3), st.integers(2, 9), st.data())
def test_a_carried_state_joins_two_parts(kind, layers, steps, data):
    model = language_model(kind, 5, 3, 4, layers)
    ids = torch.randint(5, (2, steps))
    cut = data.draw(st.integers(1, steps - 1))
    first, state = model.step(ids[:, :cut])
    second, last = model.step(ids[:, cut:], state)
    whole, expected = model.step(ids)
    assert torch.allclose(torch.cat([first, second], dim=1), whole, rtol=0, atol=1e-12)
    for ours, theirs in zip(flat(last), flat(expected), strict=True):
        assert ours.shape == (layers, 2, 4) and torch.allclose(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_logit_depends_on_no_later_token(kind):
    model = language_model(kind, 7, 4, 5, 2)
    ids = torch.randint(7, (3, 10))
    changed = ids.clone()
    changed[:, 6:] = (ids[:, 6:] + 1) % 7
    before, after = model(ids), model(changed)
    assert torch.equal(before[:, :6], after[:, :6]) and not torch.allclose(before[:, 6:], after[:, 6:])


@pytest.mark.parametrize("kind", KINDS)
def test_generate_carries_the_state(kind):
    """Greedy writing, one step at a time, is the arg max after the whole text so far."""
    model = language_model(kind, 6, 3, 8, 2)
    text = generate(model, torch.tensor([[1, 2], [3, 0]]), 12, torch.Generator(), temperature=0).clone()
    assert text.shape == (2, 14)
    for end in range(2, 14):
        assert torch.equal(text[:, end], model(text[:, :end])[:, -1].argmax(dim=1))


def test_rows_do_not_see_each_other():
    model = language_model(nn.GRU, 6, 3, 8, 1)
    ids = torch.randint(6, (4, 7))
    alone = torch.cat([model(row[None]) for row in ids])
    assert torch.allclose(model(ids), alone, rtol=0, atol=1e-12)
