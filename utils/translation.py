"""Training and scoring a translator: what the chapters on sequence-to-sequence models share."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils.data import Pairs
from utils.device import new_generator
from utils.generation import greedy_decode
from utils.text import SPECIALS, Vocabulary, pad
from utils.training import train_updates

UNK, PAD, BOS, EOS = range(len(SPECIALS))


class Corpus(NamedTuple):
    """Sentence pairs as two padded int64 tensors of as many rows; each row ends with ``<eos>``."""

    source: Tensor  # (n, steps)
    target: Tensor  # (n, steps'), each row begins with <bos>


def as_tensors(pairs: Pairs, source: Vocabulary, target: Vocabulary, device: torch.device) -> Corpus:
    """Number the tokens of sentence pairs, mark beginning and end, and pad.

    Args:
        pairs: lists of tokens; one that a vocabulary lacks becomes ``<unk>``.
        source: with the default special tokens.
        target: likewise.
        device: where the tensors lie.
    """
    sources = pad([[*source.encode(row), EOS] for row in pairs.source], PAD)
    targets = pad([[BOS, *target.encode(row), EOS] for row in pairs.target], PAD)
    return Corpus(sources.to(device), targets.to(device))


def crop(rows: Tensor) -> Tensor:
    """Padded rows (n, steps) without the columns that hold padding alone."""
    return rows[:, : int((rows != PAD).sum(dim=1).max())]


def batches(corpus: Corpus, batch_size: int, generator: torch.Generator) -> Iterator[Corpus]:
    """One epoch of mini-batches in random order, each cropped to its longest row."""
    order = torch.randperm(len(corpus.source), generator=generator).to(corpus.source.device)
    for rows in order.split(batch_size):
        yield Corpus(crop(corpus.source[rows]), crop(corpus.target[rows]))


def teacher_forced_loss(model: nn.Module, batch: Corpus) -> Tensor:
    """Cross-entropy of the true next token given the true ones before it, mean over the true tokens."""
    logits = model(batch.source, batch.target[:, :-1])  # (batch, steps, tokens)
    return F.cross_entropy(logits.flatten(0, 1), batch.target[:, 1:].flatten(), ignore_index=PAD)


def train_translator(
    model: nn.Module,
    corpus: Corpus,
    *,
    epochs: int,
    lr: float,
    seed: int,
    batch_size: int = 64,
    after_update: Callable[[int], None] | None = None,
) -> list[float]:
    """Train with teacher forcing: AdamW, a one-cycle schedule, gradients clipped to norm 1.

    Args:
        model: from source (batch, steps) and ids (batch, steps') to logits (batch, steps', tokens).
        corpus: on the model's device.
        epochs: passes over the corpus.
        lr: the schedule's peak.
        seed: of the order of the pairs.
        batch_size: pairs in an update.
        after_update: called with the number of updates so far.

    Returns:
        The loss of each update, as `train_updates` gives it.

    Raises:
        FloatingPointError: as `train_updates`.
    """
    generator, updates = new_generator(seed), epochs * -(-len(corpus.source) // batch_size)
    if updates == 0:
        return []
    # half-lives that fit a few hundred updates: the default beta of 0.999 remembers a thousand
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.98), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=updates)
    all_batches = (batch for _ in range(epochs) for batch in batches(corpus, batch_size, generator))
    options = {"scheduler": schedule, "clip_norm": 1.0, "after_update": after_update}
    return train_updates(model, all_batches, teacher_forced_loss, optimizer, **options)


def translate(
    model: nn.Module, source: Tensor, target: Vocabulary, limit: int, batch_size: int = 500
) -> list[list[str]]:
    """Greedy translations of padded sources (n, steps) as lists of tokens, ``limit`` tokens at most."""
    parts = (greedy_decode(model, crop(part), BOS, EOS, limit) for part in source.split(batch_size))
    return [target.decode(row) for part in parts for row in part]


def score(translations: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """Share of translations equal to their reference, and corpus BLEU (0 to 100) on these tokens.

    Returns:
        ``"exact match accuracy"`` and ``"BLEU"``, the latter of sacrebleu, up to 4-grams, without smoothing.

    Raises:
        ValueError: if there are not as many translations as references, or none.

    Source: Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation", ACL 2002.
    """
    from sacrebleu import corpus_bleu  # a second that only the chapters on translation spend

    if len(translations) != len(references) or not references:
        given = f"{len(translations)} and {len(references)}"
        raise ValueError(f"expected as many translations as references, at least one; got {given}")
    exact = sum(list(a) == list(b) for a, b in zip(translations, references, strict=True))
    numbers = defaultdict(itertools.count().__next__)  # in place of tokens, which may contain blanks
    lines = [[" ".join(str(numbers[t]) for t in row) for row in rows] for rows in (translations, references)]
    bleu = corpus_bleu(lines[0], [lines[1]], tokenize="none", smooth_method="none", force=True)
    return {"exact match accuracy": exact / len(references), "BLEU": bleu.score}
