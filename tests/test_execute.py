"""scripts/execute.py and scripts/address.py: runs that are equal, failures that leave the notebook alone."""

import os
import sys
from pathlib import Path

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
import address  # noqa: E402
import execute  # noqa: E402
import notebooks  # noqa: E402

PLOT_AND_WIDGET = """\
import anywidget, ipywidgets, matplotlib.pyplot as plt, traitlets
from utils.plotting import use_style

class Counter(anywidget.AnyWidget):
    _esm = "export default {render() {}}"
    value = traitlets.Int(3).tag(sync=True)

use_style()
unseen = ipywidgets.IntSlider()
figure, axis = plt.subplots()
axis.plot([1, 2])
plt.show()
Counter()"""


def make(root: Path, *sources: str, name: str = "foundations/small") -> Path:
    """A notebook of code cells under ``root``, with metadata that another program left."""
    cells = [new_markdown_cell("# A title", id="title")]
    cells += [
        new_code_cell(source, id=f"code-{i}", metadata={"tags": ["check"], "collapsed": True})
        for i, source in enumerate(sources)
    ]
    path = root / "chapters" / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(
        new_notebook(
            cells=cells,
            metadata={"colab": {"name": "x"}, "kernelspec": {"display_name": "Old", "name": "old"}},
        ),
        path,
    )
    return path


def test_two_runs_are_byte_identical_and_clean(tmp_path: Path) -> None:
    setup = f"import sys\nsys.path.insert(0, {str(ROOT)!r})"
    path = make(
        tmp_path,
        setup,
        PLOT_AND_WIDGET,
        "import os\nprint(os.environ['COURSE_RECORD'], os.path.basename(os.getcwd()))",
    )
    assert execute.execute(path, tmp_path) > 0
    first = path.read_bytes()
    execute.execute(path, tmp_path)
    assert path.read_bytes() == first

    notebook = notebooks.read(path)
    assert set(notebook.metadata) == {"kernelspec", "language_info", "course", "widgets"}
    assert not notebooks.is_stale(notebook)
    cells = notebooks.code_cells(notebook)
    assert [cell.execution_count for cell in cells] == [1, 2, 3]
    assert [cell.id for cell in notebook.cells] == ["title", "code-0", "code-1", "code-2"]
    assert all(set(cell.metadata) <= {"tags"} for cell in notebook.cells)
    assert cells[2].outputs[0].text == "1 foundations\n"
    assert cells[1].outputs[-1].data["text/plain"] == "An interactive figure."
    state = notebook.metadata.widgets[notebooks.WIDGET_STATE]["state"]
    shown = cells[1].outputs[-1].data[notebooks.WIDGET_VIEW]["model_id"]
    assert state[shown]["state"]["value"] == 3
    names = {model["model_name"] for model in state.values()}
    assert names == {"AnyModel", "LayoutModel"}, "the slider that is not shown is left out"
    assert not list(path.parent.glob(".*")), "no temporary file is left"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys; print('late', file=sys.stderr)", "writes to stderr: 'late'"),
        ("import warnings; warnings.warn('old')", "UserWarning"),
        ("print('FutureWarning: this changes')", "shows a warning"),
        ("object()", "shows an object's address"),
        ("import os; print(os.getcwd())", "shows a path of this machine"),
        ("import os; os.kill(os.getpid(), 9)", "the kernel died"),
        ("import time; time.sleep(60)", "runs longer than"),
        ("", "is a code cell empty?"),
    ],
)
def test_a_run_not_fit_to_keep_leaves_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    monkeypatch.setattr(execute, "CELL_SECONDS", 2 if "sleep" in source else 30)
    path = make(tmp_path, "print('fine')", source)
    before = path.read_bytes()
    with pytest.raises(execute.NotebookFailed) as raised:
        execute.execute(path, tmp_path)
    assert message in str(raised.value)
    assert "foundations/small: " in str(raised.value)
    assert "id code-1" in str(raised.value) or not source
    assert path.read_bytes() == before and os.listdir(path.parent) == ["small.ipynb"]


def test_a_full_size_run_leaves_the_notebook_and_its_outputs_lie_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "FULL_FOLDER", tmp_path / "full")
    path = make(tmp_path, "import os\nprint(os.environ['COURSE_FULL'])")
    before = path.read_bytes()
    execute.execute(path, tmp_path, full=True)
    assert path.read_bytes() == before
    apart = notebooks.read(tmp_path / "full" / "foundations" / "small.ipynb")
    assert [cell.outputs[0].text for cell in notebooks.code_cells(apart)] == ["1\n"]


@pytest.mark.parametrize("fails", [True, False])
def test_records_are_those_of_a_run_that_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    from utils import results

    monkeypatch.setattr(results, "FOLDER", tmp_path)
    monkeypatch.setenv("COURSE_RECORD", "1")
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    given = {"seconds": 1, "device": torch.device("cpu"), "seed": 0}
    results.record("part/one", "its old name", {"loss": 1}, **given)

    def run(path: Path, full: bool) -> float:
        results.record("part/one", "its new name", {"loss": 2}, **given)
        results.record("part/two", "of a run beside it", {"loss": 3}, **given)
        if fails:
            raise execute.NotebookFailed("part/one fails late")
        return 3.0

    monkeypatch.setattr(execute, "execute", run)
    failures = execute.execute_all([ROOT / "chapters" / "part" / "one.ipynb"])
    names = [record["experiment"] for record in results.load("cpu", tmp_path)]
    kept = ["its old name"] if fails else ["chapter time", "its new name"]
    assert names == [*kept, "of a run beside it"]
    assert failures == (["part/one fails late"] if fails else [])


def test_notebooks_are_found_by_name_and_path_and_in_the_order_of_the_toc(tmp_path: Path) -> None:
    first, second = make(tmp_path, "1", name="a/one"), make(tmp_path, "2", name="b/two")
    (tmp_path / "chapters/about.md").write_text("# About\n")
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nparts:\n- caption: B\n  chapters:\n  - file: chapters/b/two\n"
        "    sections:\n    - file: chapters/about\n- caption: A\n  chapters:\n  - file: chapters/a/one\n"
    )
    assert notebooks.toc_files(tmp_path) == ["index", "chapters/b/two", "chapters/about", "chapters/a/one"]
    assert execute.find([], tmp_path) == [second, first]
    assert execute.find(["a/one", "chapters/b/two.ipynb"], tmp_path) == [first, second]
    with pytest.raises(FileNotFoundError, match="no notebook 'a/three'; there are: a/one, b/two"):
        execute.find(["a/three"], tmp_path)


def test_the_digest_knows_the_code_and_its_order_and_nothing_else(tmp_path: Path) -> None:
    notebook = notebooks.read(make(tmp_path, address.setup_cell("", "main"), "a = 1", "b = 2"))
    before = notebooks.digest(notebook)
    notebook.cells[0].source = "# Another title"
    notebook.cells[1].source = address.setup_cell("https://example.org/course", "v1")
    notebook.cells[2].outputs = [nbformat.v4.new_output("stream", text="out")]
    assert notebooks.digest(notebook) == before
    notebook.cells[2:] = notebook.cells[:1:-1]
    assert notebooks.digest(notebook) != before
    notebook.cells[2:] = notebook.cells[:1:-1]
    notebook.cells[3].source += "  "
    assert notebooks.digest(notebook) != before
    assert notebooks.is_stale(notebook)


def test_stamping_writes_the_address_and_keeps_the_outputs(tmp_path: Path) -> None:
    old = address.setup_cell("", "main").replace("import sys", "import sys  # an older form of the cell")
    path = make(tmp_path, old, "print(1)")
    notebook = notebooks.read(path)
    notebook.cells[2].outputs = [nbformat.v4.new_output("stream", text="1\n")]
    notebook.metadata["course"] = {"digest": notebooks.digest(notebook)}
    notebooks.write(path, notebook)
    assert address.stamp(path, "https://example.org/course", "v1")
    assert not address.stamp(path, "https://example.org/course", "v1"), "a second time changes nothing"
    stamped = notebooks.read(path)
    assert 'COURSE, REVISION = "https://example.org/course", "v1"' in stamped.cells[1].source
    assert stamped.cells[2] == notebook.cells[2]
    assert not notebooks.is_stale(stamped)

    stamped.cells[2].source = "print(2)"
    notebooks.write(path, stamped)
    address.stamp(path, "", "main")
    assert notebooks.is_stale(notebooks.read(path)), "stamping does not hide that outputs are stale"
    with pytest.raises(ValueError, match="does not begin with the setup cell"):
        address.stamp(make(tmp_path, "print(1)", name="b/two"), "", "main")


def test_the_address_is_written_into_the_configuration_and_nothing_else_is(tmp_path: Path) -> None:
    text = '# title\ntitle: x\n\nrepository:\n  url: ""   # the address\n  branch: main\nurl: other\n'
    (tmp_path / "_config.yml").write_text(text)
    address.write_address("https://example.org/course", "v1.0", tmp_path)
    assert address.read_address(tmp_path) == ("https://example.org/course", "v1.0")
    expected = text.replace('""   #', '"https://example.org/course"   #').replace(
        "branch: main", 'branch: "v1.0"'
    )
    assert (tmp_path / "_config.yml").read_text() == expected
    (tmp_path / "_config.yml").write_text("title: x\n")
    with pytest.raises(ValueError, match="block 'repository:'"):
        address.write_address("", "main", tmp_path)


@pytest.mark.parametrize(
    ("url", "revision", "message"),
    [
        ("git@example.org:course", "main", "address like"),
        ("https://example.org/a b", "main", "address like"),
        ("https://example.org/$(reboot)", "main", "address like"),
        ("https://example.org/course", "-x", "a branch, a tag"),
        ("https://example.org/course", "v1;reboot", "a branch, a tag"),
        ("https://example.org/course", "1a2b3c4d", "full 40 digits"),
    ],
)
def test_an_address_that_would_not_work_is_refused(url: str, revision: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        address.check_address(url, revision)


def test_an_address_is_brought_to_one_form() -> None:
    assert address.check_address("https://example.org/course.git", "v1") == (
        "https://example.org/course",
        "v1",
    )
    assert address.check_address("", "main") == ("", "main")
