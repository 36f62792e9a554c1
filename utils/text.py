"""Text as tensors: words, vocabulary, padding, windows."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from utils.device import new_generator

SPECIALS = ("<unk>", "<pad>", "<bos>", "<eos>")


def words(text: str) -> list[str]:
    """The words of a text in lower case, of letters alone: ``"It’s 5, Zoë!"`` gives ``["it's", "zoë"]``.

    An apostrophe inside belongs to the word, and a typographic one counts as a plain one. The text is brought
    to the normal form NFC first, in which a letter and its accent are one character; marks that stay by
    themselves, as the vowels of some scripts, belong to the word too.
    """
    text = plain(text).lower()
    others = [c for c in set(text) if c != "'" and unicodedata.category(c)[0] not in "LM"]
    pieces = text.translate(dict.fromkeys(map(ord, others), " ")).split()
    return [word for piece in pieces if (word := piece.strip("'"))]


def nfc(text: str) -> str:
    """The text in Unicode's normal form C: what looks the same is the same."""
    return unicodedata.normalize("NFC", text)


def plain(text: str) -> str:
    """The text in normal form C, with plain apostrophes and without characters that only steer its setting
    (soft hyphens, joiners); ``typed.js`` of the figures does the same with what a reader types.
    """
    text = nfc(text).replace("’", "'")
    return text.translate({ord(c): None for c in set(text) if unicodedata.category(c) == "Cf"})


class Vocabulary:
    """Tokens and their numbers: special tokens first, then by falling count, equals in the order of the text.

    Tokens are brought to the normal form NFC, when a vocabulary is made and when it is asked; so is a text
    that is given as one string, whose characters are the tokens.

    Attributes:
        tokens: number to token.
        ids: token to number.
    """

    def __init__(self, tokens: Iterable[str], *, min_freq: int = 1, specials: Sequence[str] = SPECIALS):
        """
        Args:
            tokens: of the training text.
            min_freq: rarer tokens are left out; they become ``<unk>``.
            specials: tokens that the text does not hold; with none, an unknown token is an error.
        """
        specials = [nfc(token) for token in specials]
        counts = Counter(nfc(tokens) if isinstance(tokens, str) else map(nfc, tokens))
        kept = [token for token, n in counts.most_common() if n >= min_freq and token not in specials]
        self.tokens = [*specials, *kept]
        self.ids = {token: i for i, token in enumerate(self.tokens)}

    def __len__(self) -> int:
        """Number of tokens, special ones included."""
        return len(self.tokens)

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Numbers of the tokens.

        Raises:
            KeyError: if a token is unknown and there is no ``<unk>``.
        """
        tokens = nfc(tokens) if isinstance(tokens, str) else map(nfc, tokens)
        if "<unk>" in self.ids:
            unknown = self.ids["<unk>"]
            return [self.ids.get(token, unknown) for token in tokens]
        return [self.ids[token] for token in tokens]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Tokens of the numbers, special ones included."""
        return [self.tokens[i] for i in ids]


def pad(sequences: Sequence[Sequence[int]], value: int) -> Tensor:
    """Sequences of different lengths as the rows of one int64 tensor (n, longest), filled up on the right.

    Raises:
        ValueError: if there is no sequence.
    """
    if not sequences:
        raise ValueError("expected at least one sequence, got none")
    longest = max(map(len, sequences))
    return torch.tensor([[*row, *[value] * (longest - len(row))] for row in sequences], dtype=torch.int64)


def random_windows(ids: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """One epoch of random sampling: the text from a random start, cut into windows, in random order.

    Args:
        ids: (n,) the whole text.
        steps: tokens to predict in each window.
        generator: of the start, below ``steps``, and of the order.

    Returns:
        (windows, steps + 1): the inputs are ``[:, :-1]``, the targets ``[:, 1:]``. Windows overlap by the
        one token that is target in one and input in the next; no token is a target twice.

    Raises:
        ValueError: if the text is shorter than two windows, or a window would have no step.

    Source: Zhang et al., "Dive into Deep Learning", section 9.3.
    """
    if steps < 1:
        raise ValueError(f"expected windows of at least one step, got {steps}")
    if len(ids) < 2 * steps + 1:
        raise ValueError(f"expected at least {2 * steps + 1} tokens for windows of {steps}, got {len(ids)}")
    start = int(torch.randint(steps, (1,), generator=generator))
    windows = ids[start:].unfold(0, steps + 1, steps)
    return windows[torch.randperm(len(windows), generator=generator).to(ids.device)]


def sequential_windows(ids: Tensor, batch_size: int, steps: int) -> Tensor:
    """One epoch of sequential partitioning: row i of a batch goes on where row i of the one before ended.

    Args:
        ids: (n,) the whole text; what does not fill the last batch is left out.
        batch_size: rows, each a stretch of the text.
        steps: tokens to predict in each window.

    Returns:
        (batches, batch_size, steps + 1), inputs and targets as in `random_windows`.

    Raises:
        ValueError: if the text is too short for one batch, or a size is not positive.

    Source: Zhang et al., "Dive into Deep Learning", section 9.3.
    """
    if batch_size < 1 or steps < 1:
        raise ValueError(f"expected batch_size and steps of at least 1, got {batch_size} and {steps}")
    batches = (len(ids) - 1) // (batch_size * steps)
    if batches < 1:
        raise ValueError(f"expected at least {batch_size * steps + 1} tokens for one batch, got {len(ids)}")
    span = batches * steps  # of a row
    rows = ids[: batch_size * span + 1].unfold(0, span + 1, span)  # (batch_size, span + 1)
    return rows.unfold(1, steps + 1, steps).transpose(0, 1)


def window_batches(ids: Tensor, updates: int, seed: int, *, batch_size: int = 32, steps: int = 64) -> Tensor:
    """Random windows for so many mini-batches, from as many passes over the text as it takes.

    Args:
        ids: (n,) the text.
        updates: mini-batches.
        seed: of starts and order.
        batch_size: windows in each.
        steps: tokens to predict in each window.

    Returns:
        (updates, batch_size, steps + 1), inputs and targets as in `random_windows`.

    Raises:
        ValueError: if the text is shorter than two windows.
    """
    generator, parts, missing = new_generator(seed), [ids.new_empty(0, steps + 1)], updates * batch_size
    while missing > 0:
        parts.append(random_windows(ids, steps, generator)[:missing])
        missing -= len(parts[-1])
    return torch.cat(parts).view(updates, batch_size, steps + 1)
