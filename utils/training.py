"""The training loop, once: what every chapter after the fourth imports."""

import copy
import math
import os
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from utils.device import Timer, autocast
from utils.metrics import Mean, accuracy

Metric = Callable[[Tensor, Tensor], Tensor]


@dataclass
class History:
    """What `fit` saw: one row an epoch.

    Attributes:
        rows: dictionaries with ``epoch`` (from 1), ``lr``, ``seconds`` (training part only), ``train_loss``,
            ``test_loss`` and, with a metric, ``train_<metric>`` and ``test_<metric>``. The training figures
            are running means over an epoch in which the weights change; `evaluate` gives exact ones.
        best_epoch: the epoch (from 1) with the lowest test loss.
    """

    rows: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0

    def __getitem__(self, name: str) -> list[float]:
        """A column, such as ``history["test_loss"]``, one value an epoch."""
        return [row[name] for row in self.rows]

    @property
    def seconds(self) -> float:
        """Training time in seconds, evaluation left out."""
        return sum(self["seconds"])

    def __str__(self) -> str:
        names = [name for name in self.rows[0] if name not in ("epoch", "lr", "seconds")] if self.rows else []
        lines = [f"epoch {row['epoch']:2d}  " + "  ".join(f"{n} {row[n]:.4f}" for n in names) for row in self.rows]
        return "\n".join(lines)


def train_epoch(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    metric: Metric | None = accuracy,
    clip_norm: float | None = None,
    mixed_precision: bool = False,
    bar: tqdm | None = None,
) -> dict[str, float]:
    """One pass over the data: forward, loss, backward, step. Arguments as for `fit`.

    Returns:
        ``loss`` and the metric by name, averaged over the examples, each measured before its step.
    """
    device = next(model.parameters()).device
    model.train()
    means = {"loss": Mean()} | ({metric.__name__: Mean()} if metric else {})
    for inputs, targets in batches:
        inputs, targets = inputs.to(device), targets.to(device)
        with autocast(device, mixed_precision):
            outputs = model(inputs)
            loss = loss_fn(outputs, targets)
        optimizer.zero_grad()
        loss.backward()
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        optimizer.step()
        if scheduler:
            scheduler.step()
        means["loss"].add(loss, len(targets))
        if metric:
            means[metric.__name__].add(metric(outputs.detach(), targets), len(targets))
        if bar is not None:
            bar.update()
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
    was_training = model.training
    model.eval()
    means = {"loss": Mean()} | ({metric.__name__: Mean()} if metric else {})
    for inputs, targets in batches:
        inputs, targets = inputs.to(device), targets.to(device)
        outputs = model(inputs)
        means["loss"].add(loss_fn(outputs, targets), len(targets))
        if metric:
            means[metric.__name__].add(metric(outputs, targets), len(targets))
    model.train(was_training)
    return {name: mean.item() for name, mean in means.items()}


def fit(
    model: nn.Module,
    train: Iterable[tuple[Tensor, Tensor]],
    test: Iterable[tuple[Tensor, Tensor]],
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    epochs: int,
    *,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
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
        train: an iterable that gives one epoch of (inputs, targets) each time, as `utils.data.Batches` or a
            ``DataLoader`` does.
        test: likewise. Whoever uses ``keep_best`` or ``patience`` chooses by it: give validation data then.
        loss_fn: mean loss of a batch from outputs and targets.
        optimizer: over the model's parameters.
        epochs: how many in all, those of a resumed run included.
        scheduler: stepped after every batch.
        metric: mean of a batch from outputs and targets; ``None`` for the loss alone.
        clip_norm: the gradient's norm is cut to this before each step.
        mixed_precision: bfloat16 autocast for forward pass and loss.
        keep_best: end with the weights of the epoch with the lowest test loss, not with the last ones.
        patience: stop when the test loss has not improved for so many epochs.
        checkpoint: a file written after each epoch. If it is there, training goes on from it, on a CPU to the
            same weights bit for bit as without the interruption.

    Returns:
        The `History`, with one row an epoch.

    Raises:
        ValueError: if ``epochs`` is not positive, data is empty, or the checkpoint is another run's.
        FloatingPointError: if the training loss is no longer finite.
    """
    if epochs < 1:
        raise ValueError(f"expected at least one epoch, got {epochs}")
    history, best = History(), {"loss": math.inf, "weights": None}
    run = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "train": train}
    if checkpoint is not None and Path(checkpoint).exists():
        _restore(checkpoint, run, history, best)
    with tqdm(total=(epochs - len(history.rows)) * len(train), leave=False, desc="training") as bar:
        while len(history.rows) < epochs and not _out_of_patience(history, patience):
            epoch, lr = len(history.rows) + 1, optimizer.param_groups[0]["lr"]
            options = dict(scheduler=scheduler, metric=metric, clip_norm=clip_norm, mixed_precision=mixed_precision)
            with Timer(next(model.parameters()).device) as timer:
                seen = train_epoch(model, train, loss_fn, optimizer, bar=bar, **options)
            if not math.isfinite(seen["loss"]):
                raise FloatingPointError(f"expected a finite training loss, got {seen['loss']} in epoch {epoch} (lr {lr})")
            held_out = evaluate(model, test, loss_fn, metric)
            row = {"epoch": epoch, "lr": lr, "seconds": timer.seconds}
            row |= {f"train_{k}": v for k, v in seen.items()} | {f"test_{k}": v for k, v in held_out.items()}
            history.rows.append(row)
            if held_out["loss"] < best["loss"]:
                history.best_epoch, best["loss"] = epoch, held_out["loss"]
                if keep_best:
                    best["weights"] = copy.deepcopy(model.state_dict())  # state_dict() alone would go on changing
            if checkpoint is not None:
                _save(checkpoint, run, history, best)
    if best["weights"] is not None:
        model.load_state_dict(best["weights"])
    return history


def _out_of_patience(history: History, patience: int | None) -> bool:
    return patience is not None and len(history.rows) - history.best_epoch >= patience


def _random_states() -> dict:
    """Every generator's state in types that ``torch.load(weights_only=True)`` admits."""
    _, keys, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (torch.from_numpy(keys.astype(np.int64)), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def _set_random_states(states: dict) -> None:
    random.setstate(states["python"])
    keys, *rest = states["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if states["cuda"]:
        torch.cuda.set_rng_state_all(states["cuda"])


def _save(checkpoint: str | os.PathLike, run: dict, history: History, best: dict) -> None:
    """Write a temporary file, then rename it: a kill at any moment leaves the old checkpoint or the new one."""
    states = {name: part.state_dict() for name, part in run.items() if hasattr(part, "state_dict")}
    generator = getattr(run["train"], "generator", None)
    states |= {
        "history": vars(history),
        "best": best,
        "random": _random_states(),
        "order": generator.get_state() if generator is not None else None,
    }
    part = Path(checkpoint).with_suffix(".part")
    torch.save(states, part)
    os.replace(part, checkpoint)


def _restore(checkpoint: str | os.PathLike, run: dict, history: History, best: dict) -> None:
    try:
        states = torch.load(checkpoint, weights_only=True)
        for name, part in run.items():
            if hasattr(part, "load_state_dict"):
                part.load_state_dict(states[name])
    except Exception as error:
        raise ValueError(
            f"expected {checkpoint} to be a checkpoint of this model and optimizer, and it is not ({error}); "
            "remove the file to begin anew"
        ) from error
    vars(history).update(states["history"])
    best.update(states["best"])
    _set_random_states(states["random"])
    if states["order"] is not None:
        run["train"].generator.set_state(states["order"])
