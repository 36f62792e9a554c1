"""What a notebook that was opened alone, as on Colab, still needs once its setup cell has cloned the course.

The setup cell runs this file as a script, with the standard library and `packaging` alone:
``python course.part/utils/colab.py REVISION`` makes ``course`` out of ``course.part``, or leaves neither.
"""

import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# torch and torchvision: the machine's own build fits its GPU. The others: a notebook is open already.
NEVER = {"torch", "torchvision", "ipykernel", "jupyterlab"}


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


def pip_install(requirements: list[str], *options: str) -> None:
    """Install into this Python. Nothing that is there already changes its version.

    Raises:
        RuntimeError: if pip fails; the message ends with pip's own words.
    """
    there = {canonicalize_name(d.metadata["Name"]): d.version for d in distributions() if d.metadata["Name"]}
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder, "installed.txt")
        held.write_text("".join(f"{name}=={number}\n" for name, number in sorted(there.items())))
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command += ["--constraint", str(held), *options, *requirements]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"pip could not install {', '.join(requirements)}:\n{done.stdout}{done.stderr}")


def install_missing(root: Path) -> list[str]:
    """Install what chapters import and this Python lacks, in the versions of the lock.

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
    main(sys.argv[1])
