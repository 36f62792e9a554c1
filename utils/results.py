"""Recorded results: notebooks that are executed for the record write them, the results page reads them."""

import datetime
import json
import math
import operator
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

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
    seed: int | Iterable[int],
    notes: dict[str, float] | None = None,
) -> None:
    """Keep an experiment's figures in ``results/<kind>.json``, in place of those of its last run.

    Nothing is written unless ``COURSE_RECORD=1``, as `make execute` sets it: a reader's run or a test leaves
    the records alone.

    Args:
        chapter: such as ``"foundations/linear-model"``.
        experiment: a short name, unique in the chapter; it is the row's title on the results page.
        metrics: name to finite value (a number of Python, NumPy or torch); a name ending in "accuracy" is
            shown in per cent.
        seconds: wall-clock time of the experiment.
        device: where it ran.
        seed: the seed, or the seeds that the figures summarise.
        notes: the figures of the study notes for the same names of metrics, where they give any.

    Raises:
        ValueError: if there is no metric, a figure is not finite, or ``notes`` has a name of its own.
    """
    metrics, notes = ({k: _number(v) for k, v in given.items()} for given in (metrics, notes or {}))
    try:
        seed = operator.index(seed)
    except TypeError:
        seed = [operator.index(one) for one in seed]
    finite = all(math.isfinite(value) for value in (*metrics.values(), *notes.values(), seconds))
    if not metrics or not finite or not set(notes) <= set(metrics):
        given = f"{metrics}, {notes} and {seconds}"
        raise ValueError(f"expected finite metrics, notes on the same names, and seconds; got {given}")
    if os.environ.get(RECORD_VARIABLE) != "1":
        return
    entry = {
        "chapter": chapter,
        "experiment": experiment,
        "metrics": {name: _shortened(value) for name, value in metrics.items()},
        "notes": notes,
        "seconds": round(float(seconds), 2),
        "device": device.type,
        "device_name": describe_device(device),
        "seed": seed,
        "date": datetime.date.today().isoformat(),
    }
    key = (chapter, experiment)
    own = kind_of(device)
    _change(own, lambda old: [r for r in old if (r["chapter"], r["experiment"]) != key] + [entry])


def _shortened(value: float) -> float:
    """Six digits, of which a file of results needs no more; a count is kept whole."""
    return float(value) if float(value).is_integer() else float(f"{value:.6g}")


def _number(value: Any) -> float:
    """A scalar of NumPy or torch as a number of Python, which JSON knows."""
    return value.item() if hasattr(value, "item") else value


def kind_of(device: torch.device) -> str:
    """The records a run belongs to: ``"cpu"``, ``"cuda"``, ``"mps"``; behind it ``-full`` at full size."""
    return f"{device.type}-full" if full_size() else device.type


def find(prefix: str, device: torch.device, *, full: bool = False) -> dict[str, dict]:
    """Records by experiment, of all chapters: what was measured on this kind of device, else on a CPU.

    Args:
        prefix: what the experiment's name begins with.
        device: its kind decides; an experiment that has no record of this kind is taken from the CPU's.
        full: records of full-size runs.

    Raises:
        ValueError: if two chapters have an experiment of the same name.
    """
    kinds = [f"{kind}-full" if full else kind for kind in dict.fromkeys(("cpu", device.type))]
    found = {}
    for kind in kinds:  # a later one replaces the CPU's
        rows = [r for r in load(kind, FOLDER) if r["experiment"].startswith(prefix)]
        for row in rows:
            name, chapters = row["experiment"], {row["chapter"]}
            chapters |= {found[name]["chapter"]} if name in found else set()
            if len(chapters) > 1:
                raise ValueError(f"expected one experiment {name!r}, there is one in each of {chapters}")
            found[name] = row
    return found


def forget(chapter: str, kind: str) -> list[dict]:
    """Drop what a chapter recorded in runs of a kind, so that no experiment outlives its code; return it."""
    return restore(chapter, kind, [])


def restore(chapter: str, kind: str, records: list[dict]) -> list[dict]:
    """Put records in place of all that a chapter has of a kind, other chapters' left alone; return those."""
    replaced = []

    def change(old: list[dict]) -> list[dict]:
        replaced.extend(r for r in old if r["chapter"] == chapter)
        return [r for r in old if r["chapter"] != chapter] + records

    _change(kind, change)
    return replaced


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
