"""Checkpoints of `utils.training.fit`: all that a run is, in one file that holds tensors and plain values.

A run is a dictionary: model, optimizer, scheduler (or None), the training data, and the options that count.
"""

import io
import os
import pickle
import random
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from utils.metrics import name_of

STATEFUL = ("model", "optimizer", "scheduler")  # what has a state_dict
NOT_FOLLOWED = (Tensor, torch.nn.Module, type, types.ModuleType)  # in the search for generators


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
    if len(states["cuda"]) == torch.cuda.device_count():  # a checkpoint may have come from another machine
        torch.cuda.set_rng_state_all(states["cuda"])


def _generators(batches: Iterable) -> list[torch.Generator]:
    """The generators that order the batches or change them: attributes of theirs, of a ``DataLoader``'s data,
    samplers and transforms, and so on. Those in lists, slots and closures are not seen.

    Raises:
        ValueError: if the order comes from what a checkpoint cannot keep.
    """
    foreign = (random.Random, np.random.Generator, np.random.RandomState)
    found, seen, waiting = {}, {}, [batches]  # the first two by identity
    while waiting:
        part = waiting.pop(0)
        own = {} if id(part) in seen else getattr(part, "__dict__", {})
        seen[id(part)] = part
        if isinstance(part, IterableDataset) or any(isinstance(value, foreign) for value in own.values()):
            raise ValueError(
                "expected data in an order by torch.Generators or the global generators, which a checkpoint "
                f"keeps; got {type(part).__name__} with an order of its own"
            )
        found |= {id(value): value for value in own.values() if isinstance(value, torch.Generator)}
        waiting += [v for v in own.values() if hasattr(v, "__dict__") and not isinstance(v, NOT_FOLLOWED)]
    return list(found.values())


def _plain(tree: Any) -> Any:
    """NumPy's scalars as numbers of Python, in containers too."""
    if isinstance(tree, dict):
        return {key: _plain(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(_plain(value) for value in tree)
    return tree.item() if isinstance(tree, np.generic) else tree


def _outline(run: dict) -> dict:
    """What a checkpoint must share with a run that goes on from it, in types that ``torch.load`` admits."""
    optimizer, metric = run["optimizer"], run["metric"]
    sizes = [len(group["params"]) for group in optimizer.param_groups]
    outline = {
        "model": {name: (str(w.dtype), tuple(w.shape)) for name, w in run["model"].state_dict().items()},
        "optimizer": [type(optimizer).__name__, optimizer.defaults, sizes],
        "scheduler": type(run["scheduler"]).__name__,
        "shuffling": len(_generators(run["train"])),
        "metric": name_of(metric) if metric else None,
        **{name: run[name] for name in ("clip_norm", "mixed_precision", "keep_best")},
    }
    return _plain(outline)


def _states(run: dict, history: dict, best: dict) -> dict:
    """All that a checkpoint keeps, in types that ``torch.load(weights_only=True)`` admits."""
    states = {name: run[name].state_dict() for name in STATEFUL if run[name] is not None}
    states |= {name: _plain(states[name]) for name in STATEFUL[1:] if name in states}
    return states | {
        "outline": _outline(run),
        "history": history,
        "best": best,
        "random": _random_states(),
        "order": [generator.get_state() for generator in _generators(run["train"])],
    }


def refuse_what_cannot_be_read(run: dict) -> None:
    """Before anything is trained or written: can what a checkpoint would hold be read back?"""
    states = _states(run, {}, {})
    with io.BytesIO() as file:
        try:
            torch.save(states, file)
            file.seek(0)
            torch.load(file, weights_only=True)
        except (pickle.PickleError, AttributeError, TypeError) as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(f"expected states that a checkpoint can hold: {reason}") from error


def save(checkpoint: str | os.PathLike, run: dict, history: dict, best: dict) -> None:
    """Write a file beside it, then rename: killed at any moment it leaves the old checkpoint or the new."""
    part = Path(f"{checkpoint}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    torch.save(_states(run, history, best), part)
    os.replace(part, checkpoint)


def restore(checkpoint: str | os.PathLike, run: dict, epochs: int, history: dict, best: dict) -> None:
    """Compare first and load then, so that a refusal changes nothing."""
    try:
        states = torch.load(checkpoint, map_location="cpu", weights_only=True)
        different = [name for name, value in _outline(run).items() if states["outline"][name] != value]
        if different:
            raise ValueError(f"another {', another '.join(different)}")
        if len(states["history"]["rows"]) > epochs:
            raise ValueError(f"it is {len(states['history']['rows'])} epochs on, {epochs} were asked for")
    except Exception as error:
        raise ValueError(
            f"expected {checkpoint} to be a checkpoint of this run, and it is not ({error}); "
            "remove the file to begin anew"
        ) from error
    for name in STATEFUL:
        if run[name] is not None:
            run[name].load_state_dict(states[name])
    history.update(states["history"])
    best.update(states["best"])
    _set_random_states(states["random"])
    for generator, state in zip(_generators(run["train"]), states["order"], strict=True):
        generator.set_state(state)
