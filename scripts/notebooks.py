"""What the scripts and tests share about notebooks: their order, digest, faults in outputs, and writing."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
STAMP = "COURSE, REVISION = "  # how the setup cell's one changing line begins
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL_METADATA = {"tags", "mystnb", "jupyter"}  # the last folds a cell in JupyterLab
MEMORY_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")
WARNING = re.compile(r"\b\w*Warning: |warnings\.warn\(")
MACHINE_PATH = re.compile(
    r"/home/\w|/root/|/Users/\w|/tmp/\w|/var/folders/|[A-Za-z]:\\+Users\\|site-packages"
)


def toc_files(root: Path = ROOT) -> list[str]:
    """The files that _toc.yml lists, in its order: relative to the root, without suffix."""

    def files(node: object) -> Iterator[str]:
        if isinstance(node, list):
            for entry in node:
                yield from files(entry)
        elif isinstance(node, dict):
            yield from (node[key] for key in ("root", "file") if key in node)
            yield from files([value for value in node.values() if isinstance(value, (list, dict))])

    return list(files(yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))))


def toc_notebooks(root: Path = ROOT) -> list[Path]:
    """The course's notebooks in the order of _toc.yml."""
    return [path for name in toc_files(root) if (path := root / f"{name}.ipynb").exists()]


def chapter_name(path: Path, root: Path = ROOT) -> str:
    """``foundations/linear-model`` for ``<root>/chapters/foundations/linear-model.ipynb``."""
    return path.resolve().relative_to(root / "chapters").with_suffix("").as_posix()


def read(path: Path) -> NotebookNode:
    """A notebook in format 4."""
    return nbformat.read(path, as_version=4)


def write(path: Path, notebook: NotebookNode) -> None:
    """Write a notebook whole or not at all: into a temporary file beside it, which then takes its name."""
    nbformat.validate(notebook)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(nbformat.writes(notebook) + "\n")
        os.chmod(part, 0o644)
        os.replace(part, path)
    finally:
        Path(part).unlink(missing_ok=True)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def digest(notebook: NotebookNode) -> str:
    """SHA-256 of the code cells' sources, in order; without the line that `make address` writes."""
    cells = [cell.source.splitlines() for cell in code_cells(notebook)]
    sources = [[line for line in lines if not line.startswith(STAMP)] for lines in cells]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def is_stale(notebook: NotebookNode) -> bool:
    """Whether the outputs belong to other code than the notebook holds, or to none."""
    return notebook.metadata.get("course", {}).get("digest") != digest(notebook)


def output_texts(output: NotebookNode) -> Iterator[str]:
    """Every text of an output: what a reader sees or a search finds, but no base64."""
    if output.output_type == "stream":
        yield output.text
    for kind, value in output.get("data", {}).items():
        if kind.startswith("text/") or kind == "image/svg+xml":
            yield value if isinstance(value, str) else "".join(value)


def output_faults(notebook: NotebookNode, root: Path = ROOT) -> Iterator[tuple[NotebookNode, str]]:
    """(cell, fault) for each error, stderr text, warning and path of the machine in the outputs."""
    here = [str(root), str(Path.home())]
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if output.output_type == "error":
                yield cell, f"raised {output.ename}: {output.evalue}"
            if output.get("name") == "stderr":
                yield cell, f"writes to stderr: {output.text.strip()[:200]!r}"
            for text in output_texts(output):
                if found := WARNING.search(text):
                    yield cell, f"shows a warning: {text[found.start() : found.start() + 160]!r}"
                if MEMORY_ADDRESS.search(text):
                    yield (
                        cell,
                        "shows an object's address: display the object's content, or end the line with ;",
                    )
                path = next((p for p in here if len(p) > 3 and p in text), None)
                if path or (found := MACHINE_PATH.search(text)):
                    yield cell, f"shows a path of this machine: {path or found.group()!r}"


def cell_place(notebook: NotebookNode, cell: NotebookNode) -> str:
    """How a message names a cell: its number among all cells, its id and its first line."""
    number = next(i for i, other in enumerate(notebook.cells, 1) if other is cell)
    first = next((line for line in cell.source.splitlines() if line.strip()), "")
    return f"cell {number} (id {cell.get('id')}, {first[:50]!r})"
