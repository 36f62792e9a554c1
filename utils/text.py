"""Text as tensors: vocabulary, padding, windows; training a language model, perplexity, writing."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils.device import new_generator

SPECIALS = ("<unk>", "<pad>", "<bos>", "<eos>")


class Vocabulary:
    """Tokens and their numbers: special tokens first, then by falling count, equals in the order of the text.

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
        counts = Counter(tokens)
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
        ValueError: if the text is shorter than two windows.

    Source: Zhang et al., "Dive into Deep Learning", section 9.3.
    """
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
        ValueError: if the text is too short for one batch.

    Source: Zhang et al., "Dive into Deep Learning", section 9.3.
    """
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
    generator, parts, missing = new_generator(seed), [], updates * batch_size
    while missing > 0:
        parts.append(random_windows(ids, steps, generator)[:missing])
        missing -= len(parts[-1])
    return torch.cat(parts).view(updates, batch_size, steps + 1)


def train_language_model(
    model: nn.Module,
    batches: Tensor,
    lr: float,
    *,
    carry: bool = False,
    after_update: Callable[[int], None] | None = None,
) -> None:
    """Train on the next token: AdamW, a one-cycle schedule, gradients clipped to norm 1.

    Args:
        model: from ids (batch, steps) to logits (batch, steps, tokens).
        batches: (updates, batch, steps + 1) windows, on any device.
        lr: the schedule's peak.
        carry: start each batch from the state that the one before ended in, cut from its graph; for windows
            in sequence, and a model with ``step(ids, state)`` and a state that is one tensor.
        after_update: called with the number of updates so far.
    """
    device, state = next(model.parameters()).device, None
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=len(batches))
    model.train()
    for update, batch in enumerate(batches, start=1):
        inputs, targets = batch[:, :-1].to(device), batch[:, 1:].to(device)
        if carry:
            logits, state = model.step(inputs, state)
            state = state.detach()
        else:
            logits = model(inputs)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if after_update is not None:
            after_update(update)


@torch.inference_mode()
def perplexity(model: nn.Module, ids: Tensor, steps: int = 64, batch_size: int = 64) -> float:
    """Inverse geometric mean of the probabilities that a language model gives to the tokens of a text.

    The text is read in windows of ``steps`` inputs that overlap by half; only the second half of each is
    counted, so that each token that counts is predicted from at least ``steps / 2`` before it, by every
    kind of model. Those are the tokens from number ``steps / 2 + 1`` on, each once; a rest that does not
    fill half a window is left out.

    Args:
        model: from ids (batch, steps) to logits (batch, steps, tokens).
        ids: (n,) the text, on any device.
        steps: even.
        batch_size: windows at once.

    Raises:
        ValueError: if the text is shorter than a window.
    """
    if len(ids) < steps + 1:
        raise ValueError(f"expected at least {steps + 1} tokens for windows of {steps}, got {len(ids)}")
    device, training = next(model.parameters()).device, model.training
    model.eval()
    half, total, count = steps // 2, 0.0, 0
    for windows in ids.unfold(0, steps + 1, half).split(batch_size):
        windows = windows.to(device)
        logits = model(windows[:, :-1])[:, half:]  # (batch, half, tokens)
        losses = F.cross_entropy(logits.flatten(0, 1), windows[:, half + 1 :].flatten(), reduction="sum")
        total, count = total + losses.item(), count + windows[:, half + 1 :].numel()
    model.train(training)
    return math.exp(total / count)


@torch.inference_mode()
def generate(
    model: nn.Module, prompt: Tensor, length: int, generator: torch.Generator, temperature: float = 1.0
) -> Tensor:
    """Draw tokens one at a time, each from the model's distribution given all before it.

    Args:
        model: with ``step(ids, state)``, from ids (batch, steps) and a state (``None`` at first) to logits
            (batch, steps, tokens) and the next state.
        prompt: (batch, steps) ids, at least one step.
        length: how many tokens to add.
        generator: on the CPU; the draw is made there.
        temperature: divides the logits; 0 takes the most probable token.

    Returns:
        (batch, steps + length) ids, on the prompt's device.

    Raises:
        ValueError: if the temperature is negative or the prompt is empty.
    """
    if temperature < 0 or prompt.ndim != 2 or prompt.shape[1] == 0:
        shape = tuple(prompt.shape)
        raise ValueError(
            f"expected a prompt (batch, steps > 0), temperature >= 0; got {shape}, {temperature}"
        )
    training = model.training
    model.eval()
    text, new, state = [prompt], prompt, None
    for _ in range(length):
        logits, state = model.step(new, state)
        last = logits[:, -1].float().cpu()  # (batch, tokens)
        if temperature == 0:
            new = last.argmax(dim=1, keepdim=True)
        else:
            new = torch.multinomial(F.softmax(last / temperature, dim=1), 1, generator=generator)
        new = new.to(prompt.device)
        text.append(new)
    model.train(training)
    return torch.cat(text, dim=1)


@torch.inference_mode()
def greedy_decode(model: nn.Module, source: Tensor, bos: int, eos: int, limit: int) -> list[list[int]]:
    """Translate a batch, always taking the most probable next token.

    Args:
        model: with ``start(source)`` that gives a state, and ``step`` as in `generate`.
        source: (batch, steps) padded ids.
        bos: number of the token that starts a translation.
        eos: number of the token that ends it.
        limit: tokens at most.

    Returns:
        The ids of each translation, without ``bos`` and ``eos``.
    """
    training = model.training
    model.eval()
    state = model.start(source)
    new = torch.full((len(source), 1), bos, device=source.device)
    steps, ended = [], torch.zeros(len(source), dtype=torch.bool, device=source.device)
    while len(steps) < limit and not ended.all():
        logits, state = model.step(new, state)
        new = logits[:, -1].argmax(dim=1, keepdim=True)  # (batch, 1)
        steps.append(new[:, 0])
        ended |= new[:, 0] == eos
    model.train(training)
    rows = torch.stack(steps, dim=1).tolist() if steps else [[] for _ in source]
    return [row[: row.index(eos)] if eos in row else row for row in rows]
