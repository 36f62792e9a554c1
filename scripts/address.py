"""The repository's address, written into _config.yml and into the setup cell of every notebook.

python scripts/address.py                   bring the notebooks in line with _config.yml
python scripts/address.py URL [REVISION]    write a new address first (a branch, tag or full commit)
python scripts/address.py --show            print the setup cell
"""

import argparse
import re
import sys
from pathlib import Path

import yaml
from notebooks import ROOT, STAMP, chapter_name, code_cells, digest, is_stale, read, write

SETUP_CELL = """\
# Find the course's helpers (utils/); opened alone, as on Colab, fetch the course first.
import sys
from pathlib import Path

COURSE, REVISION = "", "main"  # written by `make address`
root = next((u for u in (".", "..", "../..") if Path(u, "utils/device.py").exists()), "course")
if COURSE and not Path(root).exists():
    !git -c core.askpass=true clone -q --depth 1 {COURSE} course.part \\
        && "{sys.executable}" course.part/utils/colab.py {REVISION}
assert Path(root).exists(), "utils/ is not here: open this notebook inside the whole course."
sys.path.insert(0, str(Path(root).resolve()))"""
LAST_LINE = SETUP_CELL.splitlines()[-1]
URL = re.compile(r"(https|file)://[\w.:/~%+-]+")  # nothing that a shell would read as more than a word
REVISION = re.compile(r"\w[\w./-]*")


def setup_cell(url: str, revision: str) -> str:
    """The setup cell of every notebook, for a repository's address; an empty address means: not known."""
    lines = SETUP_CELL.splitlines()
    return "\n".join(
        f'{STAMP}"{url}", "{revision}"  # written by `make address`' if line.startswith(STAMP) else line
        for line in lines
    )


def after_setup(source: str) -> str:
    """What a chapter's first code cell holds behind the setup: its imports, so that both fold as one."""
    return source.partition(LAST_LINE)[2].strip("\n")


def read_address(root: Path = ROOT) -> tuple[str, str]:
    """Address and revision as _config.yml has them."""
    repository = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]
    return repository["url"] or "", str(repository["branch"])


def check_address(url: str, revision: str) -> tuple[str, str]:
    """The address without a trailing slash or ``.git``, and the revision.

    Raises:
        ValueError: if either would not work in a link and in a git command.
    """
    url = url.rstrip("/").removesuffix(".git")
    if url and not URL.fullmatch(url):
        raise ValueError(f"expected an address like https://github.com/someone/course, got {url!r}")
    if not REVISION.fullmatch(revision):
        raise ValueError(f"expected a branch, a tag or a full commit, got {revision!r}")
    if re.fullmatch(r"[0-9a-f]{7,39}", revision):
        raise ValueError(f"expected a commit's full 40 digits (git rev-parse {revision}), got {revision!r}")
    return url, revision


def write_address(url: str, revision: str, root: Path = ROOT) -> None:
    """Write the address into _config.yml, leaving its comments and everything else as they are.

    Raises:
        ValueError: if _config.yml has no block ``repository:`` with ``url:`` and ``branch:``.
    """
    path = root / "_config.yml"
    text = path.read_text(encoding="utf-8")
    block = re.search(r"^repository:[^\n]*\n(?:[ \t]+[^\n]*\n)+", text, re.MULTILINE)
    if not block:
        raise ValueError(f"expected a block 'repository:' with indented lines 'url:' and 'branch:' in {path}")
    new = block.group()
    for key, value in (("url", url), ("branch", revision)):
        line = re.compile(rf"^([ \t]+{key}:)[^#\n]*?([ \t]*(?:#.*)?)$", re.MULTILINE)
        new, count = line.subn(rf'\1 "{value}"\2', new)
        if count != 1:
            raise ValueError(f"expected one line '{key}:' under 'repository:' in {path}, found {count}")
    path.write_text(text.replace(block.group(), new), encoding="utf-8")


def stamp(path: Path, url: str, revision: str) -> bool:
    """Put the setup in place of a notebook's older one; imports and outputs stay. Returns whether it changed.

    The cell prints nothing, so outputs that belonged to the code still do: a fresh digest is kept fresh.

    Raises:
        ValueError: if the first code cell is no setup cell.
    """
    notebook = read(path)
    cells = code_cells(notebook)
    if not cells or not cells[0].source.startswith("# Find the course's helpers"):
        raise ValueError(f"{path} does not begin with the setup cell: scripts/address.py --show prints it")
    new, imports = setup_cell(url, revision), after_setup(cells[0].source)
    new += f"\n\n{imports}" if imports else ""
    if cells[0].source == new:
        return False
    stale = is_stale(notebook)
    cells[0].source = new
    if not stale:
        notebook.metadata.course["digest"] = digest(notebook)
    write(path, notebook)
    return True


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("url", nargs="?", help="the repository's address; '' takes it out again")
    parser.add_argument("revision", nargs="?", default="main")
    parser.add_argument("--show", action="store_true", help="print the setup cell and change nothing")
    arguments = parser.parse_args()
    try:
        if arguments.url is not None:
            write_address(*check_address(arguments.url, arguments.revision))
        url, revision = read_address()
        if arguments.show:
            print(setup_cell(url, revision))
            return
        paths = sorted(p for p in (ROOT / "chapters").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
        changed = [chapter_name(path) for path in paths if stamp(path, url, revision)]
    except ValueError as error:
        sys.exit(f"address: {error}")
    print(f"address: {url or '(not known)'}, {revision}; {len(changed)} of {len(paths)} notebooks changed")


if __name__ == "__main__":
    main()
