"""The training loop, once: updates, epochs with held-out data after each, language models."""

import copy
import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from utils.checkpoints import refuse_what_cannot_be_read, restore, save
from utils.device import Timer, autocast
from utils.metrics import Mean, accuracy, name_of

Metric = Callable[[Tensor, Tensor], Tensor]
Scheduler = torch.optim.lr_scheduler.LRScheduler
LOOK = 50  # updates between two looks at the loss on a GPU, where each look waits for all work before it


@dataclass
class History:
    """What `fit` saw: one row an epoch.

    Attributes:
        rows: dictionaries with ``epoch`` (from 1), ``lr``, ``seconds`` (training part only), ``train_loss``,
            ``held_out_loss`` and, with a metric, ``train_<metric>`` and ``held_out_<metric>``. The training
            figures are running means over an epoch in which the weights change; `evaluate` gives exact ones.
        best_epoch: the epoch (from 1) with the lowest held-out loss; 0 while none was a number.
    """

    rows: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0

    def __getitem__(self, name: str) -> list[float]:
        """A column, such as ``history["held_out_loss"]``, one value an epoch."""
        return [row[name] for row in self.rows]

    @property
    def seconds(self) -> float:
        """Training time in seconds, evaluation left out."""
        return sum(self["seconds"])

    def __str__(self) -> str:
        names = [name for name in self.rows[0] if name not in ("epoch", "lr", "seconds")] if self.rows else []
        figures = ["  ".join(f"{name} {row[name]:.4f}" for name in names) for row in self.rows]
        return "\n".join(f"epoch {epoch:2d}  {text}" for epoch, text in enumerate(figures, start=1))


def train_updates(
    model: nn.Module,
    batches: Iterable,
    loss_of: Callable[[nn.Module, Any], Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    scheduler: Scheduler | None = None,
    clip_norm: float | None = None,
    after_update: Callable[[int], None] | None = None,
) -> list[float]:
    """The loop itself, an update for each batch: forward, loss, backward, step.

    Args:
        model: trained in place, in training mode.
        batches: whatever ``loss_of`` can read; a generator, too.
        loss_of: from the model and a batch to the loss, a scalar with a graph.
        optimizer: over the model's parameters.
        scheduler: stepped after every update.
        clip_norm: the gradient's norm is cut to this before each step.
        after_update: called with the number of updates so far.

    Returns:
        The loss of each update, measured before its step.

    Raises:
        FloatingPointError: if a loss is not finite: on a CPU before its step, on a GPU `LOOK` updates later
            at most.
    """
    every = 1 if next(model.parameters()).device.type == "cpu" else LOOK
    losses, unread = [], []
    model.train()
    for update, batch in enumerate(batches, start=1):
        loss = loss_of(model, batch)
        unread.append(loss.detach())
        if len(unread) == every:
            _read(unread, losses)
        optimizer.zero_grad()
        loss.backward()
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        if after_update is not None:
            after_update(update)
    _read(unread, losses)
    return losses


def _read(unread: list[Tensor], losses: list[float]) -> None:
    """Move losses from the device to the list of those that were read, and look whether they are numbers."""
    for loss in unread:  # on a GPU the first of them waits, the others are there
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            raise FloatingPointError(f"expected a finite loss, got {losses[-1]} at update {len(losses)}")
    unread.clear()


def train_epoch(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    scheduler: Scheduler | None = None,
    metric: Metric | None = accuracy,
    clip_norm: float | None = None,
    mixed_precision: bool = False,
    bar: tqdm | None = None,
) -> dict[str, float]:
    """One pass over pairs of inputs and targets by `train_updates`. Arguments as for `fit`.

    Returns:
        ``loss`` and the metric by name, averaged over the examples, each measured before its step.

    Raises:
        ValueError: if there is no batch, or one that batch norm cannot take (one value a channel).
        FloatingPointError: as `train_updates`.
    """
    device = next(model.parameters()).device
    means = {"loss": Mean()} | ({name_of(metric): Mean()} if metric else {})

    def loss_of(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        inputs, targets = batch[0].to(device), batch[1].to(device)
        try:
            with autocast(device, mixed_precision):
                outputs = model(inputs)
                loss = loss_fn(outputs, targets)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise ValueError(
                f"expected more than one value a channel for batch norm, got a batch of {len(inputs)} after "
                f"{means['loss'].count} examples; Batches(..., drop_last=True) leaves a short last batch out"
            ) from error
        means["loss"].add(loss, len(targets))
        if metric:
            means[name_of(metric)].add(metric(outputs.detach(), targets), len(targets))
        return loss

    options = {"scheduler": scheduler, "clip_norm": clip_norm}
    options["after_update"] = None if bar is None else lambda update: bar.update()
    train_updates(model, batches, loss_of, optimizer, **options)
    return {name: mean.item() for name, mean in means.items()}


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    metric: Metric | None = accuracy,
) -> dict[str, float]:
    """Loss and metric of a model in evaluation mode; the model's mode is put back afterwards.

    Args:
        model: anything with at least one parameter.
        batches: pairs of inputs and targets.
        loss_fn: mean loss of a batch from outputs and targets.
        metric: mean of a batch likewise, or ``None``.

    Returns:
        ``loss`` and the metric by name, averaged over the examples (a short last batch counts less).

    Raises:
        ValueError: if there is no batch.
    """
    device = next(model.parameters()).device
    means = {"loss": Mean()} | ({name_of(metric): Mean()} if metric else {})
    with evaluation_mode(model):
        for inputs, targets in batches:
            inputs, targets = inputs.to(device), targets.to(device)
            outputs = model(inputs)
            means["loss"].add(loss_fn(outputs, targets), len(targets))
            if metric:
                means[name_of(metric)].add(metric(outputs, targets), len(targets))
    return {name: mean.item() for name, mean in means.items()}


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for a block; afterwards, also after an error, each submodule has its own mode again."""
    modes = {module: module.training for module in model.modules()}  # a frozen part may have its own
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def fit(
    model: nn.Module,
    train: Iterable[tuple[Tensor, Tensor]],
    held_out: Iterable[tuple[Tensor, Tensor]],
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    epochs: int,
    *,
    scheduler: Scheduler | None = None,
    metric: Metric | None = accuracy,
    clip_norm: float | None = None,
    mixed_precision: bool = False,
    keep_best: bool = False,
    patience: int | None = None,
    checkpoint: str | os.PathLike | None = None,
) -> History:
    """Train a model, look at held-out data after each epoch, and say what was seen.

    Args:
        model: trained in place, on the device where its parameters are.
        train: an iterable with a length that gives one epoch of (inputs, targets) each time, as
            `utils.data.Batches` or a ``DataLoader`` does.
        held_out: likewise, to look at after each epoch. Whoever chooses by it, with ``keep_best``,
            ``patience`` or by eye, needs other data for the test.
        loss_fn: mean loss of a batch from outputs and targets.
        optimizer: over the model's parameters.
        epochs: how many in all, those of a resumed run included.
        scheduler: stepped after every batch.
        metric: mean of a batch from outputs and targets; ``None`` for the loss alone.
        clip_norm: the gradient's norm is cut to this before each step.
        mixed_precision: bfloat16 autocast for forward pass and loss.
        keep_best: end with the weights of the epoch with the lowest held-out loss, not with the last ones.
        patience: stop when the held-out loss has not improved for so many epochs.
        checkpoint: a file written after each epoch. If it is there, training goes on from it, on a CPU to the
            same weights bit for bit as without the interruption. Call with the same arguments then; only
            ``epochs`` and ``patience`` may grow. Kept are the global generators and those that are attributes
            of ``train``, of its data set, samplers or transforms; not those in lists, slots and closures.

    Returns:
        The `History`, with one row an epoch.

    Raises:
        ValueError: if ``epochs`` or ``patience`` is not positive, data is empty, batch norm gets one value a
            channel, a checkpoint could not keep the run's state, or it is another run's, which is
            then left as it is, and the model too.
        FloatingPointError: if the training loss is no longer finite, as `train_updates`.
    """
    if epochs < 1 or (patience is not None and patience < 1):
        raise ValueError(f"expected epochs and patience of at least 1, got {epochs} and {patience}")
    history, best = History(), {"loss": math.inf, "weights": None}
    options = dict(scheduler=scheduler, metric=metric, clip_norm=clip_norm, mixed_precision=mixed_precision)
    run = {"model": model, "optimizer": optimizer, "train": train, **options, "keep_best": keep_best}
    if checkpoint is not None:
        refuse_what_cannot_be_read(run)
        if Path(checkpoint).exists():
            restore(checkpoint, run, epochs, vars(history), best)
    with tqdm(total=(epochs - len(history.rows)) * len(train), leave=False, desc="training") as bar:
        while len(history.rows) < epochs and not _out_of_patience(history, patience):
            epoch, lr = len(history.rows) + 1, float(optimizer.param_groups[0]["lr"])
            try:
                with Timer(next(model.parameters()).device) as timer:
                    seen = train_epoch(model, train, loss_fn, optimizer, bar=bar, **options)
            except FloatingPointError as error:
                raise FloatingPointError(f"{error} (epoch {epoch}, {lr=})") from None
            found = evaluate(model, held_out, loss_fn, metric)
            row = {"epoch": epoch, "lr": lr, "seconds": timer.seconds}
            row |= {f"train_{k}": v for k, v in seen.items()} | {f"held_out_{k}": v for k, v in found.items()}
            history.rows.append(row)
            if found["loss"] < best["loss"]:
                history.best_epoch, best["loss"] = epoch, found["loss"]
                if keep_best:
                    best["weights"] = copy.deepcopy(model.state_dict())  # a copy, else it goes on changing
            if checkpoint is not None:
                save(checkpoint, run, vars(history), best)
    if best["weights"] is not None:
        model.load_state_dict(best["weights"])
    return history


def train_language_model(
    model: nn.Module,
    batches: Tensor,
    lr: float,
    *,
    carry: bool = False,
    beta2: float = 0.999,
    after_update: Callable[[int], None] | None = None,
) -> list[float]:
    """Train on the next token: AdamW, a one-cycle schedule, gradients clipped to norm 1.

    Args:
        model: from ids (batch, steps) to logits (batch, steps, tokens).
        batches: (updates, batch, steps + 1) windows, on any device.
        lr: the schedule's peak.
        carry: start each batch from the state that the one before ended in, cut from its graph; for windows
            in sequence, and a model with ``step(ids, state)`` and a state of one or several tensors.
        beta2: of AdamW: how slowly its mean of squared gradients forgets. Runs of a few thousand updates gain
            from 0.99.
        after_update: called with the number of updates so far.

    Returns:
        The loss of each update, as `train_updates` gives it.

    Raises:
        FloatingPointError: as `train_updates`.
    """
    device, state = next(model.parameters()).device, None

    def loss_of(model: nn.Module, batch: Tensor) -> Tensor:
        nonlocal state
        inputs, targets = batch[:, :-1].to(device), batch[:, 1:].to(device)
        if carry:
            logits, state = model.step(inputs, state)
            state = state.detach() if isinstance(state, Tensor) else tuple(part.detach() for part in state)
        else:
            logits = model(inputs)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    if len(batches) == 0:
        return []
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, beta2))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=len(batches))
    options = {"scheduler": schedule, "clip_norm": 1.0, "after_update": after_update}
    return train_updates(model, batches, loss_of, optimizer, **options)


@torch.inference_mode()
def perplexity(model: nn.Module, ids: Tensor, steps: int = 64, batch_size: int = 64) -> float:
    """Inverse geometric mean of the probabilities that a language model gives to the tokens of a text.

    The text is read in windows of ``steps`` inputs that overlap by half; only the second half of each is
    counted, so that each token that counts is predicted from at least ``steps / 2`` before it, by every
    kind of model. Those are the tokens from number ``steps / 2 + 1`` on, each once; a rest that does not
    fill half a window is left out. The model reads in evaluation mode; its mode is put back afterwards.

    Args:
        model: from ids (batch, steps) to logits (batch, steps, tokens).
        ids: (n,) the text, on any device.
        steps: even, so that no token counts twice.
        batch_size: windows at once.

    Returns:
        At least 1; infinite, if the mean loss is too large for its exponential.

    Raises:
        ValueError: if ``steps`` is odd or not positive, or the text is shorter than a window.
    """
    if steps < 2 or steps % 2:
        raise ValueError(f"expected an even number of steps, at least 2, got {steps}")
    if len(ids) < steps + 1:
        raise ValueError(f"expected at least {steps + 1} tokens for windows of {steps}, got {len(ids)}")
    device, half, total, count = next(model.parameters()).device, steps // 2, 0.0, 0
    with evaluation_mode(model):
        for windows in ids.unfold(0, steps + 1, half).split(batch_size):
            windows = windows.to(device)
            logits = model(windows[:, :-1])[:, half:]  # (batch, half, tokens)
            losses = F.cross_entropy(logits.flatten(0, 1), windows[:, half + 1 :].flatten(), reduction="sum")
            total, count = total + losses.item(), count + windows[:, half + 1 :].numel()
    try:
        return math.exp(total / count)
    except OverflowError:
        return math.inf


def _out_of_patience(history: History, patience: int | None) -> bool:
    return patience is not None and len(history.rows) - history.best_epoch >= patience
