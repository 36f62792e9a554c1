"""Records: written only when asked, one an experiment, never half, never malformed."""

import json
import math
import multiprocessing
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import torch

from utils import results

CPU = torch.device("cpu")
GIVEN = {"seconds": 1.234, "device": CPU, "seed": 0}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    monkeypatch.setenv("COURSE_RECORD", "1")
    return tmp_path / "results"


@pytest.mark.parametrize("value", [None, "0", "", "yes"])
def test_nothing_is_written_unless_asked(folder: Path, monkeypatch: pytest.MonkeyPatch, value: str | None):
    monkeypatch.delenv("COURSE_RECORD")
    if value is not None:
        monkeypatch.setenv("COURSE_RECORD", value)
    results.record("part/chapter", "line", {"loss": 1.0}, **GIVEN)
    assert not folder.exists()


def test_a_record_comes_back_as_it_was_given(folder: Path):
    metrics = {"test accuracy": torch.tensor(0.98765432).item(), "loss": 2}
    results.record("part/chapter", "line", metrics, **GIVEN | {"seed": [0, 1]}, notes={"test accuracy": 0.9})
    (record,) = results.load("cpu", folder)
    assert record["metrics"] == {"test accuracy": 0.987654, "loss": 2}
    assert record["notes"] == {"test accuracy": 0.9} and record["seed"] == [0, 1]
    assert (record["seconds"], record["device"]) == (1.23, "cpu")
    assert record["device_name"].startswith("cpu, ") and date.fromisoformat(record["date"])
    assert set(record) == set(results.FIELDS)
    assert (folder / "cpu.json").read_bytes().endswith(b"]\n")


def test_numbers_of_numpy_and_torch_are_numbers(folder: Path):
    metrics = {"a": np.float32(0.5), "b": torch.tensor(2), "c": np.int64(3), "d": np.array(0.25)}
    given = GIVEN | {"seconds": np.float64(1), "seed": np.int64(3)}
    results.record("a", "one", metrics, **given, notes={"a": np.float64(0.75)})
    for name, seeds in (("x", np.arange(3)), ("y", range(3)), ("z", torch.arange(3)), ("w", (0, 1, 2))):
        results.record("a", name, metrics, **given | {"seed": seeds})
    results.record("a", "v", metrics, **given | {"seed": torch.tensor(3)})
    one, scalar, *rest = results.load("cpu", folder)
    assert one["metrics"] == {"a": 0.5, "b": 2, "c": 3, "d": 0.25} and one["notes"] == {"a": 0.75}
    assert one["seed"] == scalar["seed"] == 3 and [record["seed"] for record in rest] == [[0, 1, 2]] * 4
    for seed in (0.5, "1", [0.5]):
        with pytest.raises(TypeError):
            results.record("a", "one", metrics, **given | {"seed": seed})


def test_records_are_found_by_what_their_name_begins_with(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(results, "describe_device", lambda device: "a machine")
    gpu = torch.device("cuda:0")
    rows = [
        ("a", "loss: x", 1, CPU),
        ("b", "loss: y", 2, CPU),
        ("b", "loss: y", 3, gpu),
        ("b", "time", 4, gpu),
    ]
    for chapter, experiment, loss, device in rows:
        results.record(chapter, experiment, {"loss": loss}, **GIVEN | {"device": device})

    def found(*arguments: object, **options: object) -> dict[str, float]:
        return {name: row["metrics"]["loss"] for name, row in results.find(*arguments, **options).items()}

    assert found("loss: ", CPU) == {"loss: x": 1, "loss: y": 2}
    assert found("loss: ", gpu) == {"loss: x": 1, "loss: y": 3}
    assert found("time", CPU) == {} == found("loss: ", gpu, full=True)
    monkeypatch.setenv("COURSE_FULL", "1")
    results.record("a", "loss: x", {"loss": 5}, **GIVEN)
    assert found("loss: ", gpu, full=True) == {"loss: x": 5} and found("loss: x", CPU) == {"loss: x": 1}
    results.record("c", "loss: x", {"loss": 6}, **GIVEN)
    with pytest.raises(ValueError, match="one experiment 'loss: x'"):
        results.find("loss", CPU, full=True)


def test_an_experiment_replaces_itself_and_no_other(folder: Path):
    for chapter, experiment, loss in [("b", "x", 1), ("a", "y", 2), ("a", "x", 3), ("b", "x", 4)]:
        results.record(chapter, experiment, {"loss": loss}, **GIVEN)
    rows = [(r["chapter"], r["experiment"], r["metrics"]["loss"]) for r in results.load("cpu", folder)]
    assert rows == [("a", "x", 3), ("a", "y", 2), ("b", "x", 4)]


def test_a_chapter_is_forgotten_and_brought_back_and_no_other(folder: Path):
    for chapter, experiment in [("a", "old name"), ("a", "x"), ("b", "x")]:
        results.record(chapter, experiment, {"loss": 1}, **GIVEN)
    dropped = results.forget("a", "cpu")
    assert [r["chapter"] for r in results.load("cpu", folder)] == ["b"]
    results.record("a", "new name", {"loss": 1}, **GIVEN)
    results.restore("a", "cpu", dropped)
    assert [r["experiment"] for r in results.load("cpu", folder)] == ["old name", "x", "x"]


def test_each_kind_of_run_has_its_file(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(results, "describe_device", lambda device: "a GPU")
    results.record("a", "x", {"loss": 1}, **GIVEN)
    results.record("a", "x", {"loss": 2}, **GIVEN | {"device": torch.device("cuda:0")})
    assert [r["metrics"]["loss"] for kind in ("cpu", "cuda") for r in results.load(kind, folder)] == [1, 2]
    assert results.load("mps", folder) == []
    monkeypatch.setenv("COURSE_FULL", "1")
    results.record("a", "x", {"loss": 3}, **GIVEN)
    found = [r["metrics"]["loss"] for kind in ("cpu", "cpu-full") for r in results.load(kind, folder)]
    assert found == [1, 3]


@pytest.mark.parametrize("recording", ["0", "1"])
@pytest.mark.parametrize(
    ("metrics", "change"),
    [
        ({}, {}),
        ({"loss": math.nan}, {}),
        ({"loss": -math.inf}, {}),
        ({"loss": 1.0}, {"notes": {"accuracy": 0.9}}),
        ({"loss": 1.0}, {"notes": {"loss": math.nan}}),
        ({"loss": 1.0}, {"seconds": math.nan}),
    ],
)
def test_figures_that_are_none_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, recording: str, metrics: dict, change: dict
):
    monkeypatch.setenv("COURSE_RECORD", recording)  # a reader's run finds the mistake too
    with pytest.raises(ValueError, match="expected finite metrics"):
        results.record("a", "x", metrics, **GIVEN | change)
    assert not folder.exists()


def _record_many(folder: Path, chapter: str, start: object) -> None:
    results.FOLDER = folder
    start.wait(60)
    for i in range(20):
        results.record(chapter, f"experiment {i:02d}", {"loss": i}, **GIVEN)


def test_two_processes_that_write_at_once_lose_nothing(folder: Path):
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    writers = [
        context.Process(target=_record_many, args=(folder, chapter, start), daemon=True) for chapter in "ab"
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    assert [r["chapter"] for r in results.load("cpu", folder)] == ["a"] * 20 + ["b"] * 20


def good() -> dict:
    return {
        "chapter": "a",
        "experiment": "x",
        "metrics": {"loss": 1.0},
        "notes": {},
        "seconds": 1.0,
        "device": "cpu",
        "device_name": "cpu, 1 thread",
        "seed": 0,
        "date": "2025-01-01",
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[{",
        "3",
        "null",
        "[1]",
        json.dumps(good()),
        json.dumps([good(), good() | {"metrics": [1]}]),
        json.dumps([good() | {"seed": None}]),
        json.dumps([{k: v for k, v in good().items() if k != "date"}]),
    ],
)
def test_a_malformed_file_is_refused_by_name_and_left_alone(folder: Path, text: str):
    folder.mkdir()
    (folder / "cpu.json").write_text(text)
    with pytest.raises(ValueError, match=r"cpu\.json"):
        results.load("cpu", folder)
    with pytest.raises(ValueError, match=r"cpu\.json"):
        results.record("a", "x", {"loss": 1.0}, **GIVEN)
    assert (folder / "cpu.json").read_text() == text


@pytest.mark.parametrize("kind", ["cpu", "cuda", "mps", "cpu-full"])
def test_the_committed_records_can_be_read(kind: str):
    entries = [(r["chapter"], r["experiment"]) for r in results.load(kind)]
    assert len(set(entries)) == len(entries)
