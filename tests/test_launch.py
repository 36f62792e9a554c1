"""Several processes from a notebook: their scripts agree with one process, and none is ever left."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from utils import launch
from utils.launch import MARK, end_all, running, torchrun

ROOT = Path(__file__).resolve().parents[1]
TRAIN = ROOT / "chapters" / "convnets" / "ddp_train.py"
SLEEP = "import time; print('here', flush=True); time.sleep(600)"
# A program that a shell starts in the background ignores interrupts, and so do its children: ours must not.
CALL = """\
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {root!r})
from utils.launch import torchrun
torchrun({script!r})
"""
pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="no torch.distributed here")


def marked_by(parent: int) -> set[str]:
    """The marks of the launches that a process has begun: its own children's."""
    marks = set()
    for process in launch.psutil.Process(parent).children(recursive=True):
        try:
            marks.add(process.environ().get(MARK))
        except launch.psutil.Error:
            continue
    return marks - {None}


def watcher_of(mark: str) -> launch.psutil.Process:
    """The process that ends a launch if its caller is killed: the mark is its last argument."""
    found = []
    for process in launch.psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if line[-1:] == [mark] and "utils.launch" in line:
            found.append(process)
    (watcher,) = found
    return watcher


def gone(process: launch.psutil.Process) -> bool:
    """Whether a process has ended; one that nobody asks for its end counts as well."""
    try:
        return not process.is_running() or process.status() == launch.psutil.STATUS_ZOMBIE
    except launch.psutil.NoSuchProcess:
        return True


def wait_for(condition, seconds: float = 120):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)
    return found


def test_two_processes_train_although_the_usual_port_is_taken(tmp_path):
    with socket.socket() as taken:
        try:
            taken.bind(("127.0.0.1", 29500))
            taken.listen()
        except OSError:
            pass  # somebody has it: all the better
        done = torchrun(TRAIN, "--updates", 3, "--width", 8, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_script_that_fails_is_reported_and_leaves_nothing(tmp_path):
    script = tmp_path / "fails.py"
    script.write_text("import os\nif os.environ['RANK'] == '1': raise KeyError('mine')\n" + SLEEP)
    done = torchrun(script)
    assert done.returncode != 0 and "KeyError: 'mine'" in done.stderr
    assert not marked_by(os.getpid())


def test_time_is_limited(tmp_path):
    script = tmp_path / "sleeps.py"
    script.write_text(SLEEP)
    with pytest.raises(TimeoutError, match="within 8 seconds"):
        torchrun(script, seconds=8)
    assert not marked_by(os.getpid())


@contextmanager
def caller_of_a_script_that_sleeps(folder: Path):
    """A process that waits in `torchrun`, with the mark of its launch, once all copies of the script run."""
    (folder / "sleeps.py").write_text(SLEEP)
    code = CALL.format(root=str(ROOT), script=str(folder / "sleeps.py"))
    caller = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    try:
        (mark,) = wait_for(lambda: marked_by(caller.pid))
        wait_for(lambda: len(running(mark)) >= 3)  # torchrun and two copies of the script
        yield caller, mark
    finally:
        caller.kill()
        caller.wait()
        caller.stderr.close()


@pytest.mark.skipif(sys.platform == "win32", reason="a process on Windows gets no SIGINT of its own")
def test_an_interrupt_leaves_no_process(tmp_path):
    with caller_of_a_script_that_sleeps(tmp_path) as (caller, mark):
        watcher = watcher_of(mark)
        caller.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in caller.communicate()[1]
        assert running(mark) == [] and not watcher.is_running()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a_caller_that_is_killed_leaves_no_process(tmp_path, name):
    with caller_of_a_script_that_sleeps(tmp_path) as (caller, mark):
        watcher = watcher_of(mark)
        caller.send_signal(getattr(signal, name, signal.SIGTERM))
        wait_for(lambda: caller.poll() is not None)
        wait_for(lambda: not running(mark))
        wait_for(lambda: gone(watcher))


def test_a_process_that_cannot_be_ended_is_reported(monkeypatch):
    class Immortal:
        pid = 1

        def kill(self):
            raise launch.psutil.AccessDenied(self.pid)

    monkeypatch.setattr(launch, "running", lambda mark: [Immortal()])
    monkeypatch.setattr(launch.psutil, "wait_procs", lambda processes, timeout: ([], processes))
    with pytest.raises(RuntimeError, match=r"expected to end \[1\]"):
        end_all("a test of its own", seconds=0)


@pytest.mark.parametrize("script", ["ddp_train.py", "fsdp_train.py", "ddp_measure.py"])
def test_a_batch_that_cannot_be_shared_equally_is_refused(tmp_path, script):
    batch = "--batches" if script == "ddp_measure.py" else "--batch"
    done = torchrun(TRAIN.with_name(script), batch, 255, "--out", tmp_path)
    assert done.returncode != 0 and "2 processes can share equally, got 255" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="gloo's operations are complete on Linux")
def test_a_model_in_shards_ends_with_the_same_weights(tmp_path):
    for script in ("ddp_train.py", "fsdp_train.py"):
        (tmp_path / script).mkdir()
        done = torchrun(TRAIN.with_name(script), "--updates", 3, "--width", 8, "--out", tmp_path / script)
        assert done.returncode == 0, done.stderr
    one, other = (torch.load(tmp_path / s / "rank0.pt", weights_only=True) for s in os.listdir(tmp_path))
    assert one.keys() == other.keys()
    torch.testing.assert_close(dict(one), dict(other), rtol=1e-9, atol=1e-12)
    kept = json.loads((tmp_path / "fsdp_train.py" / "rank0.json").read_text(encoding="utf-8"))
    assert kept["kept"] < 0.6 * kept["whole"]


def test_processes_that_lost_their_parent_are_found():
    mark = "a test of its own"
    orphan = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}])"
    subprocess.run([sys.executable, "-c", orphan], env=os.environ | {MARK: mark}, check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    assert len(wait_for(lambda: running(mark))) == 1
    end_all(mark)
    assert running(mark) == []


def test_the_chapter_shows_the_script_as_it_is():
    notebook = ROOT / "chapters" / "convnets" / "hardware-and-parallelism.ipynb"
    outputs = [
        o for cell in json.loads(notebook.read_text("utf-8"))["cells"] for o in cell.get("outputs", [])
    ]
    shown = ["".join(output.get("data", {}).get("text/markdown", "")) for output in outputs]
    text = TRAIN.read_text(encoding="utf-8")
    body = text[text.index("def train") : text.index("if __name__")].strip()
    assert any(body in one for one in shown), "run `make execute CHAPTER=convnets/hardware-and-parallelism`"
