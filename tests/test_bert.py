"""BERT: transformers' values and gradients under copied weights, and what padding does."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertConfig, BertModel
from transformers import BertForPreTraining as TheirBert

from utils.layers.bert import BertEncoder, BertForPreTraining, from_hugging_face

quick = settings(deadline=None, derandomize=True, max_examples=15)
TOKENS, STEPS = 31, 13


def pair_of_models(
    heads: int, layers: int, hidden_size: int, seed: int
) -> tuple[TheirBert, BertForPreTraining]:
    """Theirs with weights that matter, biases and norms included, and ours with the same."""
    torch.manual_seed(seed)
    width = 4 * heads
    config = BertConfig(
        vocab_size=TOKENS,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=hidden_size,
        max_position_embeddings=STEPS,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    theirs = TheirBert(config).double()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.4)
    ours = BertForPreTraining(
        BertEncoder(TOKENS, width, heads, layers, hidden_size, STEPS, dropout=0.0)
    ).double()
    ours.load_state_dict(from_hugging_face(theirs.state_dict()))
    return theirs, ours


def drawn_batch(batch: int, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Ids padded to different lengths, segments, and places to guess (one at least) that are no padding."""
    ids = torch.randint(1, TOKENS, (batch, steps))
    lengths = torch.randint(1, steps + 1, (batch,))
    ids[torch.arange(steps) >= lengths[:, None]] = 0
    places = (torch.rand(batch, steps) < 0.4) & (ids != 0)
    places[:, 0] = True
    return ids, torch.randint(0, 2, (batch, steps)), places


@quick
@given(
    st.integers(1, 4), st.integers(1, STEPS), st.integers(1, 3), st.integers(1, 3), st.integers(1, 9),
    st.integers(0, 2**32),
)  # fmt: skip
def test_values_and_gradients_are_transformers(batch, steps, heads, layers, hidden_size, seed):
    theirs, ours = pair_of_models(heads, layers, hidden_size, seed)
    ids, segments, places = drawn_batch(batch, steps)
    is_next = torch.randint(0, 2, (batch,))
    given_theirs = {"attention_mask": (ids != 0).long(), "token_type_ids": segments}
    expected = theirs(
        ids, **given_theirs, labels=torch.where(places, ids, -100), next_sentence_label=1 - is_next
    )
    guesses, answers = ours(ids, segments, places)
    loss = F.cross_entropy(guesses, ids[places]) + F.cross_entropy(answers, is_next)
    hidden = theirs.bert(ids, **given_theirs).last_hidden_state
    torch.testing.assert_close(ours.encoder(ids, segments), hidden)
    torch.testing.assert_close(guesses, expected.prediction_logits[places])
    torch.testing.assert_close(answers, expected.seq_relationship_logits.flip(1))
    torch.testing.assert_close(loss, expected.loss)
    loss.backward()
    expected.loss.backward()
    gradients = from_hugging_face({name: p.grad for name, p in theirs.named_parameters()})
    torch.testing.assert_close({name: p.grad for name, p in ours.named_parameters()}, gradients)


def test_a_bert_without_heads_gives_an_encoder():
    theirs, ours = pair_of_models(2, 2, 5, seed=0)
    encoder = BertEncoder(TOKENS, 8, 2, 2, 5, STEPS, dropout=0.0).double()
    theirs = BertModel(theirs.config).double()
    encoder.load_state_dict(from_hugging_face(theirs.state_dict()))
    ids = torch.randint(1, TOKENS, (3, 7))
    torch.testing.assert_close(encoder(ids), theirs.eval()(ids).last_hidden_state)


@quick
@given(st.integers(1, 4), st.integers(1, STEPS - 1), st.integers(0, 2**32))
def test_more_padding_changes_nothing(batch, steps, seed):
    torch.manual_seed(seed)
    model = BertForPreTraining(BertEncoder(TOKENS, 8, 2, 2, 5, STEPS)).double().eval()
    ids, segments, places = drawn_batch(batch, steps)
    wider = [F.pad(x, (0, STEPS - steps)) for x in (ids, segments, places)]
    torch.testing.assert_close(model(*wider), model(ids, segments, places))


def test_segments_are_all_the_first_unless_given():
    encoder = BertEncoder(TOKENS, 8).eval()
    ids = torch.randint(1, TOKENS, (2, 5))
    torch.testing.assert_close(encoder(ids), encoder(ids, torch.zeros_like(ids)))
    assert not torch.allclose(encoder(ids), encoder(ids, torch.ones_like(ids)))


def test_both_directions_are_read():
    encoder = BertEncoder(TOKENS, 8).double().eval()
    ids = torch.randint(1, TOKENS, (1, 6))
    changed = ids.clone()
    changed[0, 3] = ids[0, 3] % (TOKENS - 1) + 1
    moved = (encoder(ids) - encoder(changed)).abs().amax(dim=2)[0]
    assert (moved > 0).all()


def test_the_start_is_berts():
    torch.manual_seed(0)
    model = BertForPreTraining(BertEncoder(2000, 64, 2, 2, std=0.05))
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1 and parameter.numel() > 1000:
            assert parameter.std().item() == pytest.approx(0.05, rel=0.05), name
        elif name.endswith("bias"):
            assert not parameter.any(), name
    assert not model.encoder.token.weight[0].any()
    assert (model.encoder.norm.weight == 1).all()


def test_output_weights_are_the_embedding():
    model = BertForPreTraining(BertEncoder(TOKENS, 8)).eval()
    hidden = torch.randn(3, 8)
    before = model.token_logits(hidden)
    with torch.no_grad():
        model.encoder.token.weight[5] += 1
    moved = (model.token_logits(hidden) != before).any(dim=0)
    assert moved.nonzero().flatten().tolist() == [5]


def test_too_many_steps_are_refused():
    with pytest.raises(ValueError, match="expected at most 4 steps, got 5"):
        BertEncoder(TOKENS, 8, max_steps=4)(torch.ones(1, 5, dtype=torch.int64))
