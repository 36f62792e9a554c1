"""Tensors of sentence pairs, mini-batches, training and scores of a translator."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from utils.data import Pairs
from utils.layers.recurrent import RecurrentTranslator
from utils.text import SPECIALS, Vocabulary
from utils.translation import (
    BOS,
    EOS,
    PAD,
    UNK,
    Corpus,
    as_tensors,
    batches,
    crop,
    score,
    teacher_forced_loss,
    train_translator,
    translate,
)

CPU = torch.device("cpu")
PAIRS = Pairs([["a", "b"], ["c"], ["a", "x"]], [["A"], ["C", "B", "A"], ["A", "B"]])
quick = settings(deadline=None, derandomize=True, max_examples=40)


def vocabularies() -> tuple[Vocabulary, Vocabulary]:
    return Vocabulary("abc"), Vocabulary("ABC")


def reversal(n: int) -> tuple[Corpus, Vocabulary, list[list[str]]]:
    """Words of two or three letters, to be written backwards."""
    generator = torch.Generator().manual_seed(0)
    rows = [["abcd"[i] for i in torch.randint(4, (2 + k % 2,), generator=generator)] for k in range(n)]
    letters = Vocabulary("abcd")
    pairs = Pairs(rows, [row[::-1] for row in rows])
    return as_tensors(pairs, letters, letters, CPU), letters, pairs.target


def test_the_special_tokens_have_their_numbers():
    assert [SPECIALS[i] for i in (UNK, PAD, BOS, EOS)] == ["<unk>", "<pad>", "<bos>", "<eos>"]


def test_tensors_mark_the_end_and_for_targets_the_beginning():
    corpus = as_tensors(PAIRS, *vocabularies(), CPU)
    assert corpus.source.tolist() == [[4, 5, EOS], [6, EOS, PAD], [4, UNK, EOS]]
    assert corpus.target.tolist() == [
        [BOS, 4, EOS, PAD, PAD],
        [BOS, 6, 5, 4, EOS],
        [BOS, 4, 5, EOS, PAD],
    ]
    assert crop(corpus.target[::2]).tolist() == [[BOS, 4, EOS, PAD], [BOS, 4, 5, EOS]]


@quick
@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 2**32))
def test_an_epoch_has_each_pair_once_and_keeps_pairs_together(n, batch_size, seed):
    ids = torch.arange(4, 4 + n)
    source = torch.stack((ids, torch.full_like(ids, EOS), torch.full_like(ids, PAD)), dim=1)
    target = torch.stack((torch.full_like(ids, BOS), ids + 100, torch.full_like(ids, EOS)), dim=1)
    found = list(batches(Corpus(source, target), batch_size, torch.Generator().manual_seed(seed)))
    assert [len(batch.source) for batch in found[:-1]] == [batch_size] * (len(found) - 1)
    assert sorted(i for batch in found for i in batch.source[:, 0].tolist()) == ids.tolist()
    for batch in found:
        assert torch.equal(batch.source[:, 0] + 100, batch.target[:, 1])
        assert batch.source.shape[1] == 2  # the column of padding is cut off


def test_the_loss_is_the_mean_over_true_tokens():
    corpus = as_tensors(PAIRS, *vocabularies(), CPU)
    torch.manual_seed(0)
    model = RecurrentTranslator(7, 7, 3, 4, PAD)
    rows = []
    for i in range(3):  # each pair alone, without padding
        source, target = crop(corpus.source[i : i + 1]), crop(corpus.target[i : i + 1])
        rows.append(F.cross_entropy(model(source, target[:, :-1])[0], target[0, 1:], reduction="none"))
    torch.testing.assert_close(teacher_forced_loss(model, corpus), torch.cat(rows).mean())


def test_a_translator_learns_to_write_backwards():
    corpus, letters, targets = reversal(400)
    torch.manual_seed(0)
    model, seen = RecurrentTranslator(8, 8, 16, 48, PAD), []
    losses = train_translator(model, corpus, epochs=12, lr=0.02, seed=0, after_update=seen.append)
    assert seen == list(range(1, 12 * 7 + 1)) and len(losses) == len(seen)
    assert losses[0] > 1.5 and losses[-1] < 0.1
    reached = score(translate(model, corpus.source, letters, 5, batch_size=150), targets)
    assert reached["exact match accuracy"] > 0.95 and reached["BLEU"] == 0  # no 4-grams


def test_the_same_seed_gives_the_same_weights():
    corpus = reversal(60)[0]
    weights = []
    for seed in (0, 0, 1):
        torch.manual_seed(0)
        model = RecurrentTranslator(8, 8, 3, 4, PAD)
        train_translator(model, corpus, epochs=1, lr=0.01, seed=seed, batch_size=16)
        weights.append(nn.utils.parameters_to_vector(model.parameters()))
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_a_loss_that_is_not_finite_is_named():
    corpus = reversal(8)[0]
    model = RecurrentTranslator(8, 8, 3, 4, PAD)
    with torch.no_grad():
        model.decoder.output.bias[0] = math.nan
    with pytest.raises(FloatingPointError, match="expected a finite loss, got nan at update 1"):
        train_translator(model, corpus, epochs=1, lr=0.01, seed=0)


def test_nothing_to_train_on_is_no_update():
    assert (
        train_translator(RecurrentTranslator(8, 8, 3, 4, PAD), reversal(8)[0], epochs=0, lr=1, seed=0) == []
    )


def test_scores():
    rows = [list("abcde"), list("abcd")]
    assert score(rows, rows) == {"exact match accuracy": 1.0, "BLEU": pytest.approx(100)}
    half = score([list("abcde"), list("dcba")], rows)
    assert half["exact match accuracy"] == 0.5
    assert half["BLEU"] == pytest.approx(100 * (9 / 9 * 4 / 7 * 3 / 5 * 2 / 3) ** 0.25)
    assert score([[], []], rows) == {"exact match accuracy": 0.0, "BLEU": 0.0}
    for references in (rows[:1], []):
        with pytest.raises(ValueError, match="as many translations as references, at least one"):
            score(rows[: 2 * len(references)], references)


def test_bleu_counts_the_tokens_that_it_is_given():
    translation, reference = list("le2 mai  2021"), list("le 2 mai 2021")
    assert score([translation], [reference])["BLEU"] == pytest.approx(71.76, abs=0.005)
    no_blanks = [[token.replace(" ", "_") for token in row] for row in (translation, reference)]
    assert score([translation], [reference]) == score(no_blanks[:1], no_blanks[1:])
