"""The script that makes .venv, driven with stand-ins for python and pip, and the lock's agreement."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
TOOLS = "sh awk cat cmp cp df dirname grep head mkdir mv rm sed sleep touch uname".split()

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the make targets need a POSIX shell")

# A stand-in answers the script's own questions; what pip does is in the file "pip" beside it, and what the
# fetching of source archives does in "archives".
PYTHON = """#!/bin/sh
case "$*" in
    *version_info*) echo {version} ;;
    *ensurepip*) exit {venv_missing} ;;
    *flock*) exec {real} "$@" ;;
    "-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    "-m pip"*) exec sh "{bin}/pip" "$@" ;;
    "utils/colab.py --archives") exec sh "{bin}/archives" ;;
    *) exit 99 ;;
esac
"""


class Course:
    """A folder with the script and a lock, and a PATH that holds the tools and no Python but ours."""

    def __init__(self, folder: Path) -> None:
        self.root, self.bin = folder / "a course", folder / "bin"
        (self.root / "scripts").mkdir(parents=True)
        self.bin.mkdir()
        shutil.copy(ROOT / "scripts/environment.sh", self.root / "scripts")
        (self.root / "requirements.txt").write_text("torch==1.0\n")
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool))
        self.pip('echo run >>"../pip runs"')
        self.archives("touch .venv/archive")

    def python(self, name: str, version: str, venv: bool = True) -> None:
        text = PYTHON.format(version=version, venv_missing=int(not venv), real=sys.executable, bin=self.bin)
        self.tool(name, text)

    def tool(self, name: str, text: str) -> None:
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def pip(self, script: str) -> None:
        (self.bin / "pip").write_text(script + "\n")

    def archives(self, script: str) -> None:
        (self.bin / "archives").write_text(script + "\n")

    def start(self, **variables: str) -> subprocess.Popen:
        return subprocess.Popen(
            ["sh", self.root / "scripts/environment.sh"],
            env={"PATH": str(self.bin), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, **variables: str) -> tuple[int, str]:
        process = self.start(**variables)
        output, _ = process.communicate(timeout=20)
        return process.returncode, output

    @property
    def pip_runs(self) -> int:
        runs = self.root.parent / "pip runs"
        return len(runs.read_text().split()) if runs.exists() else 0

    def wait_for(self, path: str) -> None:
        for _ in range(200):
            if (self.root / path).exists():
                return
            time.sleep(0.05)
        raise AssertionError(f"{path} did not appear")


@pytest.fixture
def course(tmp_path: Path) -> Course:
    course = Course(tmp_path)
    course.python("python3.11", "3.11")
    return course


def test_makes_the_environment_once(course: Course):
    code, output = course.run()
    assert code == 0, output
    assert (course.root / ".venv/complete").exists() and not (course.root / ".venv/tmp").exists()
    assert (course.root / ".venv/archive").exists()
    assert course.run() == (0, "")
    assert course.pip_runs == 1


def test_renews_when_the_lock_changes_and_says_so(course: Course):
    course.run()
    (course.root / ".venv/left over").touch()
    (course.root / "requirements.txt").write_text("torch==1.1\n")
    code, output = course.run()
    assert code == 0 and "renewing" in output
    assert course.pip_runs == 2 and not (course.root / ".venv/left over").exists()


def test_renews_when_the_folder_moved(course: Course):
    course.run()  # the scripts in .venv/bin name the folder they were made in
    moved = course.root.rename(course.root.with_name("moved"))
    course.root = moved
    code, output = course.run()
    assert code == 0 and "renewing" in output and course.pip_runs == 2


def test_renews_when_another_python_is_asked_for(course: Course):
    course.run()
    course.python("other", "3.13")
    code, output = course.run(PYTHON="other")
    assert code == 0 and "Python 3.13" in output
    assert course.run(PYTHON="other") == (0, "") and course.run() == (0, "")


def test_renews_when_its_python_is_gone(course: Course):
    course.run()
    (course.root / ".venv/bin/python").unlink()
    code, _ = course.run()
    assert code == 0 and course.pip_runs == 2


@pytest.mark.parametrize(
    ("pythons", "named", "expected"),
    [
        ({}, "", "no Python 3.11, 3.12 or 3.13 (python3 does not run)"),
        ({"python3": "3.9", "python": "2.7"}, "", "(python3 is 3.9, python is 2.7)"),
        ({"python3.11": "3.11"}, "/nowhere/python", "(/nowhere/python does not run)"),
        ({"python3.11": "3.11", "old": "3.8"}, "old", "(old is 3.8)"),
    ],
)
def test_names_what_it_found_when_no_python_fits(tmp_path: Path, pythons: dict, named: str, expected: str):
    course = Course(tmp_path)
    for name, version in pythons.items():
        course.python(name, version)
    code, output = course.run(**({"PYTHON": named} if named else {}))
    assert code == 1 and expected in output and output.count("\n") == 1
    assert not (course.root / ".venv").exists()


def test_prefers_a_python_that_can_make_environments(tmp_path: Path):
    course = Course(tmp_path)
    course.python("python3.13", "3.13", venv=False)
    code, output = course.run()
    assert code == 1 and "python3-venv" in output and output.count("\n") == 1
    course.python("python3", "3.12")
    code, output = course.run()
    assert code == 0 and "Python 3.12" in output


def test_too_little_disk_space_names_both_numbers(course: Course):
    course.tool("df", "#!/bin/sh\necho Header\necho '/dev/disk one 9 9 2097152  80% /a mount'\n")
    code, output = course.run()
    assert code == 1 and re.search(r"\d+\.\d GB needed, 2\.0 GB free", output)
    assert output.count("\n") == 1 and not (course.root / ".venv").exists() and course.pip_runs == 0


@pytest.mark.parametrize(("free", "setting"), [(12 * 2**20, "1"), (40 * 2**20, "unset")])
def test_pip_keeps_a_cache_only_where_there_is_room(course: Course, free: int, setting: str):
    course.tool("uname", "#!/bin/sh\necho Linux\n")
    course.tool("df", f"#!/bin/sh\necho Header\necho '/dev/disk 9 9 {free}  80% /'\n")
    course.pip('echo "${PIP_NO_CACHE_DIR:-unset}"')
    assert course.run()[0] == 0
    assert (course.root / ".cache/environment.log").read_text().strip() == setting


HASHES = """ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated
    torch==1.0 from https://host/torch.whl (from -r requirements.txt (line 1)):
        Expected sha256 00"""
RETRY = "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<conn>: "
MISSING = "ERROR: No matching distribution found for torch==1.0"


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (RETRY + "[Errno -3] Temporary failure in name resolution')'\n" + MISSING, "cannot be resolved"),
        (RETRY + "[Errno -2] Name or service not known')'\n" + MISSING, "cannot be resolved"),
        (RETRY + "[Errno 8] nodename nor servname provided')'\n" + MISSING, "cannot be resolved"),
        (RETRY + "[Errno 111] Connection refused')'\n" + MISSING, "is refused"),
        ("ReadTimeoutError: HTTPSConnectionPool: Read timed out. (read timeout=15)", "in time"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'))", "certificate"),
        (RETRY + "[Errno 111] Connection refused')'\n" + HASHES, "torch==1.0 is not the file"),
        (MISSING, "the registry has no torch==1.0 for Python 3.11 on "),
        ("ERROR: Could not install: [Errno 28] No space left on device", "the disk is full"),
        ("something new", "pip failed"),
    ],
)
def test_a_failed_installation_says_why_and_leaves_nothing(course: Course, log: str, expected: str):
    (course.bin / "output").write_text(log)
    course.pip(f'cat "{course.bin}/output"; touch .venv/half; exit 1')
    code, output = course.run()
    _, last = output.splitlines()
    assert code == 1 and expected in last and str(course.root / ".cache/environment.log") in last
    assert not (course.root / ".venv").exists()
    assert log in (course.root / ".cache/environment.log").read_text()


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (HASHES, "torch==1.0 is not the file"),
        (MISSING, "the registry has no torch==1.0"),
        ("?", "pip failed"),
    ],
)
def test_an_environment_without_its_archives_is_not_whole(course: Course, log: str, expected: str):
    (course.bin / "output").write_text(log)
    course.archives(f'cat "{course.bin}/output" >&2; exit 1')
    code, output = course.run()
    assert code == 1 and expected in output and not (course.root / ".venv").exists()
    course.archives("")
    assert course.run()[0] == 0 and course.pip_runs == 2


@pytest.mark.parametrize("step", ["pip", "archives"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_leaves_nothing(course: Course, step: str, number: int, status: int):
    getattr(course, step)("touch .venv/started; exec sleep 30")
    process = course.start()
    course.wait_for(".venv/started")
    os.killpg(process.pid, number)  # as a terminal does
    output, _ = process.communicate(timeout=10)
    assert process.returncode == status and "interrupted" in output
    assert not (course.root / ".venv").exists()


def test_an_environment_of_a_killed_run_is_made_anew(course: Course):
    course.pip("touch .venv/started; exec sleep 30")
    process = course.start()
    course.wait_for(".venv/started")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert (course.root / ".venv/bin/python").exists()
    course.pip('echo run >>"../pip runs"')
    code, output = course.run()
    assert code == 0 and "unfinished" in output and not (course.root / ".venv/started").exists()


def test_a_second_run_waits_for_a_pip_that_outlives_its_killed_script(course: Course):
    course.pip('touch .venv/started; sleep 2; echo run >>"../pip runs"')
    process = course.start()
    course.wait_for(".venv/started")
    process.kill()  # the script alone
    code, output = course.run()
    process.communicate()
    assert code == 0 and "waiting" in output and course.pip_runs == 2


def test_two_runs_at_once_make_one_environment(course: Course):
    course.pip('sleep 1; echo run >>"../pip runs"')
    runs = [course.start() for _ in range(3)]
    outputs = [run.communicate(timeout=20)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], outputs
    assert course.pip_runs == 1 and sum("waiting" in output for output in outputs) == 2


def lock_script():
    """scripts/lock.py as a module."""
    spec = importlib.util.spec_from_file_location("lock", ROOT / "scripts/lock.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def requirements() -> tuple[dict[str, list[str]], dict[str, str]]:
    """The sections of requirements.in and the entries of requirements.txt."""
    lock = lock_script()
    wanted = lock.sections((ROOT / "requirements.in").read_text(encoding="utf-8"))
    return wanted, lock.entries((ROOT / "requirements.txt").read_text(encoding="utf-8"))


def test_every_direct_dependency_is_pinned_in_the_lock():
    wanted, locked = requirements()
    pins = [Requirement(entry) for entry in locked]
    for requirement in (Requirement(item) for items in wanted.values() for item in items):
        name = canonicalize_name(requirement.name)
        versions = [str(pin.specifier) for pin in pins if canonicalize_name(pin.name) == name]
        assert versions, f"{name} is in requirements.in but not in requirements.txt: run make lock"
        for version in versions:
            fits = requirement.specifier.contains(version.removeprefix("=="))
            assert fits, f"requirements.in asks for {requirement}, the lock has {version}: run make lock"


def test_every_entry_of_the_lock_is_exact_and_hashed():
    _, locked = requirements()
    for entry, block in locked.items():
        assert re.fullmatch(r"==[^,*]+", str(Requirement(entry).specifier)), f"{entry}: not one version"
        assert "--hash=sha256:" in block, f"{entry}: no hash"


def test_the_lock_names_its_command_and_no_path():
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert "make lock" in text.splitlines()[1]
    assert not re.search(r"file:|/tmp|find-links|index-url|\.in -o", text)


def test_every_direct_dependency_has_a_reason():
    for line in (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines():
        assert not line or line.startswith("#") or re.search(r"\S +# \S", line), f"say why: {line}"


def test_newest_drops_the_holds_of_run_and_test_only():
    text = "## run: a\ntorch==1.0  # why\n## book: b\nsphinx==7\n## test: c\npytest==9\n## alone: d\nd2l==1\n"
    expected = "## run: a\ntorch  # why\n## book: b\nsphinx==7\n## test: c\npytest\n## alone: d\nd2l==1\n"
    assert lock_script().without_holds(text) == expected


@pytest.mark.parametrize("text", ["torch\n## run: a\n", "## run: a\ntorch\n", "## run: a\n## extra: b\n"])
def test_sections_that_are_not_the_four_are_refused(text: str):
    with pytest.raises(ValueError, match="expected"):
        lock_script().sections(text)


def test_binder_takes_torch_for_cpus_and_the_rest_from_the_lock(tmp_path: Path):
    calls = tmp_path / "calls"
    (tmp_path / "python").write_text(f'#!/bin/sh\nprintf "%s " "$@" >>{calls}\necho >>{calls}\n')
    (tmp_path / "python").chmod(0o755)
    subprocess.run(
        ["bash", "binder/postBuild"],
        check=True,
        cwd=ROOT,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    first, second = calls.read_text().splitlines()
    pins = {Requirement(entry).name: str(Requirement(entry).specifier) for entry in requirements()[1]}
    assert f"torch{pins['torch']}+cpu torchvision{pins['torchvision']}+cpu" in first
    assert "install_missing" in second and "requirements.txt" not in first
    assert (ROOT / "binder/runtime.txt").read_text().strip() == "python-3.11"
