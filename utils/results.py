"""Recorded results: notebooks that are executed for the record write them, the results page reads them."""

import datetime
import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import torch
from filelock import FileLock

from utils.device import describe_device
from utils.scale import full_size

RECORD_VARIABLE = "COURSE_RECORD"
FOLDER = Path(__file__).resolve().parent.parent / "results"
FIELDS = {
    "chapter": str,
    "experiment": str,
    "metrics": dict,
    "notes": dict,
    "seconds": (int, float),
    "device": str,
    "device_name": str,
    "seed": (int, list),
    "date": str,
}


def record(
    chapter: str,
    experiment: str,
    metrics: dict[str, float],
    *,
    seconds: float,
    device: torch.device,
    seed: int | list[int],
    notes: dict[str, float] | None = None,
) -> None:
    """Keep an experiment's figures in ``results/<kind>.json``, in place of those of its last run.

    Nothing is written unless ``COURSE_RECORD=1``, as `make execute` sets it: a reader's run or a test leaves
    the records alone.

    Args:
        chapter: such as ``"foundations/linear-model"``.
        experiment: a short name, unique in the chapter; it is the row's title on the results page.
        metrics: name to finite value; a name ending in "accuracy" is shown in per cent.
        seconds: wall-clock time of the experiment.
        device: where it ran.
        seed: the seed, or the seeds that the figures summarise.
        notes: the figures of the study notes for the same names of metrics, where they give any.

    Raises:
        ValueError: if there is no metric, a figure is not finite, or ``notes`` has a name of its own.
    """
    notes = notes or {}
    finite = all(math.isfinite(value) for value in (*metrics.values(), *notes.values(), seconds))
    if not metrics or not finite or not set(notes) <= set(metrics):
        given = f"{metrics}, {notes} and {seconds}"
        raise ValueError(f"expected finite metrics, notes on the same names, and seconds; got {given}")
    if os.environ.get(RECORD_VARIABLE) != "1":
        return
    entry = {
        "chapter": chapter,
        "experiment": experiment,
        "metrics": {name: float(f"{value:.6g}") for name, value in metrics.items()},
        "notes": notes,
        "seconds": round(seconds, 2),
        "device": device.type,
        "device_name": describe_device(device),
        "seed": seed,
        "date": datetime.date.today().isoformat(),
    }
    key = (chapter, experiment)
    own = kind_of(device)
    _change(own, lambda old: [r for r in old if (r["chapter"], r["experiment"]) != key] + [entry])


def kind_of(device: torch.device) -> str:
    """The records a run belongs to: ``"cpu"``, ``"cuda"``, ``"mps"``; behind it ``-full`` at full size."""
    return f"{device.type}-full" if full_size() else device.type


def forget(chapter: str, kind: str) -> None:
    """Drop what a chapter recorded in runs of a kind, so that no experiment outlives its code."""
    _change(kind, lambda old: [r for r in old if r["chapter"] != chapter])


def _change(kind: str, change: Callable[[list[dict]], list[dict]]) -> None:
    """Put changed records in place of the old ones: under a lock, whole or not at all."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{kind}.json"
    with FileLock(path.with_suffix(".lock")):
        records = sorted(change(load(kind, FOLDER)), key=lambda r: (r["chapter"], r["experiment"]))
        part = path.with_suffix(".part")
        part.write_text(json.dumps(records, indent=1, allow_nan=False) + "\n", newline="\n")
        os.replace(part, path)


def load(kind: str, folder: Path = FOLDER) -> list[dict]:
    """The records of one kind, as `kind_of` names it; an empty list if there are none.

    Raises:
        ValueError: if the file is not a list of records with the fields in `FIELDS`.
    """
    path = folder / f"{kind}.json"
    if not path.exists():
        return []
    try:
        records = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"expected {path} to be JSON: {error}") from error
    for entry in records if isinstance(records, list) else [None]:
        fields = entry if isinstance(entry, dict) else {}
        wrong = [name for name, kind in FIELDS.items() if not isinstance(fields.get(name), kind)]
        if wrong:
            raise ValueError(f"expected records with {list(FIELDS)} in {path}; missing or wrong: {wrong}")
    return records
