"""Words, vocabulary, padding, windows."""

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pad_sequence

from utils.text import SPECIALS, Vocabulary, pad, random_windows, sequential_windows, window_batches, words

quick = settings(deadline=None, derandomize=True, max_examples=60)
tokens = st.lists(st.sampled_from([*"abcdefgh", "<unk>", "<eos>"]), max_size=60)


# Vocabulary


@quick
@given(tokens, tokens, st.integers(1, 4))
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


# Words and normal form


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It isn't good. It isn’t GOOD!", ["it", "isn't", "good"] * 2),
        ("'Tis 5 o'clock — dogs’ ears", ["tis", "o'clock", "dogs", "ears"]),
        ("Zoe\u0308 is Zo\u00eb; cafe\u0301_noir", ["zoë", "is", "zoë", "café", "noir"]),
        ("नमस्ते दुनिया, привет", ["नमस्ते", "दुनिया", "привет"]),
        ("می\u200cخواهم, co\u00adoperate", ["میخواهم", "cooperate"]),
        (" '’' 12 ", []),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]):
    assert words(text) == expected


def test_what_looks_the_same_has_the_same_number():
    composed, apart = "caf\u00e9", "cafe\u0301"
    for text, other in ((composed, apart), (apart, composed)):
        assert Vocabulary([text]).encode([other]) == [4]
        letters = Vocabulary(text, specials=())
        assert len(letters) == 4 and letters.decode(letters.encode(other)) == list(composed)
    assert Vocabulary([composed, apart], min_freq=2).tokens[4:] == [composed]


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
    for sizes in ((0, 5), (2, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            sequential_windows(torch.arange(10), *sizes)
    with pytest.raises(ValueError, match="at least one step"):
        random_windows(torch.arange(10), 0, generator)


@quick
@given(st.integers(0, 6), st.integers(1, 6), st.integers(1, 9), st.integers(0, 40), st.integers(0, 999))
def test_batches_of_windows_are_as_many_passes_as_it_takes(updates, batch_size, steps, more, seed):
    ids = torch.arange(2 * steps + 1 + more)
    batches = window_batches(ids, updates, seed, batch_size=batch_size, steps=steps)
    assert batches.shape == (updates, batch_size, steps + 1)
    generator, rows = torch.Generator().manual_seed(seed), batches.flatten(0, 1)
    while len(rows):
        epoch = random_windows(ids, steps, generator)[: len(rows)]
        assert torch.equal(rows[: len(epoch)], epoch)
        rows = rows[len(epoch) :]
