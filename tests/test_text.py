"""Vocabulary, padding, windows, training, perplexity, and writing token by token."""

import math
from collections import Counter
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torchmetrics.functional.text import perplexity as torchmetrics_perplexity

from utils.layers.recurrent import RecurrentLanguageModel
from utils.text import (
    SPECIALS,
    Vocabulary,
    generate,
    greedy_decode,
    pad,
    perplexity,
    random_windows,
    sequential_windows,
    train_language_model,
    window_batches,
)

quick = settings(deadline=None, derandomize=True, max_examples=60)
words = st.lists(st.sampled_from([*"abcdefgh", "<unk>", "<eos>"]), max_size=60)


# Vocabulary


@quick
@given(words, words, st.integers(1, 4))
def test_a_vocabulary_holds_the_frequent_tokens_and_decodes_what_it_encodes(text, other, min_freq):
    vocabulary, counts = Vocabulary(text, min_freq=min_freq), Counter(text)
    frequent = {token for token, n in counts.items() if n >= min_freq} - set(SPECIALS)
    assert vocabulary.tokens[:4] == list(SPECIALS) and set(vocabulary.tokens[4:]) == frequent
    assert len(vocabulary) == len(set(vocabulary.tokens)) == len(frequent) + 4
    assert [vocabulary.ids[token] for token in vocabulary.tokens] == list(range(len(vocabulary)))
    order = [(-counts[token], text.index(token)) for token in vocabulary.tokens[4:]]
    assert order == sorted(order)  # falling count, equals as in the text
    known = set(vocabulary.tokens)
    assert vocabulary.decode(vocabulary.encode(other)) == [t if t in known else "<unk>" for t in other]


def test_without_special_tokens_an_unknown_token_is_an_error():
    vocabulary = Vocabulary("banana", specials=())
    assert vocabulary.tokens == ["a", "n", "b"] and vocabulary.encode("ban") == [2, 0, 1]
    with pytest.raises(KeyError, match="x"):
        vocabulary.encode("x")
    assert Vocabulary("ab", specials=("<pad>", "<unk>")).encode("axb") == [2, 1, 3]


# Padding


@quick
@given(st.lists(st.lists(st.integers(0, 99), max_size=9), min_size=1, max_size=9), st.integers(-5, 5))
def test_padding_is_that_of_torch(sequences, value):
    rows = [torch.tensor(row, dtype=torch.int64) for row in sequences]
    padded = pad(sequences, value)
    assert torch.equal(padded, pad_sequence(rows, batch_first=True, padding_value=value))
    assert padded.dtype == torch.int64


def test_nothing_to_pad_is_an_error():
    with pytest.raises(ValueError, match="at least one sequence, got none"):
        pad([], 0)


# Windows


@quick
@given(st.integers(1, 12), st.integers(0, 300), st.integers(0, 10_000))
def test_random_windows_cover_the_text_but_for_its_ends_once(steps, more, seed):
    n = 2 * steps + 1 + more
    windows = random_windows(torch.arange(n), steps, torch.Generator().manual_seed(seed))
    assert windows.shape[1] == steps + 1 and (windows.diff(dim=1) == 1).all()
    targets = windows[:, 1:].flatten().sort().values
    assert (targets.diff() == 1).all()  # none twice, no gap
    assert 1 <= targets[0] <= steps and n - 1 - targets[-1] < steps
    again = random_windows(torch.arange(n), steps, torch.Generator().manual_seed(seed))
    assert torch.equal(windows, again)


def test_random_windows_begin_anywhere_and_come_in_any_order():
    generator = torch.Generator().manual_seed(0)
    epochs = [random_windows(torch.arange(100), 5, generator) for _ in range(200)]
    assert {int(windows.min()) for windows in epochs} == set(range(5))
    starts = torch.stack([windows[0, 0] // 5 for windows in epochs])
    assert len(starts.unique()) > 15  # of 19 or 20 places for the first window


@quick
@given(st.integers(1, 9), st.integers(1, 12), st.integers(0, 300))
def test_sequential_windows_go_on_where_the_batch_before_ended(batch_size, steps, more):
    n = batch_size * steps + 1 + more
    batches = sequential_windows(torch.arange(n), batch_size, steps)
    assert batches.shape[1:] == (batch_size, steps + 1) and (batches.diff(dim=2) == 1).all()
    assert torch.equal(batches[1:, :, 0], batches[:-1, :, -1])
    targets = batches[:, :, 1:].flatten().sort().values
    assert torch.equal(targets, torch.arange(1, len(targets) + 1))
    assert n - 1 - len(targets) < batch_size * steps


def test_a_text_too_short_for_windows_is_an_error():
    generator = torch.Generator()
    assert len(random_windows(torch.arange(11), 5, generator)) >= 1
    with pytest.raises(ValueError, match="at least 11 tokens for windows of 5, got 10"):
        random_windows(torch.arange(10), 5, generator)
    assert len(sequential_windows(torch.arange(11), 2, 5)) == 1
    with pytest.raises(ValueError, match="at least 11 tokens for one batch, got 10"):
        sequential_windows(torch.arange(10), 2, 5)


@quick
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 9), st.integers(0, 40), st.integers(0, 999))
def test_batches_of_windows_are_as_many_passes_as_it_takes(updates, batch_size, steps, more, seed):
    ids = torch.arange(2 * steps + 1 + more)
    batches = window_batches(ids, updates, seed, batch_size=batch_size, steps=steps)
    assert batches.shape == (updates, batch_size, steps + 1)
    generator, rows = torch.Generator().manual_seed(seed), batches.flatten(0, 1)
    while len(rows):
        epoch = random_windows(ids, steps, generator)[: len(rows)]
        assert torch.equal(rows[: len(epoch)], epoch)
        rows = rows[len(epoch) :]


# Training


def test_training_learns_a_text_that_repeats_itself():
    torch.manual_seed(0)
    ids = torch.arange(600) % 5
    model = RecurrentLanguageModel(nn.RNN, 5, 4, 8).eval()
    updates = []
    before = perplexity(model, ids)
    batches = window_batches(ids, 40, 0, batch_size=8, steps=8)
    train_language_model(model, batches, 0.05, after_update=updates.append)
    assert perplexity(model, ids) < 1.1 < 4 < before
    assert updates == list(range(1, 41)) and model.training


def test_a_carried_state_is_that_of_the_batch_before_and_its_gradient_is_cut():
    torch.manual_seed(0)
    ids, seen = torch.randint(5, (200,)), []
    model = RecurrentLanguageModel(nn.GRU, 5, 4, 8)
    step = model.step

    def watched(inputs, state):
        logits, after = step(inputs, state)
        seen.append((state, after))
        return logits, after

    model.step = watched
    train_language_model(model, sequential_windows(ids, 2, 8), 0.01, carry=True)
    assert seen[0][0] is None and len(seen) == 12
    for (_, after), (state, _) in pairwise(seen):
        assert torch.equal(state, after) and not state.requires_grad


# Perplexity


def bigram(kinds: int, seed: int) -> nn.Embedding:
    """A model of one layer: the logits of what follows each token."""
    generator = torch.Generator().manual_seed(seed)
    return nn.Embedding.from_pretrained(2 * torch.randn(kinds, kinds, generator=generator))


@quick
@given(st.integers(1, 8), st.integers(2, 10), st.integers(0, 100), st.integers(1, 7), st.integers(0, 99))
def test_perplexity_is_that_of_torchmetrics_on_the_tokens_that_count(half, kinds, more, batch_size, seed):
    steps, model = 2 * half, bigram(kinds, seed)
    ids = torch.randint(kinds, (steps + 1 + more,), generator=torch.Generator().manual_seed(seed))
    ours = perplexity(model, ids, steps, batch_size)
    count = (1 + more // half) * half  # from number half + 1 on
    counted = slice(half + 1, half + 1 + count)
    logits = model(ids[:-1])[half : half + count]
    theirs = torchmetrics_perplexity(logits[None].double(), ids[None, counted]).item()
    assert math.isclose(ours, theirs, rel_tol=1e-5) and ours >= 1


def test_perplexity_of_an_even_model_is_the_number_of_tokens():
    even = nn.Embedding.from_pretrained(torch.zeros(7, 7))
    assert math.isclose(perplexity(even, torch.arange(7).repeat(30)), 7, rel_tol=1e-6)


def test_perplexity_leaves_the_mode_as_it_was_and_needs_a_window():
    model = nn.Sequential(bigram(3, 0), nn.Dropout(0.9))
    values = [perplexity(model.train(mode), torch.zeros(65, dtype=torch.int64)) for mode in (True, False)]
    assert values[0] == values[1] and not model.training
    perplexity(model.train(), torch.zeros(65, dtype=torch.int64))
    assert model.training
    with pytest.raises(ValueError, match="at least 65 tokens for windows of 64, got 64"):
        perplexity(model, torch.zeros(64, dtype=torch.int64))


# Writing


class Counting(nn.Module):
    """Writes the next number; the state is how many tokens it has read."""

    kinds = 10

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def start(self, source: Tensor) -> Tensor:
        return source[:, 0]

    def step(self, ids: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        read = (0 if state is None else state) + ids.shape[1]
        logits = 5.0 * nn.functional.one_hot((ids + 1) % self.kinds, self.kinds)
        return logits, read


def test_generate_takes_the_most_probable_token_at_temperature_zero():
    model, generator = Counting().train(), torch.Generator()
    text = generate(model, torch.tensor([[2, 3], [7, 8]]), 4, generator, temperature=0)
    assert text.tolist() == [[2, 3, 4, 5, 6, 7], [7, 8, 9, 0, 1, 2]] and model.training


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_generate_draws_from_the_softmax_of_the_logits_over_the_temperature(temperature):
    generator = torch.Generator().manual_seed(0)
    drawn = generate(Counting(), torch.zeros(4000, 1, dtype=torch.int64), 1, generator, temperature)[:, 1]
    expected = torch.softmax(torch.tensor([0.0, 5.0, *[0.0] * 8]) / temperature, dim=0)
    shares = torch.bincount(drawn, minlength=10) / 4000
    assert (shares - expected).abs().max() < 4 * 0.5 / math.sqrt(4000)  # four standard errors


def test_generate_refuses_an_empty_prompt_and_a_negative_temperature():
    for shape, temperature in (((1, 0), 1.0), ((3,), 1.0), ((1, 2), -0.1)):
        with pytest.raises(ValueError, match="steps > 0"):
            generate(Counting(), torch.zeros(shape, dtype=torch.int64), 1, torch.Generator(), temperature)


class CountingFrom(Counting):
    """Starts each translation with the number that its source begins with, then counts."""

    def step(self, ids: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        first = ids == 9  # <bos>
        new = torch.where(first, state[:, None], (ids + 1) % 9)
        return nn.functional.one_hot(new, self.kinds).float(), state


def test_greedy_decode_stops_each_row_at_its_own_end():
    rows = greedy_decode(CountingFrom(), torch.tensor([[2], [5], [6]]), bos=9, eos=6, limit=20)
    assert rows == [[2, 3, 4, 5], [5], []]
    assert greedy_decode(CountingFrom(), torch.tensor([[0]]), bos=9, eos=6, limit=3) == [[0, 1, 2]]
