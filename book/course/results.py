"""The directive ``{course-results}``: recorded figures as tables, one a chapter."""

import json
import sys
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

LOGGER = logging.getLogger(__name__)
KINDS = {"cpu": "CPU", "cuda": "GPU", "mps": "Apple GPU"}
KINDS |= {f"{kind}-full": f"{name}, full size" for kind, name in KINDS.items()}
ALWAYS_SHOWN = ("cpu", "cuda")
BENCH = "bench-cpu.json"
Experiments = dict[str, dict[str, dict]]  # experiment to kind of run to record


def read_records(folder: Path) -> dict[str, list[dict]]:
    """Kind of run to its records; a malformed file warns, and counts as empty."""
    from utils import results

    records = {}
    for kind in KINDS:
        try:
            records[kind] = results.load(kind, folder)
        except ValueError as error:
            LOGGER.warning("results: %s", error, type="course", subtype="results")
            records[kind] = []
    return records


def format_value(name: str, value: float | None) -> str:
    """A figure for the table: accuracies in per cent, the rest to four digits, a dash for none."""
    if value is None:
        return "–"
    if name.endswith("accuracy"):
        return f"{100 * value:.2f} %"
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e9 else f"{value:.4g}"


def make_table(header: list[str], rows: list[list[str]]) -> nodes.table:
    """A plain table with one header row."""
    group = nodes.tgroup("", cols=len(header))
    group.extend(nodes.colspec(colwidth=1) for _ in header)
    head, body = nodes.thead(), nodes.tbody()
    for part, lines in ((head, [header]), (body, rows)):
        for line in lines:
            entries = [nodes.entry("", nodes.paragraph("", text)) for text in line]
            part.append(nodes.row("", *entries))
    group.extend([head, body])
    return nodes.table("", group, classes=["results"])


def table_rows(found: dict[str, dict], kinds: list[str]) -> list[list[str]]:
    """The rows of one experiment, a metric each and its time last; ``found`` maps kinds to records."""
    title = next(iter(found.values()))["experiment"]
    names = list(dict.fromkeys(name for record in found.values() for name in record["metrics"]))
    names = [name for name in names if name != "seconds"]  # of a whole chapter: the row of its time says it
    rows = []
    for name in names:
        notes = next((r["notes"][name] for r in found.values() if name in r["notes"]), None)
        values = [found[k]["metrics"].get(name) if k in found else None for k in kinds]
        rows.append([name, format_value(name, notes), *(format_value(name, value) for value in values)])
    seconds = [f"{found[k]['seconds']:.1f} s" if k in found else "–" for k in kinds]
    rows.append(["time", "–", *seconds])
    return [[title if i == 0 else "", *row] for i, row in enumerate(rows)]


def chapter_title(source: Path, chapter: str) -> str:
    """The heading of a chapter's notebook; its name if there is no such notebook."""
    path = source / "chapters" / f"{chapter}.ipynb"
    if not path.exists():
        return chapter
    cells = json.loads(path.read_text(encoding="utf8"))["cells"]
    lines = "".join(cells[0]["source"]).splitlines() if cells else []
    return next((line[2:].strip() for line in lines if line.startswith("# ")), chapter)


def link_to(chapter: str, text: str) -> nodes.Node:
    """A reference to a chapter's page."""
    link = addnodes.pending_xref(
        "", refdomain="std", reftype="doc", reftarget=f"/chapters/{chapter}", refexplicit=True, refwarn=True
    )
    link += nodes.inline("", text)
    return link


def bench_section(path: Path) -> list[nodes.section]:
    """The table of `make bench`, as benchmarks/train_loop.py wrote it; nothing if it was never run."""
    if not path.exists():
        return []
    try:
        report = json.loads(path.read_text(encoding="utf8"))
        machine, rows = report["machine"], []
        for row in report["rows"]:
            ratio = "{median:.2f} ({low:.2f} to {high:.2f})".format(**row["ratio"])
            seconds = [f"{row[name]:.2f} s" for name in ("median_seconds", "median_cpu_seconds")]
            rows.append([row["name"], ratio, *seconds, format_value("accuracy", row["test_accuracy"])])
        text = (
            f"One epoch of the first convolutional network on {report['digits']:,} digits, in batches of "
            f"{report['batch_size']}. Medians of {report['repeats']} rounds, in which the ways take turns. "
            f"The ratio is wall time over that of the bare loops before and after, with the lowest and the "
            f"highest round. Written by "
            f"make bench on {machine['processor']} ({machine['device_name']}), {report['date']}."
        )
    except (ValueError, KeyError, TypeError) as error:
        LOGGER.warning("results: expected a report of make bench in %s: %r", path, error, type="course")
        return []
    label = "results-bench"
    section = nodes.section("", nodes.title("", "The training loop"), ids=[label], names=[label])
    section += make_table(["Way", "Ratio", "Wall time", "CPU time", "Test accuracy"], rows)
    section += nodes.paragraph("", text, classes=["recorded"])
    return [section]


class CourseResults(SphinxDirective):
    """Every record of the folder ``results``: a section a chapter, with a table."""

    def run(self) -> list[nodes.Node]:
        folder = Path(self.env.srcdir) / "results"
        for kind in KINDS:
            self.env.note_dependency(str(folder / f"{kind}.json"))
        self.env.note_dependency(str(folder / BENCH))
        records = read_records(folder)
        kinds = [kind for kind in KINDS if kind in ALWAYS_SHOWN or records[kind]]
        made: list[nodes.Node] = [
            nodes.paragraph("", f"No run on this kind of device is recorded yet: {KINDS[kind]}.")
            for kind in kinds
            if not records[kind]
        ]
        chapters: dict[str, Experiments] = {}
        for kind in kinds:
            for record in records[kind]:
                chapter = chapters.setdefault(record["chapter"], {})
                chapter.setdefault(record["experiment"], {})[kind] = record
        listed = (Path(self.env.srcdir) / "_toc.yml").read_text(encoding="utf8")
        names = sorted(chapters, key=lambda name: listed.find(f"chapters/{name}"))  # the book's order
        made += [self.make_section(name, chapters[name], kinds) for name in names]
        return made + bench_section(folder / BENCH)

    def make_section(self, chapter: str, found: Experiments, kinds: list[str]) -> nodes.section:
        """The section of a chapter: its table, a link to it, and where and when it was recorded."""
        title = chapter_title(Path(self.env.srcdir), chapter)
        label = "results-" + chapter.replace("/", "-")
        section = nodes.section("", nodes.title("", title), ids=[label], names=[label])
        kinds = [k for k in kinds if k in ALWAYS_SHOWN or any(k in runs for runs in found.values())]
        order = sorted(found, key=lambda experiment: experiment == "chapter time")  # that one last
        rows = [row for experiment in order for row in table_rows(found[experiment], kinds)]
        section += make_table(["Experiment", "Figure", "Notes", *(KINDS[kind] for kind in kinds)], rows)
        runs = {
            f"{KINDS[kind]}: {record['device_name']}, {record['date']}"
            for experiment in found.values()
            for kind, record in experiment.items()
        }
        text = "Recorded on " + "; ".join(sorted(runs)) + ". The chapter: "
        section += nodes.paragraph("", text, link_to(chapter, title), classes=["recorded"])
        return section


def setup(app: Sphinx) -> None:
    sys.path.insert(0, str(app.confdir))  # for utils
    app.add_directive("course-results", CourseResults)
