"""The anatomy of a chapter, as rules. Each failure names the file, the cell and the mend.

The second half breaks a good notebook in one place at a time and sees that the rule meant for it fires.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
import notebooks  # noqa: E402
from address import after_setup, read_address, setup_cell  # noqa: E402
from notebooks import CELL_METADATA, METADATA, WIDGET_VIEW, code_cells, digest, toc_files  # noqa: E402

CODE_LINES, SETUP_LINES, EXERCISES, BULLETS = 25, 45, 3, 5
GLANCE = ("Time", "Data", "Builds on", "Mirrors")
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
LAST_SECTIONS = ("Going deeper", "Summary", "Exercises", "References")
NOTES = re.compile(r"\bNotes [A-E]\b|\b[Tt]he (study )?notes\b")
DIRECTIVE = re.compile(
    r"^(?P<fence>[`:]{3,})\{(?P<name>(?:exercise|solution)(?:-start|-end)?)\} *(?P<argument>[^\n]*)\n"
    r"(?P<body>.*?)^(?P=fence)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
FENCE = re.compile(r"^([`:~]{3,}).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
FORBIDDEN_CODE = {
    r"manual_seed\(|torch\.Generator\(|RandomState|(default_rng|random\.Random)\((?!shifted)": (
        "seed with `seed_everything`, `new_generator` or `shifted`, so that `make shake` can shift all seeds"
    ),
    r"\.cuda\(": "write `.to(device)`, so that the chapter also runs on a CPU",
    r"^\s*[%!]|\bpip install\b": "no shell and no magic: what a chapter imports is in requirements.in",
    r"\bprint\([^\n]*(__file__|\bcwd\(|Path\(|_dir\b|_path\b|\bFOLDER\b)": "print no path of the machine",
    r"^\s*(from|import) +chapters\b|\.ipynb\b": "move what two chapters need into utils",
}


@dataclass
class Chapter:
    """A notebook of the book; ``name`` as in ``foundations/linear-model``."""

    name: str
    notebook: NotebookNode

    @property
    def is_lesson(self) -> bool:
        """Whether this is a chapter under a part, and not back matter."""
        return not self.name.startswith("back-matter/")

    @property
    def markdown(self) -> list[NotebookNode]:
        """The markdown cells, in order."""
        return [cell for cell in self.notebook.cells if cell.cell_type == "markdown"]

    def say(self, cell: NotebookNode | None, fault: str) -> str:
        """A message that begins with the file and, where there is one, the cell."""
        place = f" {notebooks.cell_place(self.notebook, cell)}" if cell else ""
        return f"chapters/{self.name}.ipynb:{place} {fault}"


Rule = Callable[[Chapter], Iterator[str]]


def tags(cell: NotebookNode) -> set[str]:
    """The tags of a cell."""
    return set(cell.metadata.get("tags", []))


def is_picture(output: NotebookNode) -> bool:
    """Whether an output is a plot or a schematic of `utils.diagrams`."""
    data = output.get("data", {})
    return any(kind.startswith("image/") for kind in data) or 'class="diagram"' in data.get("text/html", "")


def drawing_labels(output: NotebookNode) -> list[str]:
    """The alt texts of the drawings of `utils.diagrams` in an output."""
    drawings = re.findall(r'<svg class="diagram"[^>]*>', output.get("data", {}).get("text/html", ""))
    return [(re.search(r'aria-label="([^"]*)"', drawing) or ["", ""])[1] for drawing in drawings]


def outputs_belong_to_the_code(chapter: Chapter) -> Iterator[str]:
    if notebooks.is_stale(chapter.notebook):
        yield chapter.say(None, f"outputs are not of this code: run `make execute CHAPTER={chapter.name}`")


def cells_are_counted(chapter: Chapter) -> Iterator[str]:
    for number, cell in enumerate(code_cells(chapter.notebook), 1):
        if cell.execution_count != number:
            fault = f"has the count {cell.execution_count}, expected {number}: run `make execute`"
            yield chapter.say(cell, fault)


def outputs_are_clean(chapter: Chapter) -> Iterator[str]:
    for cell, fault in notebooks.output_faults(chapter.notebook, ROOT):
        yield chapter.say(cell, f"{fault}: mend the code, then run `make execute`")


def metadata_is_the_course_s(chapter: Chapter) -> Iterator[str]:
    metadata = chapter.notebook.metadata
    extra = set(metadata) - set(METADATA) - {"course", "widgets"}
    if extra or any(metadata.get(key) != value for key, value in METADATA.items()):
        yield chapter.say(None, f"metadata is not the course's ({sorted(metadata)}): run `make execute`")
    for cell in chapter.notebook.cells:
        if unknown := set(cell.metadata) - CELL_METADATA:
            yield chapter.say(
                cell, f"has the metadata {sorted(unknown)}: run `make execute`, which removes it"
            )


def ids_are_unique(chapter: Chapter) -> Iterator[str]:
    seen = set()
    for cell in chapter.notebook.cells:
        if cell.get("id") in seen:
            yield chapter.say(cell, "has the id of an earlier cell: give it another")
        seen.add(cell.get("id"))


def it_opens_with_its_title(chapter: Chapter) -> Iterator[str]:
    titles = [cell for cell in chapter.markdown for _ in re.findall(r"^# ", FENCE.sub("", cell.source), re.M)]
    first = chapter.notebook.cells[0]
    if not (first.cell_type == "markdown" and first.source.startswith("# ")):
        yield chapter.say(first, "is not the title: begin with `# Title` and three or four sentences")
    for cell in titles[1:]:
        yield chapter.say(cell, "has a second `# ` heading: use `## `")
    opening = FENCE.sub("", first.source.partition("\n")[2])
    if len(re.findall(r"[.?!:](?=\s|$)", opening)) < 2:
        yield chapter.say(
            first, "has no opening: three or four sentences, the question and what the reader gets"
        )


def it_is_summed_up_at_a_glance(chapter: Chapter) -> Iterator[str]:
    if not chapter.is_lesson:
        return
    first = chapter.notebook.cells[0]
    missing = [word for word in GLANCE if f"**{word}**" not in first.source]
    if not re.search(r"^:class: at-a-glance$", first.source, re.M) or missing:
        yield chapter.say(first, f"needs an admonition of class at-a-glance with {', '.join(GLANCE)}")


def the_setup_cell_is_the_one_of_all_chapters(chapter: Chapter) -> Iterator[str]:
    cells, setup = code_cells(chapter.notebook), setup_cell(*read_address(ROOT))
    if not cells or not f"{cells[0].source}\n".startswith(f"{setup}\n"):
        place = cells[0] if cells else None
        yield chapter.say(place, "has not the setup for the address in _config.yml: run `make address`")


def figures_are_described(chapter: Chapter) -> Iterator[str]:
    names = set()
    for cell in code_cells(chapter.notebook):
        count = sum(map(is_picture, cell.outputs))
        labels = [label for output in cell.outputs for label in drawing_labels(output)]
        mystnb = cell.metadata.get("mystnb", {})
        alt, figure = mystnb.get("image", {}).get("alt", ""), mystnb.get("figure", {})
        if ("schematic" in tags(cell)) != (len(labels) == 1):
            fault = f"shows {len(labels)} drawings of utils.diagrams and has the tags {sorted(tags(cell))}"
            yield chapter.say(cell, f"{fault}: the tag `schematic` and one drawing go together")
        if not count:
            continue
        if count > 1:
            yield chapter.say(cell, f"shows {count} figures: one a cell, so that each has its own caption")
        if len((labels[0] if labels else alt).split()) < 4:
            mend = 'Diagram("...")' if labels else '{"mystnb": {"image": {"alt": "..."}}} in its metadata'
            yield chapter.say(cell, f"needs an alt text: {mend}")
        if not figure.get("caption"):
            yield chapter.say(
                cell, 'needs a caption: {"mystnb": {"figure": {"caption": "..."}}} in its metadata'
            )
        name = figure.get("name", "")
        if not name.startswith("fig-") or name in names:
            yield chapter.say(cell, f'needs a name of its own, "fig-...", in mystnb.figure; it has {name!r}')
        names.add(name)


def widgets_are_followed_by_what_to_try(chapter: Chapter) -> Iterator[str]:
    cells = chapter.notebook.cells
    for cell, after in zip(cells, [*cells[1:], None], strict=True):
        shown = any(WIDGET_VIEW in output.get("data", {}) for output in cell.get("outputs", []))
        if shown and (after is None or after.cell_type != "markdown"):
            yield chapter.say(
                cell, "shows an interactive figure: follow it with a sentence that says what to try"
            )


def directives(chapter: Chapter) -> Iterator[tuple[NotebookNode, re.Match]]:
    """(cell, match) for every exercise and solution directive, in order."""
    for cell in chapter.markdown:
        for match in DIRECTIVE.finditer(cell.source):
            yield cell, match


def exercises_have_solutions(chapter: Chapter) -> Iterator[str]:
    exercises, solved = {}, {}
    for cell, match in directives(chapter):
        if match["name"] in ("exercise", "exercise-start"):
            label = re.search(r"^:label: *(\S+)", match["body"], re.M)
            if not label or match["argument"]:
                yield chapter.say(
                    cell, "has an exercise with a title or without `:label:`: label it, no title"
                )
            else:
                exercises[label[1]] = cell
        elif match["name"] in ("solution", "solution-start"):
            solved[match["argument"].strip()] = cell
            if not re.search(r"^:class:.*\bdropdown\b", match["body"], re.M):
                yield chapter.say(cell, "has a solution that is not folded: add `:class: dropdown`")
    for label in sorted(exercises.keys() - solved.keys()):
        yield chapter.say(exercises[label], f"has the exercise {label} without a solution: write one")
    for label in sorted(solved.keys() - exercises.keys()):
        yield chapter.say(solved[label], f"solves the exercise {label!r}, which is not in this chapter")
    if chapter.is_lesson and len(exercises) < EXERCISES:
        yield chapter.say(None, f"has {len(exercises)} exercises, expected at least {EXERCISES}")


def solutions_are_run(chapter: Chapter) -> Iterator[str]:
    inside, opened = False, None
    for cell in chapter.notebook.cells:
        if cell.cell_type == "code" and inside and not cell.execution_count:
            yield chapter.say(cell, "belongs to a solution and was not run: run `make execute`")
        if cell.cell_type != "markdown":
            continue
        for match in DIRECTIVE.finditer(cell.source):
            if match["name"] in ("solution-start", "solution-end"):
                if inside == (match["name"] == "solution-start"):
                    yield chapter.say(cell, f"has {match['name']} out of turn: each start needs its end")
                inside, opened = match["name"] == "solution-start", cell
            elif match["name"] == "solution" and re.search(
                r"^ *[`:]{3,}(\{code|python)", match["body"], re.M
            ):
                yield chapter.say(
                    cell, "has code that is never run: put it in a cell, inside solution-start/-end"
                )
    if inside:
        yield chapter.say(opened, "has a solution-start without its solution-end")


def checks_assert(chapter: Chapter) -> Iterator[str]:
    checks = [cell for cell in code_cells(chapter.notebook) if "check" in cell.metadata.get("tags", [])]
    if chapter.is_lesson and not checks:
        yield chapter.say(None, "has no cell tagged `check`: compare what it builds with what others wrote")
    for cell in checks:
        if not re.search(r"\bassert\b|\b(assert_\w+|agree)\(", cell.source):
            yield chapter.say(cell, "is tagged `check` and asserts nothing")


def cells_are_short(chapter: Chapter) -> Iterator[str]:
    for number, cell in enumerate(code_cells(chapter.notebook)):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        limit = CODE_LINES if number else SETUP_LINES
        if len(lines) > limit:
            yield chapter.say(
                cell, f"has {len(lines)} lines of code, at most {limit}: split it, or move plumbing to utils"
            )


def code_runs_anywhere(chapter: Chapter) -> Iterator[str]:
    for number, cell in enumerate(code_cells(chapter.notebook)):
        source = cell.source if number else after_setup(cell.source)  # the setup may call git
        for pattern, mend in FORBIDDEN_CODE.items():
            if found := re.search(pattern, source, re.M):
                yield chapter.say(cell, f"has {found.group().strip()!r}: {mend}")


def it_ends_with_summary_and_references(chapter: Chapter) -> Iterator[str]:
    if not chapter.is_lesson:
        return
    last = chapter.notebook.cells[-1]
    if not re.search(r"^## References\n.*^```\{bibliography\}", last.source, re.M | re.S):
        yield chapter.say(last, "is not the references: end with `## References` and a {bibliography}")
    summary = next((cell for cell in chapter.markdown if re.search(r"^## Summary$", cell.source, re.M)), None)
    part = summary.source.partition("## Summary")[2].partition("\n## ")[0] if summary else ""
    bullets = len(re.findall(r"^[-*] ", part, re.M))
    if not 1 <= bullets <= BULLETS:
        yield chapter.say(summary, f"has a `## Summary` of {bullets} bullets, expected 1 to {BULLETS}")


def folded_cells_are_folded_in_jupyterlab(chapter: Chapter) -> Iterator[str]:
    for cell in code_cells(chapter.notebook):
        folded = FOLDED & set(cell.metadata.get("tags", []))
        if bool(folded) != bool(cell.metadata.get("jupyter", {}).get("source_hidden")):
            mend = '{"jupyter": {"source_hidden": true}} goes with hide-input, hide-cell and their like'
            yield chapter.say(cell, f"is not folded on the page and in JupyterLab alike: {mend}")


def the_title_names_the_subject_first(chapter: Chapter) -> Iterator[str]:
    title = chapter.notebook.cells[0].source.partition("\n")[0]
    if chapter.is_lesson and not re.fullmatch(r"# [^:]+: \S.*", title):
        yield chapter.say(chapter.notebook.cells[0], 'needs a title like "# Gradient descent: downhill"')


def setup_and_imports_are_one_folded_cell(chapter: Chapter) -> Iterator[str]:
    first, *others = code_cells(chapter.notebook)
    if "hide-input" not in first.metadata.get("tags", []) or "import " not in after_setup(first.source):
        yield chapter.say(first, "must hold setup and imports, with the tag hide-input")
    for cell in others:
        if re.search(r"^(from [\w.]+ )?import ", cell.source, re.M) and not FOLDED & tags(cell):
            yield chapter.say(cell, "imports something: that belongs to the first code cell, or is folded")


def plots_and_schematics_are_folded(chapter: Chapter) -> Iterator[str]:
    for cell in code_cells(chapter.notebook):
        drawn = [output for output in cell.outputs if is_picture(output)]
        if drawn and not FOLDED & tags(cell):
            yield chapter.say(cell, "draws: fold it with the tag hide-input; what is shown stays")


def it_has_a_map_and_a_mistake(chapter: Chapter) -> Iterator[str]:
    seen = {tag for cell in code_cells(chapter.notebook) for tag in tags(cell)}
    for tag, what in (("schematic", "a drawing of the thing itself"), ("mistake", "a common mistake, run")):
        if tag not in seen:
            yield chapter.say(None, f"has no cell with the tag {tag}: {what}")


def it_goes_deeper_at_the_end(chapter: Chapter) -> Iterator[str]:
    headings = re.findall(r"^## (.*)$", "\n".join(cell.source for cell in chapter.markdown), re.M)
    last = [heading for heading in headings if heading in LAST_SECTIONS]
    if last != list(LAST_SECTIONS) or headings[-len(LAST_SECTIONS) :] != last:
        yield chapter.say(None, f"must end with the sections {', '.join(LAST_SECTIONS)}; it has {last}")


def classes_are_shown_as_they_are_written(chapter: Chapter) -> Iterator[str]:
    for cell in code_cells(chapter.notebook):
        if "getsource" in cell.source:
            yield chapter.say(cell, "prints the source of a helper: write it out, or leave it in utils")


def the_notes_are_named_at_a_glance_alone(chapter: Chapter) -> Iterator[str]:
    for cell in chapter.notebook.cells:
        text = cell.source + json.dumps(cell.metadata, ensure_ascii=False)
        if cell is chapter.notebook.cells[0]:
            text = re.sub(r"^- \*\*Mirrors\*\*.*$", "", text, flags=re.M)
        if found := NOTES.search(text):
            yield chapter.say(cell, f"speaks of {found.group()!r}: readers have not seen them")


RULES: list[Rule] = [
    outputs_belong_to_the_code,
    cells_are_counted,
    outputs_are_clean,
    metadata_is_the_course_s,
    ids_are_unique,
    it_opens_with_its_title,
    it_is_summed_up_at_a_glance,
    the_setup_cell_is_the_one_of_all_chapters,
    figures_are_described,
    widgets_are_followed_by_what_to_try,
    exercises_have_solutions,
    solutions_are_run,
    checks_assert,
    cells_are_short,
    code_runs_anywhere,
    it_ends_with_summary_and_references,
    folded_cells_are_folded_in_jupyterlab,
    the_title_names_the_subject_first,
]
# What makes the shape "teach first, prove second".
SHAPE: list[Rule] = [
    setup_and_imports_are_one_folded_cell,
    plots_and_schematics_are_folded,
    it_has_a_map_and_a_mistake,
    it_goes_deeper_at_the_end,
    classes_are_shown_as_they_are_written,
    the_notes_are_named_at_a_glance_alone,
]
# Chapters that are not yet re-made in it. The list only shrinks.
OLD_SHAPE = {
    "foundations/linear-model",
    "foundations/gradient-descent",
    "foundations/backpropagation",
    "foundations/linear-regression",
    "foundations/logistic-regression",
    "foundations/softmax-classification",
    "training/multilayer-perceptron",
    "training/optimizers",
    "convnets/first-cnn",
    "convnets/resnet",
    "sequences/text-and-language-models",
    "sequences/gated-networks",
    "sequences/sequence-to-sequence",
    "attention/attention",
    "attention/self-attention",
    "attention/bert-pretraining",
    "attention/bert-fine-tuning",
}
NAMES = [notebooks.chapter_name(path) for path in notebooks.toc_notebooks()]


@pytest.mark.parametrize("name", NAMES)
def test_chapter(name: str) -> None:
    chapter = Chapter(name, notebooks.read(ROOT / "chapters" / f"{name}.ipynb"))
    shape = SHAPE if chapter.is_lesson and name not in OLD_SHAPE else []
    faults = [fault for rule in (*RULES, *shape) for fault in rule(chapter)]
    assert not faults, "\n" + "\n".join(faults)


@pytest.mark.parametrize("name", sorted(OLD_SHAPE))
def test_a_chapter_of_the_old_shape_has_not_the_new_one(name: str) -> None:
    chapter = Chapter(name, notebooks.read(ROOT / "chapters" / f"{name}.ipynb"))
    assert any(True for rule in SHAPE for _ in rule(chapter)), f"{name} is re-made: take it off OLD_SHAPE"


def disagreements(root: Path) -> list[str]:
    """What _toc.yml lists and the disk lacks, and the other way round."""
    listed = [name for name in toc_files(root) if name.startswith("chapters/")]
    paths = [p for p in (root / "chapters").rglob("*") if p.suffix in (".ipynb", ".md")]
    visible = [p.relative_to(root) for p in paths if not any(part.startswith(".") for part in p.parts[-3:])]
    there = [path.with_suffix("").as_posix() for path in visible]
    faults = [
        f"_toc.yml lists {name}, which is not there: write it or take it out"
        for name in set(listed) - set(there)
    ]
    faults += [f"{name} is not in _toc.yml: list it or delete it" for name in set(there) - set(listed)]
    faults += [f"{name} is there twice: once is enough" for name in set(there) if there.count(name) > 1]
    return sorted(faults + [f"_toc.yml lists {n} twice" for n in set(listed) if listed.count(n) > 1])


def test_contents_and_disk_agree() -> None:
    faults = disagreements(ROOT)
    assert not faults, "\n" + "\n".join(faults)


# The rules themselves.

OPENING = """\
# Counting: a small chapter

What is two? We count. At the end you know.

```{admonition} At a glance
:class: at-a-glance
- **Time**: a second
- **Data**: none
- **Builds on**: nothing
- **Mirrors**: nothing
```"""
QUESTION = "```{{exercise}}\n:label: ex-{0}\nWhat is {0}?\n```\n\n"
EXERCISE = QUESTION + "```{{solution}} ex-{0}\n:class: dropdown\nA number.\n```"
GATED = QUESTION + "```{{solution-start}} ex-{0}\n:class: dropdown\n```"
END = "```{solution-end}\n```"
ENDING = "## Going deeper\n\n### Three\n\n## Summary\n\n- Two is two.\n\n## Exercises\n\n"
ALT = "A rising line from zero to one."


def good_chapter() -> Chapter:
    """A chapter without a fault, as execution would leave it."""
    picture = new_output("display_data", {"image/svg+xml": "<svg></svg>", "text/plain": "<Figure>"})
    widget = new_output(
        "display_data", {WIDGET_VIEW: {"model_id": "1"}, "text/plain": "An interactive figure."}
    )
    figure = {"image": {"alt": ALT}, "figure": {"caption": "It rises.", "name": "fig-line"}}
    folded = {"tags": ["hide-input"], "jupyter": {"source_hidden": True}}
    box = '<svg class="diagram" role="group" aria-label="The map: a box alone."></svg>'
    drawing = new_output("execute_result", {"text/html": box, "text/plain": "<Diagram>"}, execution_count=7)
    schematic = {"tags": ["hide-input", "schematic"], "jupyter": {"source_hidden": True}}
    schematic["mystnb"] = {"figure": {"caption": "The map.", "name": "fig-map"}}
    setup = f"{setup_cell(*read_address(ROOT))}\n\nimport math"
    cells = [
        new_markdown_cell(OPENING),
        new_code_cell(setup, metadata=deepcopy(folded)),
        new_code_cell("two = 1 + 1", metadata={"tags": ["mistake"]}),
        new_code_cell("assert two == 2\nprint('agreed')", metadata={"tags": ["check"]}),
        new_code_cell("plt.show()", metadata=deepcopy(folded) | {"mystnb": figure}, outputs=[picture]),
        new_code_cell("display(Counter())", outputs=[widget]),
        new_markdown_cell("Move the slider."),
        new_markdown_cell(ENDING + EXERCISE.format("one")),
        new_markdown_cell(EXERCISE.format("two") + "\n\n" + GATED.format("three")),
        new_code_cell("print(3)"),
        new_markdown_cell(END),
        new_code_cell("drawing", metadata=schematic, outputs=[drawing]),
        new_markdown_cell("## References\n\n```{bibliography}\n:filter: docname in docnames\n```"),
    ]
    notebook = new_notebook(cells=cells, metadata=deepcopy(METADATA))
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    for number, cell in enumerate(code_cells(notebook), 1):
        cell.execution_count = number
    notebook.metadata["course"] = {"digest": digest(notebook)}
    return Chapter("foundations/small", notebook)


def fired(chapter: Chapter) -> dict[str, list[str]]:
    """The names of the rules that find a fault, with their messages."""
    found = {rule.__name__: list(rule(chapter)) for rule in (*RULES, *SHAPE)}
    return {name: messages for name, messages in found.items() if messages}


def test_the_good_chapter_is_good() -> None:
    assert fired(good_chapter()) == {}


def replace(index: int, old: str, new: str) -> Callable[[NotebookNode], None]:
    """A mutation: replace text in the source of a cell, and keep the digest fresh."""

    def mutate(notebook: NotebookNode) -> None:
        assert old in notebook.cells[index].source
        notebook.cells[index].source = notebook.cells[index].source.replace(old, new)
        notebook.metadata.course.digest = digest(notebook)

    return mutate


def output(index: int, text: str, name: str = "stdout") -> Callable[[NotebookNode], None]:
    """A mutation: add printed text to a cell."""
    return lambda notebook: notebook.cells[index].outputs.append(new_output("stream", text=text, name=name))


def mystnb(index: int, group: str, **values: str) -> Callable[[NotebookNode], None]:
    """A mutation: change what a cell's metadata says of its figure."""
    return lambda notebook: notebook.cells[index].metadata.mystnb[group].update(values)


def set_(index: int, key: str, value: object) -> Callable[[NotebookNode], None]:
    """A mutation: set a field of a cell."""
    return lambda notebook: notebook.cells[index].update({key: value})


def error_output(notebook: NotebookNode) -> None:
    notebook.cells[2].outputs.append(new_output("error", ename="ValueError", evalue="no", traceback=[]))


def html_path(notebook: NotebookNode) -> None:
    notebook.cells[2].outputs.append(new_output("display_data", {"text/html": f"<a href='{ROOT}'>"}))


def twin_figure(notebook: NotebookNode) -> None:
    notebook.cells[4].outputs *= 2


def relabelled(label: str) -> Callable[[NotebookNode], None]:
    """A mutation: another alt text in the drawing."""

    def mutate(notebook: NotebookNode) -> None:
        data = notebook.cells[11].outputs[0].data
        data["text/html"] = re.sub('aria-label="[^"]*"', f'aria-label="{label}"', data["text/html"])

    return mutate


def remove(index: int) -> Callable[[NotebookNode], None]:
    """A mutation: delete a markdown cell."""
    return lambda notebook: notebook.cells.pop(index) and None


BROKEN: list[tuple[str, Callable[[NotebookNode], None], str]] = [
    ("outputs_belong_to_the_code", set_(2, "source", "two = 3 - 1"), "make execute CHAPTER=f"),
    ("outputs_belong_to_the_code", lambda n: n.metadata.pop("course"), "make execute"),
    ("cells_are_counted", set_(3, "execution_count", 7), "count 7, expected 3"),
    ("outputs_are_clean", error_output, "raised ValueError: no"),
    ("outputs_are_clean", output(2, "careful", "stderr"), "writes to stderr: 'careful'"),
    ("outputs_are_clean", output(2, "x.py:1: UserWarning: old"), "shows a warning"),
    ("outputs_are_clean", output(2, f"{ROOT}/data"), "path of this machine"),
    ("outputs_are_clean", output(2, "/Users/someone/data"), "path of this machine"),
    ("outputs_are_clean", output(2, "<object at 0x7f0e2c8e7810>"), "object's address"),
    ("outputs_are_clean", html_path, "path of this machine"),
    ("metadata_is_the_course_s", lambda n: n.metadata.update(colab={}), "'colab'"),
    ("metadata_is_the_course_s", lambda n: n.metadata.language_info.update(version="3.11"), "make execute"),
    ("metadata_is_the_course_s", set_(2, "metadata", NotebookNode(collapsed=True)), "collapsed"),
    ("ids_are_unique", set_(3, "id", "cell-2"), "id of an earlier cell"),
    ("it_opens_with_its_title", replace(0, "# Counting", "Counting"), "begin with `# Title`"),
    ("it_opens_with_its_title", replace(6, "Move", "# Move"), "second `# ` heading"),
    ("it_opens_with_its_title", replace(0, "What is two? We count. At the end you know.", ""), "no opening"),
    ("it_is_summed_up_at_a_glance", replace(0, ":class: at-a-glance\n", ""), "at-a-glance"),
    ("it_is_summed_up_at_a_glance", replace(0, "**Mirrors**", "**Copies**"), "Mirrors"),
    ("the_setup_cell_is_the_one_of_all_chapters", replace(1, '"main"', '"other"'), "make address"),
    ("the_setup_cell_is_the_one_of_all_chapters", replace(1, "import sys\n", ""), "make address"),
    ("figures_are_described", mystnb(4, "image", alt="Figure"), "alt text"),
    ("figures_are_described", mystnb(4, "figure", caption=""), "caption"),
    ("figures_are_described", mystnb(4, "figure", name="line"), "fig-"),
    ("figures_are_described", twin_figure, "shows 2 figures"),
    ("figures_are_described", lambda n: n.cells[11].metadata.update(tags=[]), "go together"),
    ("figures_are_described", lambda n: n.cells[4].metadata.update(tags=["schematic"]), "shows 0 drawings"),
    ("figures_are_described", lambda n: n.cells[11].outputs.clear(), "shows 0 drawings"),
    ("figures_are_described", relabelled(""), 'Diagram("...")'),
    ("figures_are_described", relabelled("A box"), 'Diagram("...")'),
    ("figures_are_described", lambda n: n.cells[11].outputs.append(n.cells[11].outputs[0]), "2 drawings"),
    ("figures_are_described", mystnb(11, "figure", caption=""), "caption"),
    ("figures_are_described", mystnb(11, "figure", name="fig-line"), "name of its own"),
    ("widgets_are_followed_by_what_to_try", lambda n: n.cells.insert(6, new_code_cell("1")), "what to try"),
    ("exercises_have_solutions", replace(7, "{solution} ex-one", "{note} ex-one"), "without a solution"),
    ("exercises_have_solutions", replace(7, "{solution} ex-one", "{solution} ex-zero"), "'ex-zero'"),
    ("exercises_have_solutions", replace(7, ":class: dropdown\n", ""), "not folded"),
    ("exercises_have_solutions", replace(8, "ex-three\n:class: dropdown", "ex-three"), "not folded"),
    ("exercises_have_solutions", replace(7, "{exercise}", "{exercise} A title"), "no title"),
    ("exercises_have_solutions", replace(7, EXERCISE.format("one"), ""), "has 2 exercises"),
    ("solutions_are_run", remove(10), "without its solution-end"),
    ("solutions_are_run", replace(6, "Move the slider.", END), "out of turn"),
    ("solutions_are_run", set_(9, "execution_count", None), "was not run"),
    ("solutions_are_run", replace(7, "```{solution} ex-one\n:class: dropdown\nA number.\n```",
        "````{solution} ex-one\n:class: dropdown\n```python\n1\n```\n````"), "never run"),
    ("checks_assert", replace(3, "assert two == 2\n", ""), "asserts nothing"),
    ("checks_assert", set_(3, "metadata", NotebookNode()), "no cell tagged `check`"),
    ("cells_are_short", replace(2, "two = 1 + 1", "two = 1 + 1\n" * 26), "26 lines of code, at most 25"),
    ("cells_are_short", replace(1, "import math", "import math\n" * 36), "46 lines of code, at most 45"),
    ("code_runs_anywhere", replace(2, "1 + 1", "x.cuda()"), ".to(device)"),
    ("code_runs_anywhere", replace(2, "two", "%pip install x\ntwo"), "requirements.in"),
    ("code_runs_anywhere", replace(2, "two", "!ls\ntwo"), "requirements.in"),
    ("code_runs_anywhere", replace(2, "two", "print(cache_dir)\ntwo"), "print no path"),
    ("code_runs_anywhere", replace(2, "two", "from chapters import x\ntwo"), "into utils"),
    ("it_ends_with_summary_and_references", remove(12), "end with `## References`"),
    ("it_ends_with_summary_and_references", replace(7, "## Summary", "## End"), "0 bullets"),
    ("it_ends_with_summary_and_references", replace(7, "- Two is two.", "- Two.\n" * 6), "6 bullets"),
    ("folded_cells_are_folded_in_jupyterlab", lambda n: n.cells[1].metadata.pop("jupyter"), "source_hidden"),
    ("folded_cells_are_folded_in_jupyterlab", lambda n: n.cells[4].metadata.pop("tags"), "source_hidden"),
    ("the_title_names_the_subject_first", replace(0, "Counting: a", "A"), "needs a title like"),
    ("setup_and_imports_are_one_folded_cell", replace(1, "\n\nimport math", ""), "setup and imports"),
    ("setup_and_imports_are_one_folded_cell", lambda n: n.cells[1].metadata.pop("tags"), "hide-input"),
    ("setup_and_imports_are_one_folded_cell", replace(2, "two", "import os\ntwo"), "first code cell"),
    ("setup_and_imports_are_one_folded_cell", replace(2, "two", "from os import path\ntwo"), "first code"),
    ("plots_and_schematics_are_folded", lambda n: n.cells[4].metadata.pop("tags"), "hide-input"),
    ("it_has_a_map_and_a_mistake", lambda n: n.cells[2].metadata.pop("tags"), "tag mistake"),
    ("it_has_a_map_and_a_mistake", lambda n: n.cells[11].metadata.update(tags=["hide-input"]), "schematic"),
    ("it_goes_deeper_at_the_end", replace(7, "## Going deeper", "## More"), "Going deeper"),
    ("it_goes_deeper_at_the_end", replace(7, "### Three", "## Three"), "must end with"),
    ("classes_are_shown_as_they_are_written", replace(2, "1 + 1", "inspect.getsource(x)"), "in utils"),
    ("the_notes_are_named_at_a_glance_alone", replace(6, "Move", "As Notes C say, move"), "'Notes C'"),
    ("the_notes_are_named_at_a_glance_alone", mystnb(4, "image", alt="What the notes draw"), "'the notes'"),
    ("the_notes_are_named_at_a_glance_alone", replace(0, "What is two?", "Do the notes say?"), "notes"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "mutate", "message"), BROKEN, ids=[f"{b[0]}: {b[2]}" for b in BROKEN])
def test_each_fault_is_found_by_its_rule(rule: str, mutate: Callable, message: str) -> None:
    chapter = good_chapter()
    mutate(chapter.notebook)
    found = fired(chapter)
    assert rule in found, f"expected {rule} to find a fault, found {found}"
    assert any(message in text for text in found[rule]), found[rule]
    assert all(text.startswith("chapters/foundations/small.ipynb:") for text in found[rule])


def test_every_rule_is_broken_once() -> None:
    assert {rule.__name__ for rule in (*RULES, *SHAPE)} == {rule for rule, _, _ in BROKEN}


def test_back_matter_needs_no_exercises_and_no_box() -> None:
    chapter = good_chapter()
    chapter.name = "back-matter/errata"
    chapter.notebook.cells[0].source = "# What is wrong\n\nSome things are. We mend them."
    del chapter.notebook.cells[7:]
    chapter.notebook.metadata.course.digest = digest(chapter.notebook)
    assert [fault for rule in RULES for fault in rule(chapter)] == []


def test_contents_and_disk_are_compared_in_both_directions(tmp_path: Path) -> None:
    (tmp_path / "chapters" / "a" / ".ipynb_checkpoints").mkdir(parents=True)
    for name in ("one.ipynb", "two.md", ".ipynb_checkpoints/one-checkpoint.ipynb"):
        (tmp_path / "chapters" / "a" / name).touch()
    toc = "format: jb-book\nroot: index\nchapters:\n- file: chapters/a/one\n- file: chapters/a/three\n"
    (tmp_path / "_toc.yml").write_text(toc)
    missing, extra = disagreements(tmp_path)
    assert "_toc.yml lists chapters/a/three, which is not there" in missing
    assert "chapters/a/two is not in _toc.yml" in extra
