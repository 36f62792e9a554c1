"""scripts/shake.py: what falls is found and named, and nothing is kept."""

import sys
from pathlib import Path

import pytest
from test_execute import make

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
import shake  # noqa: E402

SETUP = f"import os, sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom utils.device import new_generator, shifted"
LUCK = "import torch\ndrawn = torch.randint(2**40, (), generator=new_generator(3)).item()"


def test_a_fall_is_named_and_does_not_stop_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shake, "chapter_name", lambda path: path.stem)
    lines = ["seven = 7", "assert seven < 6, 'seven is too much'", "print('not reached')"]
    path = make(tmp_path, SETUP, "\n".join(lines), "assert seven == 8", "print('the end')")
    content = path.read_bytes()
    runs = [("avx2", 1, 0), ("native", 1, 0)]
    found = shake.shake([path], runs, cores=2)
    words = sorted(words for _, _, words in found)
    assert words == [
        "assert seven < 6, 'seven is too much'  (AssertionError: seven is too much)",
        "assert seven == 8  (AssertionError)",
    ]
    assert all(sorted(where) == ["avx2, 1 thread", "native, 1 thread"] for where in found.values())
    assert path.read_bytes() == content and not list(path.parent.glob(".*"))


def test_runs_differ_in_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COURSE_RECORD", "1")
    shown = "torch.backends.cpu.get_cpu_capability(), torch.get_num_threads(), os.environ['COURSE_RECORD']"
    path = make(tmp_path, SETUP, LUCK, f"print({shown}, shifted(5))", "print(drawn)")
    said = {}
    for run in [("default", 1, 0), ("native", 2, 0), ("native", 1, 1000)]:
        notebook, _ = shake.run_notebook(path, run)
        said[run] = [cell.outputs[0].text.strip() for cell in notebook.cells[-2:]]
        assert shake.falls(notebook) == []
    assert said["default", 1, 0][0] == "DEFAULT 1 0 5"
    assert said["native", 2, 0][0].endswith(" 2 0 5") and said["native", 1, 1000][0].endswith(" 1 0 1005")
    assert said["default", 1, 0][1] == said["native", 2, 0][1] != said["native", 1, 1000][1]


def test_runs_have_names():
    assert shake.name_of(("native", 2, 0)) == "native, 2 threads"
    assert shake.name_of(("avx2", 1, 1000)) == "avx2, 1 thread, seeds + 1000"
