"""Run notebooks under other arithmetic and other seeds, and say which assertion of which cell falls where.

    python scripts/shake.py                         all notebooks: 3 kinds of arithmetic, 1 and 2 threads
    python scripts/shake.py convnets/resnet         the ones named
    python scripts/shake.py --shifts 1000 2000      own arithmetic, all seeds raised by 1000, by 2000

Another processor adds in another order, and training multiplies the difference. What falls here would fall on
somebody's machine. Nothing is kept: no output, no record. A cell that raises does not stop its notebook.
"""

import argparse
import itertools
import os
import re
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from execute import CELL_SECONDS, ENVIRONMENT, SMALL, TERMINAL_COLOURS, client, find
from nbformat import NotebookNode
from notebooks import cell_place, chapter_name, code_cells, read

# Instructions of torch's kernels, of oneDNN's and of MKL's. NumPy and SciPy keep their own: OpenBLAS, told by
# OPENBLAS_CORETYPE to be a Haswell's, dies with a protection fault on an EPYC with AVX-512.
ARITHMETIC = {
    "default": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "COMPATIBLE",
    },
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_CBWR": "AVX2",
    },
    "native": {},
}
ARROW = re.compile(r"-+> *\d+ (.*)")  # the line of a traceback at which the error was raised
Run = tuple[str, int, int]  # arithmetic, threads, shift of the seeds
RUNS = [(kind, threads, 0) for threads in (1, 2) for kind in ARITHMETIC]


def name_of(run: Run) -> str:
    """``native, 2 threads`` or ``native, 1 thread, seeds + 1000``."""
    arithmetic, threads, shift = run
    text = f"{arithmetic}, {threads} thread{'s' if threads > 1 else ''}"
    return f"{text}, seeds + {shift}" if shift else text


def environment(run: Run) -> dict[str, str]:
    """What the kernel's environment has beside ours. Threads sleep when idle: they share the cores."""
    arithmetic, threads, shift = run
    return (
        os.environ
        | ENVIRONMENT
        | SMALL
        | ARITHMETIC[arithmetic]
        | {"COURSE_RECORD": "0", "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
        | {"COURSE_SEED_SHIFT": str(shift)}
    )


def falls(notebook: NotebookNode) -> list[tuple[str, str]]:
    """(cell, what it says) for each error in the outputs: the line that raised, and the error's words."""
    found = []
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if output.output_type == "error":
                trace = TERMINAL_COLOURS.sub("", "\n".join(output.traceback))
                lines = ARROW.findall(trace)
                words = f"{output.ename}: {output.evalue}".rstrip(": ").partition("\n")[0][:160]
                found.append((cell_place(notebook, cell), f"{lines[0].strip() if lines else ''}  ({words})"))
    return found


def run_notebook(path: Path, run: Run) -> tuple[NotebookNode, float]:
    """The notebook with the outputs of this run, errors among them, and the seconds it took."""
    notebook, start = read(path), time.perf_counter()
    client(notebook, path.parent, timeout=2 * CELL_SECONDS, allow_errors=True).execute(env=environment(run))
    return notebook, time.perf_counter() - start


def shake(paths: list[Path], runs: list[Run], cores: int) -> dict[tuple[str, str, str], list[str]]:
    """(chapter, cell, words) to the runs in which it fell; a line for each notebook is printed as it ends."""
    found = defaultdict(list)

    def one(job: tuple[Run, Path]) -> None:
        run, path = job
        try:
            notebook, seconds = run_notebook(path, run)
            fallen = falls(notebook)
        except Exception as error:  # a dead kernel, or a cell without end: the others go on
            fallen, seconds = [("", f"{type(error).__name__}: {error}")], float("nan")
        for place, words in fallen:
            found[chapter_name(path), place, words].append(name_of(run))
        print(f"{name_of(run)}: {chapter_name(path)}: {seconds:.0f} s, {len(fallen)} fell", flush=True)

    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(one, itertools.product(runs, paths)))
    return found


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("names", nargs="*", metavar="name", help="such as foundations/linear-model")
    parser.add_argument("--shifts", nargs="+", type=int, default=[], help="shifted seeds, own arithmetic")
    arguments = parser.parse_args()
    try:
        paths = find(arguments.names)
    except FileNotFoundError as error:
        sys.exit(f"shake: {error}")
    runs = [("native", 1, shift) for shift in arguments.shifts] or RUNS
    found = shake(paths, runs, os.cpu_count() or 1)
    for (chapter, place, words), where in sorted(found.items()):
        print(f"\n{chapter}, {place}: {words}\n    fell in: {'; '.join(where)}")
    print(f"\n{len(paths)} notebooks, {len(runs)} runs of each: {len(found)} assertions fell")
    if found:
        sys.exit(1)


if __name__ == "__main__":
    main()
