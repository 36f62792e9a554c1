"""Start a script in several processes at once, and leave none of them behind."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
MARK = "COURSE_LAUNCH"  # in the environment of every process of one launch, so that all can be found
LOOPBACK = ("lo", "lo0")  # the interface that never leaves the machine, on Linux and macOS


def torchrun(
    script: str | os.PathLike, *arguments: object, processes: int = 2, seconds: float = 300
) -> subprocess.CompletedProcess:
    """Run ``torchrun --standalone --nproc-per-node PROCESSES SCRIPT ARGUMENTS``, and wait for it.

    ``--standalone`` lets torchrun take a free port, so that no other program is in the way. All traffic
    stays on the loopback interface. Whatever ends the call, be it the script, an error, the time, an
    interrupt, or a signal that kills the caller, no process of it is left: a second process watches over the
    caller's life and does for a dead one what it cannot do any more.

    Args:
        script: a Python file that calls ``torch.distributed.init_process_group``; it finds ``utils``.
        arguments: for the script, made texts.
        processes: how many copies of it run, with the ranks 0, 1, 2, ...
        seconds: after which it is given up.

    Returns:
        With ``returncode`` (0 if all copies ended well), ``stdout`` and ``stderr`` of all of them.

    Raises:
        RuntimeError: if this build of PyTorch has no ``torch.distributed``, or a process cannot be ended.
        TimeoutError: if the seconds are over.
    """
    import torch.distributed

    if not torch.distributed.is_available():
        raise RuntimeError("expected a PyTorch with torch.distributed, this build has none")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1"]
    command += [f"--nproc-per-node={processes}", *map(str, (script, *arguments))]
    environment = _environment()
    watch = _watch(environment)
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        try:
            agent = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                start_new_session=True,  # an interrupt reaches this process alone, which then ends the others
            )  # fmt: skip
            code = agent.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"expected an end within {seconds} seconds: {' '.join(command)}") from None
        finally:
            try:
                end_all(environment[MARK])
            finally:  # a second interrupt leaves the rest to the watcher
                watch.stdin.close()
                watch.wait()
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read())
    return subprocess.CompletedProcess(command, code, *texts)


def _environment() -> dict[str, str]:
    """The environment of a launch: this one's, with the course's folder and a mark of its own."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    extra = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", MARK: uuid.uuid4().hex}
    names = [name for _, name in socket.if_nameindex() if name in LOOPBACK] if os.name == "posix" else []
    extra |= {f"{kind}_SOCKET_IFNAME": name for kind in ("GLOO", "NCCL") for name in names}
    if sys.platform == "win32":
        extra["USE_LIBUV"] = "0"  # which builds for Windows lack
    return os.environ | extra


def _watch(environment: dict[str, str]) -> subprocess.Popen:
    """A process that outlives this one, to end a launch as soon as its own input is closed.

    The system closes it when this process ends, whatever ends it. An interrupt, and the signal that Jupyter
    sends to all of a kernel's group, do not reach a session of its own.
    """
    own = {name: value for name, value in environment.items() if name != MARK}  # it must not end itself
    return subprocess.Popen(
        [sys.executable, "-m", "utils.launch", environment[MARK]], env=own, cwd=ROOT,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip


def running(mark: str) -> list[psutil.Process]:
    """The processes of a launch that are still there; ``mark`` is what `MARK` holds in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):  # somebody else's, or gone in the meantime
            continue
    return [process for process in found if process.pid != os.getpid()]


def end_all(mark: str, seconds: float = 60) -> None:
    """End every process of a launch, also those that a dying one has just started.

    Raises:
        RuntimeError: if some are still there after the seconds: somebody else's, or stuck in the kernel.
    """
    end = time.monotonic() + seconds
    while left := running(mark):
        for process in left:
            try:
                process.kill()
            except psutil.Error:
                continue
        if psutil.wait_procs(left, timeout=min(5, seconds))[1] and time.monotonic() > end:
            raise RuntimeError(f"expected to end {[process.pid for process in left]} in {seconds} seconds")


if __name__ == "__main__":  # the watcher
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdin.read()  # until the caller closes it, or is no more
    end_all(sys.argv[1])
