"""Recurrent networks: the language model against torch's layers, one token at a time and all at once."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from utils.generation import generate, greedy_decode
from utils.layers.recurrent import AttentionTranslator, RecurrentLanguageModel, RecurrentTranslator

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


# Encoder, Decoder, RecurrentTranslator, greedy_decode

PAD, BOS, EOS = 1, 2, 3
TOKENS = 8
quick = settings(max_examples=40, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32)
lengths = st.lists(st.integers(1, 6), min_size=1, max_size=5)


def padded(rows: list[int], seed: int, extra: int = 0) -> torch.Tensor:
    """Random ids in rows of these lengths, padded, with so many columns more than needed."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(2, TOKENS, (len(rows), 20), generator=generator)[:, : max(rows) + extra]
    return ids.masked_fill(torch.arange(ids.shape[1]) >= torch.tensor(rows)[:, None], PAD)


def translator(layers: int, seed: int, width: int = 3, hidden_size: int = 4) -> RecurrentTranslator:
    torch.manual_seed(seed)
    return RecurrentTranslator(TOKENS, TOKENS, width, hidden_size, PAD, layers).double()


@quick
@given(lengths, st.integers(1, 3), st.integers(0, 4), seeds)
def test_the_encoder_reads_each_row_as_if_it_were_alone(rows, layers, extra, seed):
    encoder = translator(layers, seed).encoder
    source = padded(rows, seed, extra)
    outputs, state = encoder(source)
    assert outputs.shape == (*source.shape, 4) and state.shape == (layers, len(rows), 4)
    for i, n in enumerate(rows):
        alone, last = encoder.rnn(encoder.embedding(source[i : i + 1, :n]))  # nn.GRU, without packing
        torch.testing.assert_close(outputs[i, :n], alone[0])
        torch.testing.assert_close(state[:, i], last[:, 0])
        assert not outputs[i, n:].any()


@quick
@given(lengths, st.integers(1, 3), seeds)
def test_padding_changes_no_loss_and_no_gradient(rows, layers, seed):
    model = translator(layers, seed)
    seen = []
    for extra in (0, 3):
        source, target = padded(rows, seed, extra), padded([n + 1 for n in rows], seed + 1, extra)
        logits, labels = model(source, target[:, :-1]), target[:, 1:]
        loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=PAD)
        seen.append([loss, *torch.autograd.grad(loss, list(model.parameters()))])
    torch.testing.assert_close(seen[0], seen[1])


def test_padding_s_embedding_is_not_trained():
    model = translator(1, 0)
    model(padded([2, 5], 0), padded([3, 3], 1)).sum().backward()
    assert not model.encoder.embedding.weight.grad[PAD].any()
    assert model.encoder.embedding.weight.grad[padded([2, 5], 0)[1]].any(dim=1).all()


@quick
@given(lengths, st.integers(1, 3), seeds)
def test_a_decoder_at_once_is_a_decoder_step_by_step(rows, layers, seed):
    model = translator(layers, seed)
    source, ids = padded(rows, seed), padded(rows, seed + 1)
    at_once, state = model(source, ids), model.start(source)
    for t in range(ids.shape[1]):
        logits, state = model.step(ids[:, t : t + 1], state)
        torch.testing.assert_close(logits[:, 0], at_once[:, t])


@quick
@given(seeds)
def test_a_decoder_is_torch_s_gru_with_the_context_beside_each_input(seed):
    decoder = translator(1, seed).decoder
    torch.manual_seed(seed)
    ids, state, context = padded([4, 4], seed), torch.randn(1, 2, 4).double(), torch.randn(2, 4).double()
    cell = nn.GRUCell(7, 4).double()
    cell.load_state_dict({name.removesuffix("_l0"): w for name, w in decoder.rnn.state_dict().items()})
    h, expected = state[0], []
    for t in range(4):
        h = cell(torch.cat((decoder.embedding(ids[:, t]), context), dim=1), h)
        expected.append(decoder.output(h))
    logits, after = decoder(ids, state, context)
    torch.testing.assert_close(logits, torch.stack(expected, dim=1))
    torch.testing.assert_close(after[0], h)


def sharp(layers: int, seed: int) -> RecurrentTranslator:
    """A translator whose sentences end now and then."""
    model = translator(layers, seed)
    with torch.no_grad():
        model.decoder.output.weight *= 8
    return model


@quick
@given(lengths, st.integers(1, 2), st.integers(0, 8), seeds)
def test_greedy_decoding_of_a_batch_is_that_of_each_row_read_anew(rows, layers, limit, seed):
    model, source = sharp(layers, seed), padded(rows, seed)
    written = greedy_decode(model, source, BOS, EOS, limit)
    assert len(written) == len(rows)
    for i, ids in enumerate(written):
        text = [BOS]
        while len(text) <= limit and (len(text) == 1 or text[-1] != EOS):
            text.append(int(model(source[i : i + 1], torch.tensor([text]))[0, -1].argmax()))
        expected = text[1:]
        assert ids == (expected[: expected.index(EOS)] if EOS in expected else expected)


def test_greedy_decoding_puts_the_mode_back():
    model = translator(1, 0)
    for training in (True, False):
        model.train(training)
        greedy_decode(model, padded([3], 0), BOS, EOS, 4)
        assert model.training is training


def looking_back(seed: int) -> AttentionTranslator:
    torch.manual_seed(seed)
    return AttentionTranslator(TOKENS, TOKENS, 3, 4, PAD).double()


@quick
@given(lengths, st.integers(1, 5), st.integers(0, 3), seeds)
def test_a_decoder_that_looks_back_reads_true_words_alone_and_as_torch_does(rows, steps, extra, seed):
    model, source = looking_back(seed), padded(rows, seed, extra)
    ids = torch.randint(2, TOKENS, (len(rows), steps))
    logits, state = model.step(ids, model.start(source))
    assert logits.shape == (len(rows), steps, TOKENS)
    assert not state["weights"].masked_select((source == PAD)[:, None].expand_as(state["weights"])).any()
    for i, n in enumerate(rows):  # each row alone, without packing, masks and our own attention
        memory, hidden = model.encoder.rnn(model.encoder.embedding(source[i : i + 1, :n]))
        outputs = model.rnn(model.embedding(ids[i : i + 1]), hidden)[0]
        read = F.scaled_dot_product_attention(outputs, memory, memory)
        expected = model.output(torch.tanh(model.mix(torch.cat((outputs, read), dim=2))))
        torch.testing.assert_close(logits[i : i + 1], expected)


@quick
@given(lengths, st.integers(2, 6), seeds)
def test_a_decoder_that_looks_back_writes_step_by_step_what_it_writes_at_once(rows, steps, seed):
    model, source = looking_back(seed), padded(rows, seed)
    ids = torch.randint(2, TOKENS, (len(rows), steps))
    whole, state, parts = model(source, ids), model.start(source), []
    for token in ids.split(1, dim=1):
        logits, state = model.step(token, state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole)
    written = greedy_decode(model, source, BOS, EOS, 5)
    assert len(written) == len(rows) and all(len(row) <= 5 for row in written)
