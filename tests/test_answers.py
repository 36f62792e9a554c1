"""The exercises' checks: the chapter's solution is right, and no wrong answer that we could think of is.

``tests/wrong_answers/<chapter>.py`` holds functions named ``<exercise>__<mistake>``. They stand in for the
reader's function in the chapter's own call of `check_answer`, with as much of the chapter run before as that
call needs.
"""

import ast
import re
import symtable
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
from address import after_setup  # noqa: E402
from notebooks import chapter_name, code_cells, read, toc_notebooks  # noqa: E402

FOLDER = Path(__file__).parent / "wrong_answers"
CHAPTERS = {chapter_name(path): path for path in toc_notebooks() if "back-matter" not in path.parts}
AT_LEAST = 3


def file_of(chapter: str) -> Path:
    """Where a chapter's wrong answers are."""
    return FOLDER / f"{chapter.partition('/')[2].replace('-', '_')}.py"


def names(statement: ast.stmt) -> tuple[set[str], set[str]]:
    """The names that a statement of a module gives a value, and those that it needs from the module."""

    def inside(table: symtable.SymbolTable) -> set[str]:
        own = {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
        return own.union(*map(inside, table.get_children()))

    module = symtable.symtable(ast.unparse(statement), "chapter", "exec")
    symbols = module.get_symbols()
    given = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported() or s.is_namespace()}
    needed = {s.get_name() for s in symbols if s.is_referenced()}
    return given, needed.union(*map(inside, module.get_children()))


@cache
def statements(chapter: str) -> list[tuple[ast.stmt, set[str], set[str]]]:
    """Every statement of a chapter's cells, in order, with the names it gives and needs."""
    first, *others = [cell.source for cell in code_cells(read(CHAPTERS[chapter]))]
    sources = [after_setup(first), *others]
    return [(node, *names(node)) for source in sources for node in ast.parse(source).body]


def calls(chapter: str) -> list[tuple[int, ast.Call, str]]:
    """(place, call, exercise) of each `check_answer` that a reader's function goes through first."""
    found, exercises = [], set()
    for place, (node, *_) in enumerate(statements(chapter)):
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "check_answer":
                used = [n.id for n in ast.walk(call.args[0]) if isinstance(n, ast.Name)]
                exercise = used[-1]  # of `walk_with(adamax)` the reader writes the last
                if exercise not in exercises:
                    found.append((place, call, exercise))
                exercises.add(exercise)
    return found


def before(chapter: str, place: int, wanted: set[str]) -> list[ast.stmt]:
    """The statements before a place that give the wanted names, with all that these need, in order."""
    every, chosen, open_names = statements(chapter), set(), [(name, place) for name in wanted]
    while open_names:
        name, end = open_names.pop()
        at = next((i for i in reversed(range(end)) if name in every[i][1]), None)
        if at is not None and at not in chosen:
            chosen.add(at)
            later = isinstance(every[at][0], (ast.FunctionDef, ast.ClassDef))  # looked up when it is called
            open_names += [(needed, place if later else at) for needed in every[at][2]]
    return [every[i][0] for i in sorted(chosen)]


@cache
def namespace(chapter: str, exercise: str) -> tuple[dict, str]:
    """What the call of `check_answer` needs, run, and the call itself."""
    place, call, _ = next(entry for entry in calls(chapter) if entry[2] == exercise)
    needed = {n.id for n in ast.walk(call) if isinstance(n, ast.Name)} - {exercise}
    space = {"__name__": "chapter"}
    tree = ast.Module(before(chapter, place, needed), type_ignores=[])
    exec(compile(tree, chapter, "exec"), space)
    return space, ast.unparse(call)


def verdict(chapter: str, exercise: str, answer: object) -> bool:
    """What the chapter's own check says of an answer."""
    space, call = namespace(chapter, exercise)
    return eval(call, space | {exercise: answer})


def wrong_answers() -> list[tuple[str, str]]:
    """(chapter, function) for all that the files define."""
    pattern = re.compile(r"^def (\w+__\w+)\(", re.M)
    files = {chapter: file_of(chapter) for chapter in CHAPTERS}
    return [
        (chapter, name)
        for chapter, file in files.items()
        if file.exists()
        for name in pattern.findall(file.read_text(encoding="utf-8"))
    ]


def test_every_exercise_has_wrong_answers_and_every_wrong_answer_an_exercise():
    exercises = {(chapter, exercise) for chapter in CHAPTERS for *_, exercise in calls(chapter)}
    written = [(chapter, name.partition("__")[0]) for chapter, name in wrong_answers()]
    assert set(written) == exercises, "files of tests/wrong_answers and exercises do not belong together"
    few = [entry for entry in exercises if written.count(entry) < AT_LEAST]
    assert not few, f"fewer than {AT_LEAST} wrong answers: {few}"
    files = {file_of(chapter) for chapter in CHAPTERS}
    assert set(FOLDER.glob("*.py")) <= files, "a file of wrong answers has no chapter"


@pytest.mark.parametrize("chapter, name", wrong_answers(), ids=lambda text: text)
def test_a_wrong_answer_is_refused(chapter: str, name: str, capsys: pytest.CaptureFixture):
    exercise, file = name.partition("__")[0], file_of(chapter)
    space = dict(namespace(chapter, exercise)[0])
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), space)
    assert verdict(chapter, exercise, space[name]) is False
    said = capsys.readouterr().out
    assert "not answered yet" not in said and "Hint: " in said
    assert "raises NameError" not in said and "raises ImportError" not in said  # faults of the file


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda text: text)
def test_the_solution_is_accepted(chapter: str):
    for _, _, exercise in calls(chapter):
        every = statements(chapter)
        end = max(i for i, (node, *_) in enumerate(every) if getattr(node, "name", "") == exercise) + 1
        space = dict(namespace(chapter, exercise)[0])
        tree = ast.Module(before(chapter, end, {exercise}), type_ignores=[])
        exec(compile(tree, chapter, "exec"), space)
        assert verdict(chapter, exercise, space[exercise]) is True
