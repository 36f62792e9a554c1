"""Run notebooks and keep their outputs.

    python scripts/execute.py                             every notebook of _toc.yml, in its order
    python scripts/execute.py foundations/linear-model    the ones named
    python scripts/execute.py --full [...]                at full size on all cores, into _build/full
    python scripts/execute.py --check [...]               run nothing; fail if outputs belong to older code

A notebook is written only if every cell ran and no output shows an error, a warning or a machine's path.
"""

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from notebooks import (
    CELL_METADATA,
    METADATA,
    ROOT,
    WIDGET_STATE,
    WIDGET_VIEW,
    cell_place,
    chapter_name,
    code_cells,
    digest,
    is_stale,
    output_faults,
    read,
    toc_notebooks,
    write,
)

CELL_SECONDS = 1200  # a busy machine is no fault of the notebook; a dead kernel is noticed then
ENVIRONMENT = {
    "COURSE_RECORD": "1",
    "PYTHONHASHSEED": "0",
    "TQDM_DISABLE": "1",
}
SMALL = {"COURSE_FULL": "0", "OMP_NUM_THREADS": "1"}  # faster for small nets, and sums in one order
FULL = {"COURSE_FULL": "1"}
FULL_FOLDER = ROOT / "_build" / "full"  # outputs of full-size runs
WIDGET_TEXT = "An interactive figure."  # in place of an object's address, or of all its state
TERMINAL_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class NotebookFailed(Exception):
    """A notebook whose run is not fit to keep; the message names the notebook, the cell and the reason."""


def client(notebook: NotebookNode, folder: Path, **options: object) -> NotebookClient:
    """What executes a notebook in a fresh kernel, with ``folder`` as working directory."""
    return NotebookClient(
        notebook,
        kernel_name="python3",
        record_timing=False,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(folder)}},
        **options,
    )


def run(notebook: NotebookNode, folder: Path, name: str, full: bool = False) -> None:
    """Execute all cells in place, with ``folder`` as working directory.

    Raises:
        NotebookFailed: if a cell raises, takes the kernel down, or runs longer than `CELL_SECONDS`, which it
            may at full size.
    """
    now = {}
    running = client(
        notebook,
        folder,
        timeout=None if full else CELL_SECONDS,
        coalesce_streams=True,  # otherwise the outputs depend on how fast the kernel flushes
        on_cell_execute=lambda cell, cell_index: now.update(cell=cell),
    )
    try:
        running.execute(env=os.environ | ENVIRONMENT | (FULL if full else SMALL))
    except CellExecutionError as error:
        trace = TERMINAL_COLOURS.sub("", error.traceback).strip()
        raise NotebookFailed(f"{name}: {cell_place(notebook, now['cell'])} fails:\n{trace}") from None
    except CellTimeoutError:
        place = cell_place(notebook, now["cell"])
        raise NotebookFailed(f"{name}: {place} runs longer than {CELL_SECONDS} seconds") from None
    except DeadKernelError:
        place = cell_place(notebook, now["cell"])
        raise NotebookFailed(f"{name}: the kernel died in {place}; was it short of memory?") from None


def strings(value: object) -> Iterator[str]:
    """Every string in a tree of dicts and lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for child in value.values() if isinstance(value, dict) else value:
            yield from strings(child)


def keep_viewed_widgets(notebook: NotebookNode) -> None:
    """Keep the widget models that an output shows, with the models they refer to, under names that stay.

    The kernel names a model by a random number. Numbered in the order of their views, two runs are equal.
    """
    widgets = notebook.metadata.get("widgets", {}).get(WIDGET_STATE)
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    views = [
        output.data[WIDGET_VIEW]["model_id"] for output in outputs if WIDGET_VIEW in output.get("data", {})
    ]
    if not widgets or not views:
        notebook.metadata.pop("widgets", None)
        return
    state, kept = widgets["state"], []
    while views:
        model = views.pop(0)
        if model not in kept:
            kept.append(model)
            text = strings(state[model]["state"])
            views += [t.removeprefix("IPY_MODEL_") for t in text if t.startswith("IPY_MODEL_")]
    widgets["state"] = {model: state[model] for model in kept}
    for output in outputs:
        if WIDGET_VIEW in output.get("data", {}):
            output.data[WIDGET_VIEW] = rename(output.data[WIDGET_VIEW], kept)
            output.data["text/plain"] = WIDGET_TEXT
    notebook.metadata["widgets"] = {WIDGET_STATE: rename(widgets, kept)}


def rename(tree: NotebookNode, models: list[str]) -> dict:
    """A copy of a tree in which the n-th model is called by its number, as 32 digits."""
    text = json.dumps(tree)
    for number, model in enumerate(models, 1):
        text = text.replace(model, f"{number:032d}")
    return json.loads(text)


def clean(notebook: NotebookNode) -> None:
    """Leave the metadata that the course uses, and note which code the outputs belong to."""
    keep_viewed_widgets(notebook)
    widgets = notebook.metadata.get("widgets")
    notebook.metadata.clear()
    notebook.metadata.update(METADATA | {"course": {"digest": digest(notebook)}})
    if widgets:
        notebook.metadata["widgets"] = widgets
    for cell in notebook.cells:
        for key in set(cell.metadata) - CELL_METADATA:
            del cell.metadata[key]


def execute(path: Path, root: Path = ROOT, full: bool = False) -> float:
    """Run one notebook and write it, at full size into `FULL_FOLDER`; return the seconds it took.

    Raises:
        NotebookFailed: if it is not fit to keep. The file is then as it was.
    """
    notebook, name = read(path), chapter_name(path, root)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    start = time.perf_counter()
    run(notebook, path.parent, name, full)
    seconds = time.perf_counter() - start
    clean(notebook)
    faults = [
        f"{name}: {cell_place(notebook, cell)} {fault}" for cell, fault in output_faults(notebook, root)
    ]
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        faults.append(f"{name}: the code cells are not counted 1 to {len(counts)}: is a code cell empty?")
    if faults:
        raise NotebookFailed("\n".join(faults))
    if full:
        path = FULL_FOLDER / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
    write(path, notebook)
    return seconds


def find(names: list[str], root: Path = ROOT) -> list[Path]:
    """The notebooks named, as ``foundations/linear-model`` or by path; all of _toc.yml without a name.

    Raises:
        FileNotFoundError: if there is no such notebook; the message lists those there are.
    """
    if not names:
        return toc_notebooks(root)
    paths = []
    for name in names:
        stem = name.removesuffix(".ipynb").removeprefix("./").removeprefix("chapters/")
        path = root / "chapters" / f"{stem}.ipynb"
        if not path.is_file():
            known = ", ".join(chapter_name(p, root) for p in sorted((root / "chapters").rglob("*.ipynb")))
            raise FileNotFoundError(f"no notebook {name!r}; there are: {known}")
        paths.append(path)
    return paths


def execute_all(paths: list[Path], full: bool = False) -> list[str]:
    """Run notebooks one after the other and record the seconds; return the messages of those that failed."""
    sys.path.insert(0, str(ROOT))
    from utils import results
    from utils.device import get_device

    device, failures = get_device(), []
    kind = results.kind_of(device)
    for path in paths:
        name = chapter_name(path)
        before = results.forget(name, kind)  # an experiment that has a new name must not stay under both
        try:
            seconds = execute(path, full=full)
        except BaseException as error:
            results.restore(name, kind, before)  # a run that is not kept leaves no records either
            if not isinstance(error, NotebookFailed):
                raise
            failures.append(str(error))
            print(f"{name}: FAILED, left as it was", flush=True)
            continue
        results.record(name, "chapter time", {"seconds": seconds}, seconds=seconds, device=device, seed=0)
        print(f"{name}: {seconds:.1f} s", flush=True)
    return failures


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("names", nargs="*", metavar="name", help="such as foundations/linear-model")
    parser.add_argument("--full", action="store_true", help="full size; outputs go to _build/full")
    parser.add_argument("--check", action="store_true", help="run nothing, look for stale outputs")
    arguments = parser.parse_args()
    try:
        paths = find(arguments.names)
    except FileNotFoundError as error:
        sys.exit(f"execute: {error}")
    if arguments.check:
        stale = [chapter_name(path) for path in paths if is_stale(read(path))]
        failures = [
            f"{name}: outputs are not of this code; run `make execute CHAPTER={name}`" for name in stale
        ]
    else:
        os.environ.update(ENVIRONMENT | (FULL if arguments.full else SMALL))
        failures = execute_all(paths, arguments.full)
    if failures:
        sys.exit("\n" + "\n".join(failures))


if __name__ == "__main__":
    main()
