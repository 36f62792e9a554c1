"""Turn requirements.in into requirements.txt: every package pinned, with hashes, for every platform.

Usage: python scripts/lock.py [--upgrade | --newest]

Without an option the pins that still fit stay. ``--upgrade`` takes the newest versions that requirements.in
allows. ``--newest`` also drops the holds (``==``) of the sections run and test from requirements.in, to try
the course on what is newest.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ORDINARY = ("run", "book", "test")  # resolved together
ALONE = "alone"  # installed without their dependencies
HEADER = """\
# The complete lock of requirements.in, for Python 3.11 to 3.13 on Linux, macOS and Windows.
# Written by `make lock`; do not edit. Install: pip install --no-deps --require-hashes -r requirements.txt
"""


def sections(text: str) -> dict[str, list[str]]:
    """The requirements under each heading ``## name: ...``, without their comments.

    Raises:
        ValueError: if a requirement stands before the first heading, or a section is unknown or missing.
    """
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if heading := re.match(r"## (\w+):", line):
            found[heading[1]] = current = []
        elif requirement := line.split("#")[0].strip():
            if not found:
                raise ValueError(f"expected a heading '## name:' before {requirement!r}")
            current.append(requirement)
    if set(found) != {*ORDINARY, ALONE}:
        raise ValueError(f"expected the sections {[*ORDINARY, ALONE]}, got {list(found)}")
    return found


def without_holds(text: str) -> str:
    """requirements.in with ``==version`` dropped from the sections run and test."""
    lines, section = [], ""
    for line in text.splitlines(keepends=True):
        if heading := re.match(r"## (\w+):", line):
            section = heading[1]
        if section in ("run", "test") and not line.startswith("#"):
            line = re.sub(r"^([\w.-]+)==\S+", r"\1", line)
        lines.append(line)
    return "".join(lines)


def entries(lock: str) -> dict[str, str]:
    """Each entry of a lock, requirement and hashes, under its first line; comments are left out."""
    lines = [line for line in lock.splitlines() if not line.lstrip().startswith("#")]
    blocks = re.split(r"\n(?=\S)", "\n".join(lines).strip())
    return {block.splitlines()[0].rstrip(" \\"): block for block in blocks if block}


def resolve(requirements: list[str], pins: str, *options: str) -> dict[str, str]:
    """Lock the requirements with uv; ``pins`` is an earlier lock whose versions are kept where they fit."""
    with tempfile.TemporaryDirectory() as folder:
        wanted, lock = Path(folder, "wanted.in"), Path(folder, "lock.txt")
        wanted.write_text("\n".join(requirements) + "\n", encoding="utf-8")
        lock.write_text(pins, encoding="utf-8")
        command = [sys.executable, "-m", "uv", "pip", "compile", "--universal", "--python-version", "3.11"]
        command += ["--generate-hashes", "--no-annotate", "--no-header", "--quiet", *options]
        subprocess.run([*command, str(wanted), "-o", str(lock)], check=True, cwd=folder)
        return entries(lock.read_text(encoding="utf-8"))


def main() -> None:
    """Read the options, resolve both groups and write the lock."""
    parser = argparse.ArgumentParser(description="requirements.in to requirements.txt")
    parser.add_argument("--upgrade", action="store_true", help="the newest that requirements.in allows")
    parser.add_argument("--newest", action="store_true", help="also drop the holds of run and test")
    arguments = parser.parse_args()
    source, target = ROOT / "requirements.in", ROOT / "requirements.txt"
    text = source.read_text(encoding="utf-8")
    if arguments.newest:
        text = without_holds(text)
    wanted = sections(text)
    fresh = arguments.upgrade or arguments.newest
    pins = target.read_text(encoding="utf-8") if target.exists() and not fresh else ""
    try:
        lock = resolve([item for name in ORDINARY for item in wanted[name]], pins)
        lock |= resolve(wanted[ALONE], pins, "--no-deps")
    except subprocess.CalledProcessError as error:
        sys.exit(f"lock: uv failed with status {error.returncode}; requirements.txt is left as it was")
    if arguments.newest:
        source.write_text(text, encoding="utf-8")
    lines = [lock[name] for name in sorted(lock, key=str.lower)]
    target.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"lock: {len(lock)} packages in {target.name}")


if __name__ == "__main__":
    main()
