"""What a notebook that was opened alone, as on Colab, still needs once its setup cell has cloned the course.

The setup cell runs this file as a script, with the standard library and `packaging` alone:
``python course.part/utils/colab.py REVISION`` makes ``course`` out of ``course.part``, or leaves neither.
``python utils/colab.py --archives`` only fetches the source archives, into the environment of that Python.
"""

import hashlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# torch and torchvision: the machine's own build fits its GPU. The others: a notebook is open already.
NEVER = {"torch", "torchvision", "ipykernel", "jupyterlab"}
# Installed from a wheel like the others, but their data is in the source archive alone: that is fetched too.
ARCHIVES = ("vadersentiment",)
ARCHIVE_FOLDER = "share/from-a-line-to-bert"  # below sys.prefix


def read_sections(path: Path) -> dict[str, list[str]]:
    """Names of the packages in each ``## section`` of requirements.in, in the file's order."""
    sections, names = {}, []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            names = sections.setdefault(line[3:].split(":")[0].strip(), [])
        elif requirement := line.split("#")[0].strip():
            names.append(canonicalize_name(Requirement(requirement).name))
    return sections


def read_pins(path: Path) -> dict[str, str]:
    """Name to ``==version`` of every line of requirements.txt that is meant for this Python and system."""
    pins = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line[:1].isalnum():
            requirement = Requirement(line.removesuffix("\\"))
            if requirement.marker is None or requirement.marker.evaluate():
                pins[canonicalize_name(requirement.name)] = str(requirement.specifier)
    return pins


def is_installed(name: str) -> bool:
    """Whether the package is there, in any version."""
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def run_pip(command: str, names: list[str], *options: str) -> None:
    """Run one of pip's commands on these packages, for this Python.

    Raises:
        RuntimeError: if pip fails; the message ends with pip's own words.
    """
    pip = [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check", *options]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"pip could not {command} {', '.join(names)}:\n{done.stdout}{done.stderr}")


def pip_install(requirements: list[str], *options: str) -> None:
    """Install into this Python. Nothing that is there already changes its version.

    Raises:
        RuntimeError: if pip fails; the message ends with pip's own words.
    """
    there = {canonicalize_name(d.metadata["Name"]): d.version for d in distributions() if d.metadata["Name"]}
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder, "installed.txt")
        held.write_text("".join(f"{name}=={number}\n" for name, number in sorted(there.items())))
        run_pip("install", requirements, "--constraint", str(held), *options, *requirements)


def fetch_archives(root: Path) -> None:
    """Fetch the source archives of `ARCHIVES` into `ARCHIVE_FOLDER`, with a hash of requirements.txt.

    A file that is there with such a hash is not fetched again; half a file has another hash.

    Args:
        root: the course's folder, which holds requirements.txt.

    Raises:
        RuntimeError: if requirements.txt lacks one of them, or pip fails.
    """
    lock = (root / "requirements.txt").read_text(encoding="utf-8")
    folder = Path(sys.prefix, ARCHIVE_FOLDER)
    for name in ARCHIVES:
        entry = re.search(rf"^{name}==(.*\\\n)*.*", lock, re.MULTILINE)
        if entry is None:
            raise RuntimeError(f"expected {name}==... in requirements.txt, found no such line")
        hashes = re.findall(r"sha256:(\w+)", entry[0])
        if any(hashlib.sha256(path.read_bytes()).hexdigest() in hashes for path in folder.glob("*")):
            continue
        print(f"Fetching the source archive of {name}", flush=True)
        with tempfile.TemporaryDirectory() as temporary:
            wanted = Path(temporary, "wanted.txt")
            wanted.write_text(entry[0] + "\n")
            # Without an isolated build, for which pip would fetch more: torch has brought setuptools.
            options = ["--no-deps", "--no-binary", name, "--no-build-isolation", "--require-hashes"]
            run_pip("download", [name], *options, "--requirement", str(wanted), "--dest", str(folder))


def install_missing(root: Path) -> list[str]:
    """Install what chapters import and this Python lacks, as locked, and fetch the source archives.

    Args:
        root: the course's folder, which holds requirements.in and requirements.txt.

    Returns:
        The requirements that were installed; a line that names them is printed first.

    Raises:
        RuntimeError: if torch or torchvision is missing, or pip fails.
    """
    absent = [name for name in ("torch", "torchvision") if not is_installed(name)]
    if absent:
        names = " and ".join(absent)
        raise RuntimeError(f"{names} must be installed first, in a build for this machine: see pytorch.org")
    sections, pins = read_sections(root / "requirements.in"), read_pins(root / "requirements.txt")
    missing = {
        section: [name + pins.get(name, "") for name in names if name not in NEVER and not is_installed(name)]
        for section, names in sections.items()
    }
    run, alone = missing["run"], missing["alone"]
    if run or alone:
        print(f"Installing what is missing: {', '.join(run + alone)}", flush=True)
    if run:
        pip_install(run)
    if alone:
        pip_install(alone, "--no-deps")
    fetch_archives(root)
    return run + alone


def checkout(folder: Path, revision: str) -> None:
    """Bring a clone to a branch, tag or full commit of its origin.

    Raises:
        RuntimeError: if the revision is not there; the message ends with git's own words.
    """
    git = ["git", "-C", str(folder)]
    fetch, switch = (
        ["fetch", "--quiet", "--depth", "1", "origin", revision],
        ["checkout", "--quiet", "FETCH_HEAD"],
    )
    for step in (fetch, switch):
        done = subprocess.run(git + step, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"its revision {revision!r} could not be fetched: {done.stderr.strip()}")


def main(revision: str) -> None:
    """Turn the clone that this file lies in, ``course.part``, into ``course``; remove it if that fails."""
    part = Path(__file__).resolve().parent.parent
    if part.name != "course.part":  # someone's own copy of the course, which is not ours to rename or remove
        sys.exit(f"expected to be run by a notebook's setup cell, in course.part; this is {part}")
    try:
        checkout(part, revision)
        install_missing(part)
        part.rename(part.with_name("course"))
    except (RuntimeError, OSError) as error:
        sys.exit(f"The course is not set up: {error}")
    finally:
        shutil.rmtree(part, ignore_errors=True)  # after the rename there is nothing under this name


if __name__ == "__main__":
    if sys.argv[1] == "--archives":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of Python, so that pip ends as well
        fetch_archives(Path(__file__).resolve().parent.parent)
    else:
        main(sys.argv[1])
