"""The few shapes from which chapters draw their schematics, as inline SVG whose words are real text.

Lengths are in pixels, y points downwards, and the canvas grows with what is drawn. Every shape takes
``at=(x, y)``, its top left corner (for a circle and for text: its centre), or one of ``above=``, ``below=``,
``right_of=``, ``left_of=`` another shape, with ``gap=`` between the two and ``shift=`` along the shared side.
It returns a `Shape`, which knows its ``left``, ``right``, ``top``, ``bottom`` and ``center``::

    d = Diagram("The input goes through a linear layer and a ReLU to the output.")
    x = d.box("x", "(4,)", "data", at=(0, 0))
    layer = d.box("linear", "(4, 3)", "learned", right_of=x)
    y = d.box("y", "(3,)", "result", right_of=layer, gap=50)
    d.arrow(x, layer)
    d.arrow(layer, y, "ReLU")
    d                                         # the last line of the cell shows it

What stands in a row can be drawn at once; a branch begins in the middle of an arrow::

    d = Diagram("What a block adds to its input goes through two convolutions.")
    x, first, second, add, y = d.row(
        ("x", "", "data"), ("conv", "", "learned"), ("conv", "", "learned"), "+", ("y", "", "result"), at=(0, 0)
    )
    d.arrow(d.middle(x, first), add, "identity", around=-14)  # 14 px above all that stands between
    d

Words: ``h_t``, ``W_{xh}`` and ``x^2`` become subscripts and superscripts, ``batch_size`` stays; ``\\n`` begins a
line. Roles have the same colours in all chapters: *data* blue, *learned* orange, *result* green, *state* and
*focus* violet, *faint* grey for what is masked or beside the point, *plain* grey on white for an operation. A
gradient has no colour of its own: it runs back along the same edges, so it is an arrow with ``dashed=True`` in the
colour of what it belongs to, which is also seen in greyscale.

A phone leaves 342 px: at 430 px wide words are 11 px high there. Aim for that, and stack what is long.
"""

import base64
import html
import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypedDict, Unpack

import matplotlib as mpl
import numpy as np
from matplotlib.ft2font import FT2Font
from matplotlib.image import imsave
from PIL import Image

from utils.plotting import BLUE, GREEN, GREY, ORANGE, PURPLE

Point = tuple[float, float]
WIDEST, MARGIN, SIZE = 470, 6, 14  # px; the size is that of all words
INK, SOFT = "#1c2126", "#565e67"
FONT = "system-ui, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"


class Role(NamedTuple):
    """Colours of an outline, of what it encloses and of words."""

    line: str
    fill: str
    word: str


ROLES = {
    "data": Role(BLUE, "#e8eff7", "#154577"),
    "learned": Role(ORANGE, "#fdf0e4", "#974806"),
    "result": Role(GREEN, "#e5f4ed", "#1c674d"),
    "state": Role(PURPLE, "#f2ebf7", "#5f397e"),
    "focus": Role(PURPLE, "#f2ebf7", "#5f397e"),
    "faint": Role("#8b939b", "#ffffff", SOFT),
    "plain": Role(GREY, "#ffffff", INK),
}


@dataclass(frozen=True)
class Shape:
    """Where a shape lies. ``left``, ``right``, ``top`` and ``bottom`` are the middles of its sides."""

    x: float
    y: float
    width: float = 0
    height: float = 0
    units: Point = (1, 1)  # what ``part`` counts in: a grid's columns and rows, a photo's pixels
    over: float = 0  # height of a title above
    under: float = 0  # height of words below
    round: bool = False

    @property
    def left(self) -> Point:
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> Point:
        return self.x + self.width, self.y + self.height / 2

    @property
    def top(self) -> Point:
        return self.x + self.width / 2, self.y

    @property
    def bottom(self) -> Point:
        return self.x + self.width / 2, self.y + self.height

    @property
    def center(self) -> Point:
        return self.x + self.width / 2, self.y + self.height / 2

    def part(self, x1: float, y1: float, x2: float, y2: float) -> "Shape":
        """The part between two corners, in pixels of a photo, in cells of a grid, else as shares from 0 to 1.

        Raises:
            ValueError: if it is empty or not inside.
        """
        columns, rows = self.units
        if not (0 <= x1 < x2 <= columns and 0 <= y1 < y2 <= rows):
            raise ValueError(
                f"expected a part inside columns 0 to {columns} and rows 0 to {rows}, "
                f"got columns {x1} to {x2} and rows {y1} to {y2}"
            )
        wide, high = self.width / columns, self.height / rows
        return Shape(self.x + x1 * wide, self.y + y1 * high, (x2 - x1) * wide, (y2 - y1) * high)

    def cell(self, i: int, j: int, rows: int = 1, cols: int = 1) -> "Shape":
        """The cell in row ``i`` and column ``j`` of a grid, or the window of several that begins there."""
        return self.part(j, i, j + cols, i + rows)


class Place(TypedDict, total=False):
    """Where a shape goes: ``at`` a point or beside one other shape."""

    at: Point
    above: Shape
    below: Shape
    right_of: Shape
    left_of: Shape
    gap: float
    shift: float


@cache
def _font() -> FT2Font:
    """DejaVu Sans, which comes with matplotlib and is wider than what most pages show."""
    font = FT2Font(str(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")))
    font.set_size(100, 72)
    return font


@cache
def _advance(sign: str) -> float:
    """Width of one sign, in heights of the font."""
    if unicodedata.east_asian_width(sign) in "WF":
        return 1.0
    return _font().load_char(ord(sign)).linearHoriAdvance / 6_553_600


MARK = re.compile(
    r"(?<=[\w})])([_^])\{([^}]+)\}|(?<=[\w})])(\^)(\w)(?!\w)|(?<=[^\W\d_])(?<!\w\w)(_)([^\W_])(?!\w)"
)
NUMBER = re.compile(r"(?:(?<![\w)\]])[-−])?\d+(?:[.,]\d+)*")


def _minus(words: str) -> str:
    """Hyphens before a number and between blanks are minus signs."""
    return re.sub(r"(?<![\w)\]])-(?=[\d.∞ ])", "−", words)


def _runs(words: str) -> list[tuple[str, str]]:
    """Words in runs, each with "_" for a subscript, "^" for a superscript or ""."""
    runs, end = [], 0
    for found in MARK.finditer(words):
        sign, mark = (group for group in found.groups() if group)
        runs += [(_minus(words[end : found.start()]), ""), (mark.replace("-", "−"), sign)]
        end = found.end()
    return [run for run in [*runs, (_minus(words[end:]), "")] if run[0]]


def _length(words: str, size: float = SIZE) -> float:
    """Width of a line of words in the widest font."""
    return sum(_advance(sign) * size * (0.75 if mark else 1) for run, mark in _runs(words) for sign in run)


def _n(value: float) -> str:
    """A coordinate with one decimal at most."""
    return f"{round(float(value), 1) + 0.0:g}"


def _path(points: Sequence[Point]) -> str:
    """The data of a path of straight lines."""
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points)


def _role(name: str) -> Role:
    if name not in ROLES:
        raise ValueError(f"expected a role of {', '.join(ROLES)}, got {name!r}")
    return ROLES[name]


def _shape(end: Shape | Point) -> Shape:
    """A point is a shape without extent."""
    return end if isinstance(end, Shape) else Shape(*end)


def _level(a: float, wide_a: float, b: float, wide_b: float) -> Point:
    """Where a line leaves ``a`` and meets ``b`` on their sides: straight where the narrower's middle allows it."""
    middle = a + wide_a / 2 if wide_a <= wide_b else b + wide_b / 2
    if max(a, b) <= middle <= min(a + wide_a, b + wide_b):
        return middle, middle
    return a + wide_a / 2, b + wide_b / 2


def _ends(a: Shape, b: Shape) -> list[Point]:
    """The two ends of a straight line, on the sides that face one another."""
    across = max(a.x - b.right[0], b.x - a.right[0])
    down = max(a.y - b.bottom[1], b.y - a.bottom[1])
    if down >= across:
        x1, x2 = _level(a.x, a.width, b.x, b.width)
        below = b.center[1] > a.center[1]
        ends = [(x1, (a.bottom if below else a.top)[1]), (x2, (b.top if below else b.bottom)[1])]
    else:
        y1, y2 = _level(a.y, a.height, b.y, b.height)
        beyond = b.center[0] > a.center[0]
        ends = [((a.right if beyond else a.left)[0], y1), ((b.left if beyond else b.right)[0], y2)]
    return [_rim(a, ends[0], ends[1]), _rim(b, ends[1], ends[0])]


def _rim(shape: Shape, end: Point, other: Point) -> Point:
    """Where a line to ``other`` leaves the shape: at ``end``, or on the rim of what is round."""
    (x, y), radius = shape.center, shape.width / 2
    distance = np.hypot(other[0] - x, other[1] - y)
    if not shape.round or distance == 0:
        return end
    return x + radius * (other[0] - x) / distance, y + radius * (other[1] - y) / distance


def _turned(shape: Shape) -> Shape:
    """Rows as columns."""
    return Shape(shape.y, shape.x, shape.height, shape.width)


def _bypass(a: Shape, b: Shape, others: Sequence[Shape], around: float) -> list[Point]:
    """From ``a`` to ``b``, past what lies between: above or left of it if ``around`` is negative."""
    if abs(b.center[0] - a.center[0]) > abs(b.center[1] - a.center[1]):
        points = _bypass(_turned(a), _turned(b), [_turned(other) for other in others], around)
        return [(y, x) for x, y in points]
    (x1, x2), (y1, y2) = sorted([a.center[0], b.center[0]]), sorted([a.center[1], b.center[1]])
    passed = [a, b]
    passed += [s for s in others if s.x <= x2 and s.right[0] >= x1 and s.y <= y2 and s.bottom[1] >= y1]
    if around < 0:
        start, end, x = a.left, b.left, min(s.x for s in passed) + around
    else:
        start, end, x = a.right, b.right, max(s.right[0] for s in passed) + around
    return [start, (x, start[1]), (x, end[1]), end]


def _middle(points: Sequence[Point]) -> tuple[Point, Point, Point]:
    """The longest piece of a way: its ends and its middle."""
    pieces = zip(points, points[1:], strict=False)
    a, b = max(pieces, key=lambda piece: round(np.hypot(piece[1][0] - piece[0][0], piece[1][1] - piece[0][1]), 3))
    return a, b, ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)


def _value(value: object) -> str:
    """A cell's words: whole numbers as they are, others to two decimals, "" for None."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, float) and np.isinf(value):
        return "∞" if value > 0 else "−∞"
    return _minus(f"{round(value, 2) + 0.0:g}" if isinstance(value, float) else str(value))


class Diagram:
    """A drawing, shown by Jupyter as inline SVG.

    Args:
        alt: what the drawing shows, for those who do not see it: four words at least. Its numbers must stand
            in the drawing.

    Raises:
        ValueError: if ``alt`` is shorter, if the drawing becomes wider than 470 px, or, when it is shown, if it is
            empty or a number of ``alt`` is not in it.
    """

    def __init__(self, alt: str) -> None:
        self.alt = " ".join(alt.split())
        if len(self.alt.split()) < 4:
            raise ValueError(f"expected an alt text of four words or more, got {alt!r}")
        self._elements: list[str] = []
        self._words: list[str] = []
        self._shapes: list[Shape] = []
        self._canvas = (np.inf, np.inf, -np.inf, -np.inf)

    # ---- Showing ----

    def svg(self) -> str:
        """The drawing as an ``<svg>`` element, the same bytes every time."""
        if not self._elements:
            raise ValueError("expected at least one shape, got an empty drawing")
        drawn = set(NUMBER.findall("\n".join(self._words)))
        missing = [n for n in NUMBER.findall(_minus(self.alt)) if n not in drawn]
        if missing:
            raise ValueError(f"the alt text says {', '.join(missing)}, which the drawing does not show")
        x1, y1, x2, y2 = self._canvas
        x, y = np.floor(x1) - MARGIN, np.floor(y1) - MARGIN
        size = f"{_n(np.ceil(x2) + MARGIN - x)} {_n(np.ceil(y2) + MARGIN - y)}"
        width, height = size.split()
        head = (
            f'<svg class="diagram" xmlns="http://www.w3.org/2000/svg" role="group" '
            f'aria-label="{html.escape(self.alt)}" width="{width}" height="{height}" '
            f'viewBox="{_n(x)} {_n(y)} {size}" style="background:#fff;max-width:100%;height:auto" '
            f'font-family="{FONT}" font-size="{SIZE}" text-anchor="middle" fill="{INK}" '
            'stroke-linejoin="round" paint-order="stroke">'
        )
        return "\n".join([head, *self._elements, "</svg>"])

    def _repr_html_(self) -> str:
        return self.svg()

    def _add(self, element: str, box: Shape, edge: float = 1) -> None:
        """Draw an element that takes the room of ``box`` and ``edge`` px more."""
        x1, y1, x2, y2 = self._canvas
        (right, _), (_, bottom) = box.right, box.bottom
        canvas = (
            *(min(x1, box.x - edge), min(y1, box.y - edge)),
            *(max(x2, right + edge), max(y2, bottom + edge)),
        )
        width = np.ceil(canvas[2]) - np.floor(canvas[0]) + 2 * MARGIN
        if width > WIDEST:
            raise ValueError(
                f"expected a drawing of at most {WIDEST} px, got {width:.0f}: a phone has 342, stack what is wide"
            )
        self._canvas = canvas
        self._elements.append(element)

    def _write(
        self, words: str, x: float, y: float, color: str = INK, anchor: str = "middle", *, size: float = SIZE,
        halo: bool = False,
    ) -> None:  # fmt: skip
        """One line of words, ``y`` its middle, on a white edge with ``halo``."""
        if not words:
            return
        runs, spans, sunk = _runs(words), "", 0.0
        self._words.append("".join(run for run, _ in runs))
        for run, mark in runs:
            level = {"": 0, "_": 0.22, "^": -0.36}[mark] * size
            move = f' dy="{_n(level - sunk)}"' if level != sunk else ""
            small = f' font-size="{_n(size * 0.75)}"' if mark else ""
            word = html.escape(run, quote=False)
            spans += f"<tspan{move}{small}>{word}</tspan>" if move or small else word
            sunk = level
        attributes = f' fill="{color}"' if color != INK else ""
        attributes += f' text-anchor="{anchor}"' if anchor != "middle" else ""
        attributes += f' font-size="{_n(size)}"' if size != SIZE else ""
        attributes += ' stroke="#fff" stroke-width="4"' if halo else ""
        width = _length(words, size)
        left = x - {"start": 0, "middle": width / 2, "end": width}[anchor]
        element = f'<text x="{_n(x)}" y="{_n(y + 0.36 * size)}"{attributes}>{spans}</text>'
        self._add(element, Shape(left, y - 0.6 * size, width, 1.2 * size), 0)

    def _rect(self, box: Shape, line: str, fill: str, width: float = 1.5, extra: str = "") -> None:
        self._add(
            f'<rect x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" height="{_n(box.height)}" '
            f'fill="{fill}" stroke="{line}" stroke-width="{_n(width)}"{extra}/>',
            box,
        )

    def _place(
        self, width: float, height: float, usual: float = 24, over: float = 0, under: float = 0, *,
        at: Point | None = None, above: Shape | None = None, below: Shape | None = None,
        right_of: Shape | None = None, left_of: Shape | None = None, gap: float | None = None, shift: float = 0,
    ) -> Shape:  # fmt: skip
        """The room of a new shape."""
        given = {"at": at, "above": above, "below": below, "right_of": right_of, "left_of": left_of}
        names = [name for name, value in given.items() if value is not None]
        if len(names) != 1:
            raise ValueError(f"expected one of {', '.join(given)}, got {' and '.join(names) or 'none'}")
        gap = usual if gap is None else gap
        if at is not None:
            return Shape(*at, width, height, over=over, under=under)
        side = _shape(given[names[0]])
        x, y = side.center[0] - width / 2 + shift, side.center[1] - height / 2 + shift
        if above:
            y = side.y - side.over - gap - under - height
        elif below:
            y = side.bottom[1] + side.under + gap + over
        elif right_of:
            x = side.right[0] + gap
        else:
            x = side.x - gap - width
        return Shape(x, y, width, height, over=over, under=under)

    def _keep(self, shape: Shape) -> Shape:
        self._shapes.append(shape)
        return shape

    # ---- Shapes ----

    def box(
        self, text: str, shape: str = "", role: str = "plain", *, width: float | None = None,
        height: float | None = None, **place: Unpack[Place],
    ) -> Shape:  # fmt: skip
        """A box with a name and, below it, the shape of what it holds."""
        colors = _role(role)
        lines = [*text.split("\n"), *([shape] if shape else [])]
        width = width or max(36, np.ceil(max(map(_length, lines))) + 18)
        height = height or 18 * len(lines) + 12
        room = self._place(width, height, **place)
        self._rect(room, colors.line, colors.fill, extra=' rx="6"')
        for number, line in enumerate(lines):
            y = room.center[1] + 18 * (number - (len(lines) - 1) / 2)
            soft = role == "faint" or (shape and number == len(lines) - 1)
            self._write(line, room.center[0], y, SOFT if soft else INK)
        return self._keep(room)

    def circle(self, text: str, role: str = "plain", *, radius: float = 13, **place: Unpack[Place]) -> Shape:
        """A circle for a sign such as + × σ; ``at`` is its centre."""
        colors = _role(role)
        if "at" in place:
            place["at"] = (place["at"][0] - radius, place["at"][1] - radius)
        room = self._place(2 * radius, 2 * radius, **place)
        x, y = room.center
        self._add(
            f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" fill="{colors.fill}" '
            f'stroke="{colors.line}" stroke-width="1.5"/>',
            room,
        )
        self._write(text, x, y)
        return self._keep(Shape(room.x, room.y, room.width, room.height, round=True))

    def text(
        self, text: str, role: str = "plain", *, size: float = SIZE, anchor: str = "middle",
        **place: Unpack[Place],
    ) -> Shape:  # fmt: skip
        """Words alone. ``at`` is their middle, or the left or right end with ``anchor`` "start" or "end"."""
        if anchor not in ("start", "middle", "end"):
            raise ValueError(f"expected the anchor start, middle or end, got {anchor!r}")
        color, lines = _role(role).word, text.split("\n")
        width, height = max(_length(line, size) for line in lines), 1.3 * size * len(lines)
        share = {"start": 0, "middle": 0.5, "end": 1}[anchor]
        if "at" in place:
            place["at"] = (place["at"][0] - share * width, place["at"][1] - height / 2)
        room = self._place(width, height, 6, **place)
        for number, line in enumerate(lines):
            y = room.y + 1.3 * size * (number + 0.5)
            self._write(line, room.x + share * width, y, color, anchor, size=size, halo=True)
        return room

    def frame(self, shapes: Sequence[Shape], title: str = "", role: str = "faint", *, pad: float = 14) -> Shape:
        """A dashed line around several shapes, such as those that come 6 times."""
        if not shapes:
            raise ValueError("expected at least one shape to frame, got none")
        colors = _role(role)
        x1, y1 = min(s.x for s in shapes) - pad, min(s.y - s.over for s in shapes) - pad
        x2, y2 = max(s.right[0] for s in shapes) + pad, max(s.bottom[1] + s.under for s in shapes) + pad
        room = Shape(x1, y1, x2 - x1, y2 - y1)
        self._rect(room, colors.line, "none", extra=' rx="8" stroke-dasharray="5 4"')
        self._write(title, x1 + 12, y1, colors.word, "start", halo=True)
        return room

    def mark(self, shape: Shape, role: str = "focus") -> Shape:
        """A thick outline around a shape, a window of a grid or a part of a photo."""
        self._rect(shape, _role(role).line, "none", 3)
        return shape

    def grid(
        self, values: Sequence[Sequence], title: str = "", role: str = "data", *, cell: float = 28,
        windows: dict[tuple[int, int, int, int], str] | None = None,
        tint: dict[tuple[int, int], str] | None = None, **place: Unpack[Place],
    ) -> Shape:  # fmt: skip
        """A matrix as squares with its numbers in them.

        Args:
            values: rows of numbers or words, as lists, array or tensor; None leaves a cell empty.
            title: words above.
            role: colours of the whole grid.
            cell: side of a cell; cells become wider if their words need it.
            windows: (row, column, rows, columns) of parts with a thick outline, each with its role.
            tint: roles of single cells.
            place: see `Diagram`.

        Raises:
            ValueError: if the rows differ in length, or a window or a tint lies outside.
        """
        rows = values.tolist() if hasattr(values, "tolist") else [list(row) for row in values]
        if not rows or not isinstance(rows[0], list) or not rows[0] or len({len(row) for row in rows}) > 1:
            lengths = [len(row) if isinstance(row, list) else row for row in rows]
            raise ValueError(f"expected rows of one length, at least one value in each, got lengths {lengths}")
        words = [[_value(value) for value in row] for row in rows]
        wide = max(cell, *(np.ceil(_length(word)) + 6 for row in words for word in row))
        over = 22 if title else 0
        place_ = self._place(wide * len(rows[0]), cell * len(rows), over=over, **place)
        grid = Shape(place_.x, place_.y, place_.width, place_.height, (len(rows[0]), len(rows)), over)
        self._write(title, grid.top[0], grid.y - 11)
        self._cells(grid, _role(role), windows or {}, tint or {})
        for i, row in enumerate(words):
            for j, word in enumerate(row):
                self._write(word, *grid.cell(i, j).center)
        return self._keep(grid)

    def _cells(self, grid: Shape, colors: Role, windows: dict, tint: dict) -> None:
        """The squares of a grid and its windows, without the numbers."""
        columns, rows = grid.units
        self._rect(grid, "none", colors.fill)
        for (i, j), role in tint.items():
            self._rect(grid.cell(i, j), "none", _role(role).fill)
        for window, role in windows.items():
            self._rect(grid.cell(*window), "none", _role(role).fill)
        lines = [[grid.cell(i, 0).left, grid.cell(i, columns - 1).right] for i in range(rows)]
        half = grid.height / rows / 2
        down = [(grid.x + grid.width * j / columns) for j in range(1, columns)]
        data = [_path([(x, y - half), (x2, y - half)]) for (x, y), (x2, _) in lines[1:]]
        data += [_path([(x, grid.y), (x, grid.bottom[1])]) for x in down]
        if data:
            self._add(f'<path d="{"".join(data)}" stroke="{colors.line}" stroke-width="0.8"/>', grid)
        self._rect(grid, colors.line, "none")
        for window, role in windows.items():
            self._rect(grid.cell(*window), _role(role).line, "none", 3)

    def block(
        self, text: str, shape: Sequence[int], role: str = "data", *, width: float | None = None,
        height: float | None = None, depth: float | None = None, **place: Unpack[Place],
    ) -> Shape:  # fmt: skip
        """A tensor of (channels, height, width) as a solid: its depth is the channels.

        Sides grow with the logarithm of the sizes, so that 512 channels fit beside 3, unless they are given in px.
        """
        if len(shape) != 3 or min(shape) < 1:
            raise ValueError(f"expected a shape (channels, height, width), got {tuple(shape)}")
        colors, below = _role(role), f"({', '.join(map(str, shape))})"
        width = width or max(_length(text) + 8, 14 + 9 * np.log2(shape[2]))
        height = height or 14 + 9 * np.log2(shape[1])
        depth = depth or min(3 + 3.5 * np.log2(shape[0]), width, height)
        room = self._place(width + depth, height + depth, under=20, **place)
        x, y, x2, y2 = room.x, room.y, room.right[0], room.bottom[1]
        front = Shape(x, y + depth, width, height)
        outline = [(x, front.y), (x + depth, y), (x2, y), (x2, y2 - depth), (x + width, y2), (x, y2)]
        edges = [[(x, front.y), (x + width, front.y), (x2, y)], [(x + width, front.y), (x + width, y2)]]
        data = _path(outline) + "Z" + "".join(map(_path, edges))
        self._add(f'<path d="{data}" fill="{colors.fill}" stroke="{colors.line}" stroke-width="1.5"/>', room)
        self._write(text, *front.center)
        self._write(below, room.center[0], y2 + 11, SOFT)
        return self._keep(room)

    def photo(self, pixels: np.ndarray, width: float, **place: Unpack[Place]) -> Shape:
        """A picture, stored no finer than it is shown; its ``part`` counts in the pixels of ``pixels``.

        Args:
            pixels: (height, width) grey, high values dark as ink is, or RGB as (3, height, width) or
                (height, width, 3); bytes, or RGB in [0, 1].
            width: on the page, in px.
            place: see `Diagram`.
        """
        pixels = np.asarray(pixels)
        if pixels.ndim == 3 and pixels.shape[0] == 3:
            pixels = pixels.transpose(1, 2, 0)
        if pixels.size == 0 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
            raise ValueError(f"expected pixels (height, width) or (3, height, width), got {pixels.shape}")
        rows, columns = pixels.shape[:2]
        raw, file = io.BytesIO(), io.BytesIO()
        imsave(raw, np.ascontiguousarray(pixels), cmap="gray_r", format="png", metadata={"Software": None})
        image = Image.open(raw).convert("L" if pixels.ndim == 2 else "RGB")
        if columns > width:
            image = image.resize((round(width), max(1, round(width * rows / columns))))
        image.save(file, "png", optimize=True)
        room = self._place(width, width * rows / columns, **place)
        code, style = base64.b64encode(file.getvalue()).decode(), ' style="image-rendering:pixelated"'
        self._add(
            f'<image x="{_n(room.x)}" y="{_n(room.y)}" width="{_n(room.width)}" height="{_n(room.height)}"'
            f'{style if columns < width else ""} href="data:image/png;base64,{code}"/>',
            room,
        )
        return self._keep(Shape(room.x, room.y, room.width, room.height, (columns, rows)))

    # ---- Lines ----

    def middle(self, a: Shape | Point, b: Shape | Point) -> Point:
        """The middle of the straight arrow between two shapes, where something can branch off."""
        return _middle(_ends(_shape(a), _shape(b)))[2]

    def arrow(
        self, a: Shape | Point, b: Shape | Point, label: str = "", role: str = "plain", *,
        via: Sequence[Point] = (), around: float = 0, width: float = 1.5, head: bool = True, dashed: bool = False,
    ) -> Point:  # fmt: skip
        """An arrow between shapes or points; shapes are left and met on the sides that face one another.

        Args:
            a: where it begins.
            b: where it ends.
            label: words beside its longest piece.
            role: its colour.
            via: points where it bends.
            around: pass what lies between at this distance, with right angles: negative is left or above.
            width: of the line.
            head: whether it has a point.
            dashed: for gradients, and for what may be absent.

        Returns:
            The middle of its longest piece, where something can branch off.
        """
        colors, start, end = _role(role), _shape(a), _shape(b)
        if around:
            points = _bypass(start, end, self._shapes, around)
        elif via:
            first, last = _ends(start, _shape(via[0]))[0], _ends(_shape(via[-1]), end)[1]
            points = [first, *via, last]
        else:
            points = _ends(start, end)
        self._stroke(points, colors.line, width, head, dashed)
        from_, to, middle = _middle(points)
        if label:
            self._beside(label, from_, to, middle, colors.word)
        return middle

    def line(
        self, a: Shape | Point, b: Shape | Point, role: str = "plain", dashed: bool = False, *, width: float = 1.5
    ) -> Point:
        """An arrow without a head."""
        return self.arrow(a, b, "", role, width=width, head=False, dashed=dashed)

    def _stroke(self, points: Sequence[Point], color: str, width: float, head: bool, dashed: bool) -> None:
        """A way of straight pieces, the head a triangle at its end."""
        *_, (x1, y1), (x2, y2) = points
        distance = max(np.hypot(x2 - x1, y2 - y1), 1e-9)
        dx, dy = (x2 - x1) / distance, (y2 - y1) / distance
        long, half = (6 + 2 * width, 2.5 + width) if head else (0, 0)
        neck = (x2 - dx * (long - 1), y2 - dy * (long - 1)) if head else (x2, y2)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        path = _path([*points[:-1], neck])
        xs, ys = [x for x, _ in points], [y for _, y in points]
        room = Shape(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
        self._add(
            f'<path d="{path}" fill="none" stroke="{color}" stroke-width="{_n(width)}"{dash}/>', room, width / 2
        )
        if head:
            base = (x2 - dx * long, y2 - dy * long)
            wings = [(base[0] - dy * half, base[1] + dx * half), (base[0] + dy * half, base[1] - dx * half)]
            self._add(f'<path d="{_path([(x2, y2), *wings])}Z" fill="{color}"/>', room, half)

    def _beside(self, label: str, a: Point, b: Point, middle: Point, color: str) -> None:
        """Words beside the piece from ``a`` to ``b``: above it, or to the right if it is upright."""
        distance = max(np.hypot(b[0] - a[0], b[1] - a[1]), 1e-9)
        nx, ny = (b[1] - a[1]) / distance, (a[0] - b[0]) / distance
        if round(ny, 3) > 0 or (round(ny, 3) == 0 and nx < 0):
            nx, ny = -nx, -ny
        anchor = "start" if nx > 0.4 else "end" if nx < -0.4 else "middle"
        self._write(label, middle[0] + 6 * nx, middle[1] + 11 * ny, color, anchor, halo=True)

    def row(
        self, *items: str | tuple[str, ...] | Shape, gap: float = 24, arrows: bool = True, towards: str = "right",
        **place: Unpack[Place],
    ) -> list[Shape]:  # fmt: skip
        """Shapes one after another, with arrows between them.

        Args:
            items: a single sign such as "+" is a circle; other words are a box, with its shape and role as a tuple
                ``(text, shape, role)``. The first may be a shape that is there already; then no place is given.
            gap: between two neighbours.
            arrows: whether to draw them.
            towards: "right", "left", "up" or "down".
            place: of the first item, see `Diagram`.

        Returns:
            The shapes, one an item.
        """
        beside = {"right": "right_of", "left": "left_of", "up": "above", "down": "below"}
        if towards not in beside or not items:
            raise ValueError(f"expected items towards {', '.join(beside)}, got {len(items)} towards {towards!r}")
        shapes: list[Shape] = []
        for item in items:
            where = {beside[towards]: shapes[-1], "gap": gap} if shapes else place
            if isinstance(item, Shape):
                shapes.append(item)
            elif isinstance(item, str) and len(item) == 1 and not item.isalnum():
                shapes.append(self.circle(item, **where))
            else:
                shapes.append(self.box(*((item,) if isinstance(item, str) else item), **where))
            if arrows and len(shapes) > 1:
                self.arrow(shapes[-2], shapes[-1])
        return shapes
