"""Transformer layers and models: torch's values and gradients, causality, caches, what is refused."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from utils.layers.attention import causal_mask, sinusoidal_positions
from utils.layers.transformer import (
    DecoderLayer,
    EncoderLayer,
    PositionalEmbedding,
    Transformer,
    TransformerLanguageModel,
    TransformerTranslator,
    extend,
)

quick = settings(deadline=None, derandomize=True, max_examples=25)
few = st.integers(1, 5)
seeds = st.integers(0, 2**32)
PAD = 1


def scrambled(layer: nn.Module) -> nn.Module:
    """Norms and biases that do something, in double precision."""
    for parameter in layer.parameters():
        if parameter.ndim == 1:
            nn.init.normal_(parameter)
    return layer.double()


def padding(batch: int, steps: int) -> torch.Tensor:
    """(batch, steps), True at padding; no row is padding alone."""
    return torch.arange(steps) >= torch.randint(1, steps + 1, (batch, 1))


def agree(ours: nn.Module, theirs: nn.Module, inputs: list, outputs: list) -> None:
    """Same outputs, and same gradients of inputs and parameters."""
    torch.testing.assert_close(*outputs)
    direction = torch.randn_like(outputs[0])
    names = [name for name, _ in theirs.named_parameters()]
    gradients = [
        torch.autograd.grad((y * direction).sum(), [*inputs, *map(net.get_parameter, names)])
        for net, y in zip((ours, theirs), outputs, strict=True)
    ]
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)


@quick
@given(few, few, few, few, st.booleans(), st.booleans(), seeds)
def test_an_encoder_layer_is_torchs(batch, steps, heads, hidden, norm_first, gelu, seed):
    torch.manual_seed(seed)
    options = {"norm_first": norm_first, "activation": nn.GELU() if gelu else nn.ReLU()}
    theirs = nn.TransformerEncoderLayer(4 * heads, heads, hidden, 0.0, batch_first=True, **options)
    scrambled(theirs)
    ours = EncoderLayer(4 * heads, heads, hidden, **options).double()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(batch, steps, 4 * heads, dtype=torch.float64, requires_grad=True)
    empty = padding(batch, steps)
    causal = causal_mask(steps)
    expected = theirs(x, src_mask=~causal, src_key_padding_mask=empty)
    agree(ours, theirs, [x], [ours(x, causal & ~empty[:, None, None]), expected])


@quick
@given(few, few, few, few, st.booleans(), seeds)
def test_a_decoder_layer_is_torchs(batch, steps, sources, heads, norm_first, seed):
    torch.manual_seed(seed)
    theirs = nn.TransformerDecoderLayer(4 * heads, heads, 7, 0.0, batch_first=True, norm_first=norm_first)
    scrambled(theirs)
    ours = DecoderLayer(4 * heads, heads, 7, norm_first=norm_first).double()
    ours.load_state_dict(theirs.state_dict())
    shapes = ((batch, steps), (batch, sources))
    x, memory = (torch.randn(*shape, 4 * heads, dtype=torch.float64, requires_grad=True) for shape in shapes)
    empty = padding(batch, sources)
    expected = theirs(x, memory, tgt_mask=~causal_mask(steps), memory_key_padding_mask=empty)
    agree(ours, theirs, [x, memory], [ours(x, memory, ~empty[:, None, None]), expected])


@quick
@given(few, few, st.integers(2, 7), st.integers(1, 3), st.booleans(), seeds)
def test_a_translator_writes_step_by_step_what_it_writes_at_once(batch, sources, steps, layers, first, seed):
    torch.manual_seed(seed)
    model = TransformerTranslator(9, 8, 12, 3, 10, PAD, layers, norm_first=first).double()
    source = torch.randint(2, 9, (batch, sources)).masked_fill(padding(batch, sources), PAD)
    ids = torch.randint(2, 8, (batch, steps))
    whole = model(source, ids)
    assert whole.shape == (batch, steps, 8)
    cut = int(torch.randint(1, steps, (1,)))
    state, rows = model.start(source), []
    for piece in (ids[:, :cut], *ids[:, cut:].split(1, dim=1)):
        row, state = model.step(piece, state)
        rows.append(row)
    torch.testing.assert_close(torch.cat(rows, dim=1), whole)
    for own, across in state["weights"]:
        assert own.shape == (batch, 3, 1, steps) and across.shape == (batch, 3, 1, sources)
        assert not across.masked_select((source == PAD)[:, None, None].expand_as(across)).any()
    torch.testing.assert_close(model(F.pad(source, (0, 2), value=PAD), ids), whole)


@quick
@given(few, st.integers(2, 9), st.integers(1, 3), seeds)
def test_a_language_model_is_torchs_and_reads_with_a_cache(batch, steps, layers, seed):
    torch.manual_seed(seed)
    model = TransformerLanguageModel(11, 8, 2, layers, context=9).double()
    layer = nn.TransformerEncoderLayer(8, 2, 32, 0.0, "gelu", batch_first=True, norm_first=True)
    theirs = nn.TransformerEncoder(layer, layers, nn.LayerNorm(8), enable_nested_tensor=False).double()
    theirs.layers.load_state_dict(model.layers.state_dict())
    ids = torch.randint(11, (batch, steps))
    x = model.embedding(ids) + model.position.weight[:steps]
    hidden = theirs(x, mask=~causal_mask(steps))
    torch.testing.assert_close(model(ids), hidden @ model.embedding.weight.T)
    cut = int(torch.randint(1, steps, (1,)))
    first, caches = model.step(ids[:, :cut])
    second, caches = model.step(ids[:, cut:], caches)
    torch.testing.assert_close(torch.cat([first, second], dim=1), model(ids))
    assert caches[0][0].shape == (batch, 2, steps, 4) and len(caches) == layers


@quick
@given(st.integers(2, 9), st.booleans(), seeds)
def test_later_tokens_do_not_reach_earlier_outputs(steps, first, seed):
    torch.manual_seed(seed)
    at = int(torch.randint(1, steps, (1,)))
    ids = torch.randint(2, 8, (2, steps))
    other = ids.clone()
    other[:, at:] = (other[:, at:] - 1) % 6 + 2
    source = torch.randint(2, 9, (2, 4))
    translator = TransformerTranslator(9, 8, 12, 3, 10, PAD, 2, norm_first=first)
    for model in (TransformerLanguageModel(8, 12, 3, 2), lambda ids: translator(source, ids)):
        before, after = model(ids), model(other)
        assert torch.equal(before[:, :at], after[:, :at])
        assert (before[:, at:] != after[:, at:]).any()


def test_dropout_is_for_training_alone():
    torch.manual_seed(0)
    x, memory = torch.randn(2, 5, 8), torch.randn(2, 3, 8)
    encoder, decoder = EncoderLayer(8, 2, 16, 0.5), DecoderLayer(8, 2, 16, 0.5)
    for layer, inputs in ((encoder, (x,)), (decoder, (x, memory))):
        assert not torch.equal(layer(*inputs), layer(*inputs))
        assert torch.equal(layer.eval()(*inputs), layer(*inputs))


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@quick
@given(few, few, few, st.integers(1, 3), st.booleans(), seeds)
def test_a_transformer_is_torchs_stacks(batch, sources, steps, layers, first, seed):
    torch.manual_seed(seed)
    model = scrambled(Transformer(9, 8, 12, 3, 10, PAD, layers, norm_first=first))
    theirs = nn.Transformer(12, 3, layers, layers, 10, 0.0, batch_first=True, norm_first=first).double()
    for ours, stack in ((model.encoder, theirs.encoder), (model.decoder, theirs.decoder)):
        stack.layers.load_state_dict(ours.state_dict())
    theirs.encoder.norm.load_state_dict(model.encoder_norm.state_dict())
    theirs.decoder.norm.load_state_dict(model.decoder_norm.state_dict())
    empty = padding(batch, sources)
    source = torch.randint(2, 9, (batch, sources)).masked_fill(empty, PAD)
    ids = torch.randint(2, 8, (batch, steps))
    later = ~causal_mask(steps)
    x, y = model.source_embedding(source), model.target_embedding(ids)
    masks = {"src_key_padding_mask": empty, "memory_key_padding_mask": empty, "tgt_mask": later}
    torch.testing.assert_close(model(source, ids), model.output(theirs(x, y, **masks)))


def test_an_embedding_with_positions_goes_on_where_the_past_ends():
    torch.manual_seed(0)
    embedding, ids = PositionalEmbedding(9, 6), torch.randint(9, (2, 7))
    whole = embedding(ids)
    torch.testing.assert_close(whole - sinusoidal_positions(7, 6), embedding.table(ids) * 6**0.5)
    assert torch.equal(embedding(ids[:, 3:], past=3), whole[:, 3:])


def test_a_cache_grows_by_what_is_new():
    a, b = torch.zeros(2, 3, 4, 5), torch.ones(2, 3, 1, 5)
    assert extend(None, (b, b)) == (b, b)
    keys, values = extend((a, a), (b, b))
    assert keys.shape == values.shape == (2, 3, 5, 5) and keys[:, :, -1].all() and not keys[:, :, 0].any()


def test_a_language_model_starts_near_a_uniform_guess_and_ties_its_embedding():
    torch.manual_seed(0)
    model = TransformerLanguageModel(75, 64, 4, 2, context=64)
    ids = torch.randint(75, (8, 65))
    loss = F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
    assert 4 < loss < 6.5  # ln 75 is 4.3
    assert 106_000 < sum(p.numel() for p in model.parameters()) < 112_000
    model.embedding.weight.data[7] = 0
    assert (model(ids[:, :-1])[..., 7] == 0).all()


def test_what_does_not_fit_is_refused():
    model = TransformerLanguageModel(8, 8, 2, 1, context=4)
    _, caches = model.step(torch.zeros(1, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match="at most 4 steps in all, got 5"):
        model.step(torch.zeros(1, 2, dtype=torch.int64), caches)
    with pytest.raises(ValueError, match="divides the width 8, got 3"):
        EncoderLayer(8, 3, 16)
