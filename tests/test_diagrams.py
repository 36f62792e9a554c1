"""Schematics: well-formed, the same bytes everywhere, inside their canvas; faults are refused."""

import base64
import io
import math
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from test_plotting import contrast

from utils.diagrams import INK, MARGIN, ROLES, SIZE, SOFT, WIDEST, Diagram, Shape

ROOT = Path(__file__).resolve().parents[1]
ALT = "A drawing for the tests."
SVG = "{http://www.w3.org/2000/svg}"
PHONE = 342  # px that a phone leaves
WORDS = st.text(st.characters(codec="utf8", categories=("L", "N", "P", "S")), min_size=1, max_size=8)
ROLE = st.sampled_from(sorted(ROLES))
GAP = st.integers(0, 40)
SIDE = st.sampled_from(["above", "below", "right_of", "left_of"])
quick = settings(deadline=None, derandomize=True, max_examples=40)


def parse(diagram: Diagram) -> ET.Element:
    return ET.fromstring(diagram.svg())


def words(diagram: Diagram) -> list[str]:
    return ["".join(text.itertext()) for text in parse(diagram).iter(f"{SVG}text")]


def coordinates(path: str) -> list[tuple[float, float]]:
    """The corners of a path that is written with M, L and Z alone."""
    numbers = path.replace("M", " ").replace("L", " ").replace("Z", " ").split()
    return [(float(x), float(y)) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]


def drawn_arrow(diagram: Diagram) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """The corners of the only arrow: of its line, and of its head, the tip first."""
    line, head = (coordinates(path.get("d")) for path in parse(diagram).iter(f"{SVG}path"))
    return line, head


def everything() -> Diagram:
    """One of each shape."""
    d = Diagram('Each shape once, with -1 & a "quoted" <word> and 3 rows.')
    x, layer, add, y = d.row(("x_1", "(4,)", "data"), ("a <b> & c", "", "learned"), "+", "y", at=(-30, 5))
    d.arrow(d.middle(x, layer), add, "skip", around=-12)
    numbers = [[0, -1, None], [1.5, 0.25, 2], [3, 4, "w"]]
    windows, tint = {(1, 1, 2, 2): "learned"}, {(0, 0): "focus"}
    g = d.grid(numbers, "3 rows", below=x, shift=20, tint=tint, windows=windows)
    solid = d.block("maps", (64, 8, 8), "result", right_of=g)
    d.arrow(g, solid, "W_{xh}", "learned", dashed=True)
    d.mark(d.photo(np.arange(12).reshape(3, 4), 60, below=g).part(1, 0, 3, 2))
    d.text("two\nlines", "state", right_of=solid, anchor="start")
    d.line(g.cell(0, 0), solid, "faint")
    d.frame([x, layer], "× 6")
    return d


def test_it_is_well_formed_and_carries_its_alt_text():
    root = parse(everything())
    assert root.tag == f"{SVG}svg" and root.get("class") == "diagram"
    assert (root.get("role"), root.get("aria-label")) == ("group", everything().alt)
    assert everything()._repr_html_() == everything().svg()


def test_nothing_in_it_can_clash_on_a_page():
    for element in parse(everything()).iter():
        assert element.tag.removeprefix(SVG) in {"svg", "rect", "path", "text", "tspan", "image"}
        assert element.get("id") is None
        assert element.tag == f"{SVG}svg" or element.get("class") is None


def test_elements_stand_on_lines_of_their_own():
    lines = everything().svg().splitlines()
    assert all(line.startswith("<") and line.endswith(">") for line in lines)
    assert not any("</text><" in line or "/><" in line for line in lines)


def test_the_same_bytes_in_every_process():
    code = "import sys; from test_diagrams import everything; sys.stdout.write(everything().svg())"
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "PYTHONUTF8": "1"}
    environment["PYTHONHASHSEED"] = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.decode() == everything().svg()


def box_of(element: ET.Element) -> list[tuple[float, float]]:
    """Corners of what an element takes, the extent of words aside."""
    if element.tag in (f"{SVG}rect", f"{SVG}image"):
        x, y, width, height = (float(element.get(name)) for name in ("x", "y", "width", "height"))
        return [(x, y), (x + width, y + height)]
    if element.tag == f"{SVG}text":
        return [(float(element.get("x")), float(element.get("y")))]
    return coordinates(element.get("d")) if "H" not in element.get("d", "H") else []


@quick
@given(st.lists(st.tuples(WORDS, ROLE, SIDE, GAP, st.integers(-20, 20)), max_size=4), st.integers(-99, 99))
def test_everything_lies_inside_the_canvas(shapes: list, origin: int):
    with mock.patch("utils.diagrams.WIDEST", math.inf):  # its refusal has a test of its own
        d = Diagram(ALT)
        last = d.circle("+", at=(origin, origin))
        for text, role, side, gap, shift in shapes:
            new = d.box(text, "(2,)", role, **{side: last}, gap=gap, shift=shift)
            d.arrow(last, new, "h_t", role)
            d.arrow(last, new, around=gap - 20)
            last = new
    root = parse(d)
    left, top, width, height = map(float, root.get("viewBox").split())
    assert (root.get("width"), root.get("height")) == tuple(root.get("viewBox").split()[2:])
    for element in root:
        for x, y in box_of(element):
            assert left + MARGIN - 1 <= x <= left + width - MARGIN + 1
            assert top + MARGIN - 1 <= y <= top + height - MARGIN + 1


@quick
@given(WORDS)
def test_a_box_is_wider_than_its_words(text: str):
    d = Diagram(ALT)
    assert d.box(text, at=(0, 0)).x2 > d.text(text, at=(0, 0)).x2 * 2


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("h_t", [("h", None), ("t", "down")]),
        ("h_{t-1}, x_t", [("h", None), ("t−1", "down"), (", x", None), ("t", "down")]),
        ("W_{xh}", [("W", None), ("xh", "down")]),
        ("x^2", [("x", None), ("2", "up")]),
        ("QK^T", [("QK", None), ("T", "up")]),
        ("x_i^2", [("x", None), ("i", "down"), ("2", "up")]),
        ("10^{-3}", [("10", None), ("−3", "up")]),
        ("batch_size", [("batch_size", None)]),
        ("x_train", [("x_train", None)]),
        ("num_i", [("num_i", None)]),
        ("d_model", [("d_model", None)]),
        ("__init__", [("__init__", None)]),
        ("a - b = -27", [("a − b = −27", None)]),
        ("pre-norm 1-3", [("pre-norm 1-3", None)]),
    ],
)
def test_marks_after_single_letters_and_minus_signs(text: str, runs: list):
    d = Diagram(ALT)
    d.text(text, at=(0, 0))
    (element,) = parse(d).iter(f"{SVG}text")
    found, height = [(element.text, None)] if element.text else [], 0.0
    for span in element:
        height += float(span.get("dy", 0))
        found.append((span.text, "down" if height > 0 else "up" if height < 0 else None))
    assert found == runs


def test_words_fit_where_they_stand(browser):
    """In the font of this machine's browser: inside the canvas, and inside their box."""
    page = browser.new_page()
    page.set_content(everything().svg())
    outside = page.evaluate("""() => {
        const canvas = document.querySelector("svg"), within = (a, b) =>
            a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom;
        const boxes = [...canvas.querySelectorAll("rect[rx='6']")].map(e => e.getBoundingClientRect());
        return [...canvas.querySelectorAll("text")].filter(text => {
            const room = text.getBoundingClientRect();
            const box = boxes.find(b => room.left < b.right && room.right > b.left &&
                (room.top + room.bottom) / 2 < b.bottom && (room.top + room.bottom) / 2 > b.top);
            return !within(room, box ?? canvas.getBoundingClientRect());
        }).map(text => text.textContent);
    }""")
    page.close()
    assert outside == []


def test_on_the_page_it_fits_a_phone_and_is_dark_in_the_dark(browser):
    plain = Diagram(ALT)
    plain.box("x", width=440, at=(0, 0))
    style = (ROOT / "book" / "static" / "style.css").read_text(encoding="utf8")
    page = browser.new_page(viewport={"width": PHONE, "height": 600})
    body = f'<div class="bd-content"><div class="cell_output">{plain.svg()}{everything().svg()}</div></div>'
    page.set_content(f'<html data-theme="light"><style>{style}</style><body style="margin:0">{body}')
    look = """() => [...document.querySelectorAll("svg.diagram")].map(e =>
        [e.getBoundingClientRect().width, getComputedStyle(e).filter.includes("invert")])"""
    (wide, light), (_, light_photo) = page.evaluate(look)
    page.evaluate("() => { document.documentElement.dataset.theme = 'dark'; }")
    (_, dark), (_, dark_photo) = page.evaluate(look)
    page.close()
    assert wide == PHONE and (light, light_photo) == (False, False)
    assert (dark, dark_photo) == (True, False)  # a photograph keeps its colours


def test_numbers_in_cells_are_typeset():
    d = Diagram(ALT)
    d.grid([[1.0, -0.5, 1 / 3], [-math.inf, 7, None], ["-1", np.float32(0.1), -0.001]], at=(0, 0))
    d.grid([[torch.tensor(2.5), torch.tensor(-3)]], at=(0, 100))
    assert words(d) == ["1", "−0.5", "0.33", "−∞", "7", "−1", "0.1", "0", "2.5", "−3"]


@pytest.mark.parametrize("kind", [np.array, torch.tensor, list])
def test_a_grid_takes_lists_arrays_and_tensors(kind: type):
    d = Diagram(ALT)
    grid = d.grid(kind([[1, 2, 3], [4, 5, 6]]), at=(0, 0))
    assert words(d) == ["1", "2", "3", "4", "5", "6"]
    assert (grid.x2, grid.y2) == (3 * 28, 2 * 28)
    assert grid.cell(1, 2).center == (70, 42) and grid.cell(0, 1, 2, 2).center == (56, 28)


def test_cells_are_as_wide_as_their_words():
    d = Diagram(ALT)
    grid = d.grid([["embedding", 1]], at=(0, 0))
    text = d.text("embedding", at=(0, 0))
    assert grid.cell(0, 0).x2 > text.x2 - text.x1
    assert grid.cell(0, 0).x2 == grid.x2 / 2


@quick
@given(st.integers(-200, 200), st.integers(-200, 200), st.booleans(), st.booleans())
def test_arrows_begin_and_end_on_outlines(x: int, y: int, round_a: bool, round_b: bool):
    if abs(x) < 60 and abs(y) < 60:
        return  # the shapes would overlap
    d = Diagram(ALT)
    a = d.circle("×", at=(0, 0)) if round_a else d.box("a", at=(-18, -15))
    b = d.circle("+", at=(x, y)) if round_b else d.box("b", at=(x - 18, y - 15))
    middle = d.arrow(a, b)
    line, (tip, *_) = drawn_arrow(d)
    for shape, (px, py) in ((a, line[0]), (b, tip)):
        if shape.round:
            assert math.dist(shape.center, (px, py)) == pytest.approx(13, abs=0.1)
        else:
            upright_or_level = px == line[0][0] == tip[0] or py == line[0][1] == tip[1]
            assert upright_or_level or (px, py) in [shape.left, shape.right, shape.top, shape.bottom]
            assert shape.x1 <= px <= shape.x2 and shape.y1 <= py <= shape.y2
            assert px in (shape.x1, shape.x2) or py in (shape.y1, shape.y2)
    assert middle == pytest.approx(((line[0][0] + tip[0]) / 2, (line[0][1] + tip[1]) / 2), abs=0.11)


def test_an_arrow_to_a_narrow_shape_stands_upright():
    d = Diagram(ALT)
    wide = d.box("wide", width=200, at=(0, 0))
    narrow = d.circle("+", at=(30, 80))
    d.arrow(wide, narrow)
    line, (tip, *_) = drawn_arrow(d)
    assert (line[0], tip) == ((30, 30), (30, 67))


@pytest.mark.parametrize("around", [-14, 9])
def test_a_bypass_passes_all_that_stands_between(around: int):
    d = Diagram(ALT)
    low, wide, high = d.row("low", "much wider", "high", towards="up", at=(0, 0), arrows=False)
    aside = d.box("aside", right_of=wide, gap=60)
    d.arrow(low, high, around=around)
    line, (tip, *_) = drawn_arrow(d)
    way = wide.x1 + around if around < 0 else wide.x2 + around
    ends = (low.left, high.left) if around < 0 else (low.right, high.right)
    assert (line[0], tip) == ends
    assert [x for x, _ in line[1:3]] == pytest.approx([way, way], abs=0.05) and way < aside.x1


def test_a_bypass_of_a_row_is_above_it():
    d = Diagram(ALT)
    x, tall, add = d.row("x", "two\nlines", "+", at=(0, 0), arrows=False)
    d.arrow(d.middle(x, tall), add, around=-10)
    line, (tip, *_) = drawn_arrow(d)
    assert line[0] == pytest.approx(d.middle(x, tall), abs=0.05) and tip == add.top
    assert [y for _, y in line[1:3]] == pytest.approx([tall.y1 - 10] * 2, abs=0.05)


@pytest.mark.parametrize("shift", [-5, 5])
def test_a_pair_of_arrows_has_room_and_its_labels_stand_outside(shift: int):
    d = Diagram(ALT)
    a, b = d.row("a", "b", at=(0, 0), gap=60, arrows=False)
    d.arrow(a, b, "there", shift=shift)
    line, (tip, *_) = drawn_arrow(d)
    assert (line[0], tip) == ((a.x2, a.right[1] + shift), (b.x1, b.left[1] + shift))
    label = next(text for text in parse(d).iter(f"{SVG}text") if text.text == "there")
    assert (float(label.get("y")) > a.right[1]) == (shift > 0)
    assert a.x2 < float(label.get("x")) < b.x1


def test_a_label_prefers_a_level_piece_that_is_long_enough():
    d = Diagram(ALT)
    d.arrow((0, 0), (80, 100), "word", via=[(0, -20), (80, -20)])
    (label,) = parse(d).iter(f"{SVG}text")
    assert float(label.get("x")) == 40 and float(label.get("y")) < -20
    d = Diagram(ALT)
    d.arrow((0, 0), (20, 100), "word", via=[(0, -20), (20, -20)])
    (label,) = parse(d).iter(f"{SVG}text")
    assert float(label.get("x")) > 20 and 0 < float(label.get("y")) < 100


def test_thick_lines_lie_beneath_shapes():
    d = Diagram(ALT)
    a, b = d.row("a", "b", at=(0, 0), arrows=False)
    d.line(a, b, width=9)
    assert [element.tag.removeprefix(SVG) for element in parse(d)] == ["path", "rect", "text", "rect", "text"]


def test_an_arrow_bends_where_it_is_told():
    d = Diagram(ALT)
    a, b = d.box("a", at=(0, 0)), d.box("b", at=(100, 100))
    middle = d.arrow(a, b, via=[(50, a.center[1]), (50, b.center[1])])
    line, (tip, *_) = drawn_arrow(d)
    assert line[:3] == [a.right, (50, a.center[1]), (50, b.center[1])] and tip == b.left
    assert middle == (50, (a.center[1] + b.center[1]) / 2)


def test_shapes_keep_their_distance_with_titles_and_words_below():
    d = Diagram(ALT)
    grid = d.grid([[1]], "title", at=(0, 0))
    assert d.box("up", above=grid, gap=10).y2 == grid.y1 - grid.over - 10 < -20
    solid = d.block("x", (3, 8, 8), below=grid, gap=10)
    under = d.grid([[2]], "title", below=solid, gap=10)
    assert solid.y1 == grid.y2 + 10 and under.y1 == solid.y2 + solid.under + 10 + under.over


def test_a_row_goes_in_four_directions():
    steps = {"right": (1, 0), "left": (-1, 0), "up": (0, -1), "down": (0, 1)}
    for towards, (x, y) in steps.items():
        d = Diagram(ALT)
        a, b = d.row("a", ("b", "(2,)", "data"), towards=towards, gap=20, at=(0, 0))
        assert np.sign(np.subtract(b.center, a.center)).tolist() == [x, y]
        assert max(a.x1 - b.x2, b.x1 - a.x2, a.y1 - b.y2, b.y1 - a.y2) == 20
    first, second = d.row(b, "+", towards="right")
    assert first is b and second.round


def test_deeper_tensors_are_drawn_deeper():
    d = Diagram(ALT)
    few, many = d.block("x", (3, 32, 32), at=(0, 0)), d.block("x", (64, 32, 32), at=(100, 0))
    small = d.block("x", (64, 4, 4), at=(200, 0))
    assert few.x2 - few.x1 < many.x2 - many.x1 and small.y2 - small.y1 < many.y2 - many.y1
    assert words(d)[1] == "(3, 32, 32)"


def picture(diagram: Diagram) -> np.ndarray:
    """The pixels of the only photo."""
    (image,) = parse(diagram).iter(f"{SVG}image")
    kind, code = image.get("href").split(",")
    assert kind in ("data:image/png;base64", "data:image/jpeg;base64")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(code))))


def test_photos_keep_their_pixels():
    d = Diagram(ALT)
    colour = torch.arange(24, dtype=torch.uint8).reshape(3, 2, 4)
    photo = d.photo(colour, 40, at=(0, 0))
    assert np.array_equal(picture(d), colour.permute(1, 2, 0)) and (photo.x2, photo.y2) == (40, 20)
    corner = photo.part(2, 1, 4, 2)
    assert (corner.x1, corner.y1, corner.x2, corner.y2) == (20, 10, 40, 20)
    d = Diagram(ALT)
    d.photo(np.float32([[0, 0.5, 1]]), 30, at=(0, 0))
    assert picture(d).tolist() == [[255, 128, 0]]  # ink is dark
    d = Diagram(ALT)
    d.photo(np.ones((60, 90, 3)) * [1, 0, 0.2], 30, at=(0, 0))
    assert picture(d).shape == (20, 30, 3)
    assert np.abs(picture(d).astype(int) - [255, 0, 51]).max() < 4  # JPEG


def test_words_can_be_read():
    for role in ROLES.values():
        assert contrast(role.word, role.fill) >= 4.5 and contrast(role.word, "white") >= 4.5  # WCAG 1.4.3
        assert contrast(role.line, "white") >= 3  # WCAG 1.4.11
        assert contrast(INK, role.fill) >= 7 and contrast(SOFT, role.fill) >= 4.5
    shown = [name for name in ROLES if name not in ("focus", "plain")]
    assert len({ROLES[name].line for name in shown}) == len(shown)
    assert SIZE * PHONE / 430 >= 11


def two_grids() -> Diagram:
    d = Diagram("A sum of 12 and -3 products.")
    d.grid([[12]], at=(0, 0))
    return d


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda d: d.box("x", role="input", at=(0, 0)), "expected a role of data, .*'input'"),
        (lambda d: d.arrow((0, 0), (9, 9), role="red"), "'red'"),
        (lambda d: d.grid([[1]], windows={(0, 0, 1, 1): "red"}, at=(0, 0)), "'red'"),
        (lambda d: d.box("x"), "expected one of at, .*got none"),
        (lambda d: d.box("x", at=(0, 0), above=Shape(0, 0, 1, 1)), "got at and above"),
        (lambda d: d.grid([[1, 2], [3]], at=(0, 0)), r"\[2, 1\]"),
        (lambda d: d.grid([1, 2], at=(0, 0)), "rows"),
        (lambda d: d.grid([], at=(0, 0)), "rows"),
        (lambda d: d.grid([[1, 2]], windows={(0, 1, 1, 2): "data"}, at=(0, 0)), "columns 1 to 3"),
        (lambda d: d.grid([[1, 2]], tint={(1, 0): "data"}, at=(0, 0)), "rows 1 to 2"),
        (lambda d: d.grid([[1, 2]], at=(0, 0)).cell(0, -1), "columns -1 to 0"),
        (lambda d: d.grid([[1, 2]], at=(0, 0)).cell(0, 0, 0, 1), "rows 0 to 0"),
        (lambda d: d.box("x", at=(0, 0)).part(0, 0, 2, 1), "columns 0 to 2"),
        (lambda d: d.block("x", (8, 8), at=(0, 0)), r"\(8, 8\)"),
        (lambda d: d.block("x", (0, 8, 8), at=(0, 0)), r"\(0, 8, 8\)"),
        (lambda d: d.photo(np.zeros((2, 3, 4)), 20, at=(0, 0)), r"\(2, 3, 4\)"),
        (lambda d: d.photo(np.zeros((0, 4)), 20, at=(0, 0)), r"\(0, 4\)"),
        (lambda d: d.text("x", anchor="left", at=(0, 0)), "'left'"),
        (lambda d: d.frame([]), "none"),
        (lambda d: d.row("a", "b", towards="north", at=(0, 0)), "'north'"),
        (lambda d: d.box("x", width=500, at=(0, 0)), "at most 470 px, got 514"),
        (lambda d: [d.box("x", at=(x, 0)) for x in (0, 600)], "at most 470 px"),
        (lambda d: d.svg(), "empty"),
        (lambda d: Diagram("A box alone"), "four words"),
        (lambda d: two_grids().svg(), "says −3,"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, message: str):
    with pytest.raises(ValueError, match=message):
        draw(Diagram(ALT))


def test_a_misspelt_place_is_refused():
    with pytest.raises(TypeError, match="rightof"):
        Diagram(ALT).box("x", rightof=Shape(0, 0, 1, 1))


def test_the_widest_drawing_fits():
    d = Diagram(ALT)
    d.box("x", width=WIDEST - 2 * MARGIN - 2, at=(0, 0))
    assert float(parse(d).get("width")) == WIDEST


@quick
@given(st.lists(st.integers(-99, 99), min_size=1, max_size=4), st.integers(-999, 999))
def test_numbers_of_the_alt_text_stand_in_the_drawing(values: list[int], other: int):
    d = Diagram("The numbers are " + " and ".join(map(str, values)) + f", not {other}.")
    d.grid([values], at=(0, 0))
    if other in values:
        assert parse(d).get("aria-label") == d.alt
    else:
        with pytest.raises(ValueError, match="alt text"):
            d.svg()
