"""The few shapes from which chapters draw their schematics, as inline SVG whose words are real text.

Lengths are in pixels, y points downwards, and the canvas grows with what is drawn. Every shape takes
``at=(x, y)``, its top left corner (of a circle and of text: its centre), or one of ``above=``, ``below=``,
``right_of=``, ``left_of=`` another shape, with ``gap=`` between the two and ``shift=`` along their side. It
returns a `Shape`, which knows its ``left``, ``right``, ``top``, ``bottom`` and ``center``::

    d = Diagram("The input goes through a linear layer and a ReLU to the output.")
    x = d.box("x", "(4,)", "data", at=(0, 0))
    layer = d.box("linear", "(4, 3)", "learned", right_of=x)
    y = d.box("y", "(3,)", "result", right_of=layer, gap=50)
    d.arrow(x, layer)
    d.arrow(layer, y, "ReLU")
    d  # the last line of the cell shows it

A row with its arrows is drawn at once, and a branch begins in the middle of an arrow::

    d = Diagram("The input goes through two convolutions, and is added to what comes out.")
    conv = ("conv", "", "learned")
    x, first, second, add, y = d.row(("x", "", "data"), conv, conv, "+", ("y", "", "result"), at=(0, 0))
    d.arrow(d.middle(x, first), add, "identity", around=-14)  # 14 px above all that stands between
    d

In words ``h_t``, ``W_{xh}`` and ``x^2`` become subscripts and superscripts, and ``batch_size`` stays.

Roles have the same colours in all chapters: *data* blue, *learned* orange, *result* green, *state* and
*focus* violet, *faint* grey for what is masked or beside the point, *plain* grey on white for an operation.
A gradient has no colour of its own: it runs back along the same edges, so it is an arrow with
``dashed=True`` in the colour of what it belongs to, and greyscale shows it too.

A phone leaves 342 px, where the words of a drawing of 430 px are 11 px high: aim there, stack what is long.
"""

import base64
import html
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypedDict, Unpack

import matplotlib as mpl
import numpy as np
from matplotlib.ft2font import FT2Font
from PIL import Image

from utils.plotting import BLUE, GREEN, GREY, ORANGE, PURPLE, grey_range

Point = tuple[float, float]
WIDEST, MARGIN, SIZE, LINE = 470, 6, 14, 18  # px: canvas, its edge, words, from line to line
SIGNS = ("+", "−", "×", "·", "⊙", "=", "σ", "Σ")  # drawn as circles in a row
INK, SOFT = "#1c2126", "#565e67"
FONT = "system-ui, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"


class Role(NamedTuple):
    """Colours of an outline, of what it encloses, and of words."""

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

    x1: float
    y1: float
    x2: float
    y2: float
    units: Point = (1, 1)  # what `part` counts in
    over: float = 0  # height of a title above it
    under: float = 0  # height of words below it
    round: bool = False

    @property
    def center(self) -> Point:
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2

    @property
    def left(self) -> Point:
        return self.x1, self.center[1]

    @property
    def right(self) -> Point:
        return self.x2, self.center[1]

    @property
    def top(self) -> Point:
        return self.center[0], self.y1

    @property
    def bottom(self) -> Point:
        return self.center[0], self.y2

    @property
    def _turned(self) -> "Shape":
        """With x and y exchanged."""
        return Shape(self.y1, self.x1, self.y2, self.x2, round=self.round)

    def part(self, x1: float, y1: float, x2: float, y2: float) -> "Shape":
        """The part between two corners, in pixels of a photo, in cells of a grid, else in shares from 0 to 1.

        Raises:
            ValueError: if it is empty or not inside.
        """
        columns, rows = self.units
        if not (0 <= x1 < x2 <= columns and 0 <= y1 < y2 <= rows):
            raise ValueError(
                f"expected a part of columns 0 to {columns} and rows 0 to {rows}, "
                f"got columns {x1} to {x2} and rows {y1} to {y2}"
            )
        wide, high = (self.x2 - self.x1) / columns, (self.y2 - self.y1) / rows
        return Shape(self.x1 + x1 * wide, self.y1 + y1 * high, self.x1 + x2 * wide, self.y1 + y2 * high)

    def cell(self, i: int, j: int, rows: int = 1, cols: int = 1) -> "Shape":
        """The cell in row ``i`` and column ``j`` of a grid, or the window that begins there."""
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


# ---- Words ----

MARK = re.compile(
    r"(?<=[\w})])([_^])\{([^}]+)\}|(?<=[\w})])(\^)(\w)(?!\w)|(?<=[^\W\d_])(?<!\w\w)(_)([^\W_])(?!\w)"
)
NUMBER = re.compile(r"(?:(?<![\w)\]])−)?\d+(?:[.,]\d+)*")


def _minus(words: str) -> str:
    """A hyphen before a number or between blanks is a minus sign."""
    return re.sub(r"(?<![\w)\]])-(?=[\d.∞ ])", "−", words)


def _runs(words: str) -> list[tuple[str, str]]:
    """Words in runs, each with "_" for a subscript, "^" for a superscript or ""."""
    runs, end = [], 0
    for found in MARK.finditer(words):
        sign, mark = (group for group in found.groups() if group)
        runs += [(_minus(words[end : found.start()]), ""), (mark.replace("-", "−"), sign)]
        end = found.end()
    return [run for run in [*runs, (_minus(words[end:]), "")] if run[0]]


@cache
def _advance(sign: str) -> float:
    """Width of a sign, in heights of the font, in DejaVu Sans: it is wider than what most pages show."""
    font = FT2Font(str(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")))
    if not font.get_char_index(ord(sign)):
        return 1.0  # as wide as Chinese
    font.set_size(100, 72)
    return font.load_char(ord(sign)).linearHoriAdvance / 6_553_600


def _length(words: str, size: float = SIZE) -> float:
    """Width of a line of words."""
    return sum(_advance(sign) * size * (0.75 if mark else 1) for run, mark in _runs(words) for sign in run)


def _value(value: object) -> str:
    """The words of a cell: numbers to two decimals, nothing for None."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        value = f"{round(value, 2) + 0.0:g}" if math.isfinite(value) else f"{value}".replace("inf", "∞")
    return "" if value is None else _minus(str(value))


# ---- Lines ----


def _n(value: float) -> str:
    """A coordinate, to a tenth."""
    return f"{round(float(value), 1) + 0.0:g}"


def _span(edges: Sequence[float]) -> tuple[int, int]:
    """Where the canvas begins and how long it is, in whole pixels."""
    start = math.floor(min(edges)) - MARGIN
    return start, math.ceil(max(edges)) + MARGIN - start


def _path(points: Iterable[Point]) -> str:
    """The data of a path of straight pieces."""
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points)


def _role(name: str) -> Role:
    if name not in ROLES:
        raise ValueError(f"expected a role of {', '.join(ROLES)}, got {name!r}")
    return ROLES[name]


def _shape(end: Shape | Point) -> Shape:
    """A point is a shape without extent."""
    return end if isinstance(end, Shape) else Shape(*end, *end)


def _ends(a: Shape, b: Shape) -> list[Point]:
    """The ends of a straight line, on the sides that face one another, where it stands upright if it can."""
    if max(a.x1 - b.x2, b.x1 - a.x2) > max(a.y1 - b.y2, b.y1 - a.y2):
        return [(y, x) for x, y in _ends(a._turned, b._turned)]
    start, end = (a.bottom, b.top) if a.center[1] < b.center[1] else (a.top, b.bottom)
    narrow, wide = sorted([a, b], key=lambda shape: shape.x2 - shape.x1)
    x, edge = narrow.center[0], min(8, narrow.x2 - narrow.x1)  # px from a corner, if it is not a point
    if wide.x1 + edge <= x <= wide.x2 - edge:
        start, end = (x, start[1]), (x, end[1])
    return [_rim(a, start, end), _rim(b, end, start)]


def _rim(shape: Shape, end: Point, other: Point) -> Point:
    """``end``, or where the line from ``other`` to the centre meets the rim of what is round."""
    (x, y), distance = shape.center, math.dist(shape.center, other)
    if not (shape.round and distance):
        return end
    share = (shape.x2 - x) / distance
    return x + share * (other[0] - x), y + share * (other[1] - y)


def _bypass(a: Shape, b: Shape, others: Iterable[Shape], around: float) -> list[Point]:
    """From ``a`` to ``b`` past what lies between: left of it or above if ``around`` is negative."""
    (ax, ay), (bx, by) = a.center, b.center
    if abs(bx - ax) > abs(by - ay):
        points = _bypass(a._turned, b._turned, [other._turned for other in others], around)
        return [(y, x) for x, y in points]
    across, down = sorted([ax, bx]), sorted([ay, by])
    passed = [s for s in others if s.x1 <= across[1] and across[0] <= s.x2]
    passed = [a, b, *(s for s in passed if s.y1 <= down[1] and down[0] <= s.y2)]
    if around < 0:
        start, end, x = a.left, b.left, min(s.x1 for s in passed) + around
    else:
        start, end, x = a.right, b.right, max(s.x2 for s in passed) + around
    return [start, (x, start[1]), (x, end[1]), end]


def _longest(points: Sequence[Point], room: float = math.inf) -> tuple[Point, Point]:
    """The longest piece of a way, or its longest level one if that is longer than ``room``."""
    pieces = list(zip(points[:-1], points[1:], strict=True))
    level = [(a, b) for a, b in pieces if abs(a[1] - b[1]) < 1 and math.dist(a, b) > room]
    return max(level or pieces, key=lambda piece: round(math.dist(*piece), 3))


def _middle(a: Point, b: Point) -> Point:
    return (a[0] + b[0]) / 2, (a[1] + b[1]) / 2


class Diagram:
    """A drawing, which Jupyter shows as inline SVG.

    Args:
        alt: what it shows, for those who do not see it, in four words or more. The numbers in it must stand
            in the drawing.

    Raises:
        ValueError: if ``alt`` is shorter, if the drawing gets wider than 470 px, or, when it is shown, if it
            is empty or lacks a number of ``alt``.
    """

    def __init__(self, alt: str) -> None:
        self.alt = " ".join(alt.split())
        if len(self.alt.split()) < 4:
            raise ValueError(f"expected an alt text of four words or more, got {alt!r}")
        self._elements: list[str] = []
        self._words: list[str] = []
        self._shapes: list[Shape] = []
        self._xs: list[float] = []  # the left and right edges of all that is drawn
        self._ys: list[float] = []

    def svg(self) -> str:
        """The drawing as an ``<svg>`` element, the same bytes every time."""
        if not self._elements:
            raise ValueError("expected at least one shape, got an empty drawing")
        drawn = NUMBER.findall("\n".join(self._words))
        if missing := [number for number in NUMBER.findall(_minus(self.alt)) if number not in drawn]:
            raise ValueError(f"the alt text says {', '.join(missing)}, which does not stand in the drawing")
        (x, width), (y, height) = _span(self._xs), _span(self._ys)
        head = (
            '<svg class="diagram" xmlns="http://www.w3.org/2000/svg" role="group" '
            f'aria-label="{html.escape(self.alt)}" width="{width}" height="{height}" '
            f'viewBox="{x} {y} {width} {height}" style="background:#fff;max-width:100%;height:auto" '
            f'font-family="{FONT}" font-size="{SIZE}" text-anchor="middle" fill="{INK}" '
            'stroke-linejoin="round">'
        )
        return "\n".join([head, *self._elements, "</svg>"])

    def _repr_html_(self) -> str:
        return self.svg()

    def __repr__(self) -> str:
        return f"Schematic: {self.alt}"

    def _add(self, element: str, room: Shape, edge: float = 1) -> None:
        """Draw an element that takes ``room`` and ``edge`` px around it."""
        self._xs += [room.x1 - edge, room.x2 + edge]
        self._ys += [room.y1 - edge, room.y2 + edge]
        _, width = _span(self._xs)
        if width > WIDEST:
            raise ValueError(f"expected a drawing of at most {WIDEST} px, got {width}: stack what is long")
        self._elements.append(element)

    def _write(
        self, words: str, at: Point, color: str = INK, *,
        anchor: str = "middle", size: float = SIZE, halo: bool = False,
    ) -> None:  # fmt: skip
        """A line of words with its middle at this height, on a white edge with ``halo``."""
        if not words:
            return
        (x, y), spans, sunk, runs = at, "", 0.0, _runs(words)
        self._words.append("".join(run for run, _ in runs))
        for run, mark in runs:
            level = {"": 0.0, "_": 0.22, "^": -0.36}[mark] * size
            move = f' dy="{_n(level - sunk)}"' if level != sunk else ""
            move += f' font-size="{_n(size * 0.75)}"' if mark else ""
            spans += f"<tspan{move}>{html.escape(run)}</tspan>" if move else html.escape(run)
            sunk = level
        extra = f' fill="{color}"' if color != INK else ""
        extra += f' text-anchor="{anchor}"' if anchor != "middle" else ""
        extra += f' font-size="{_n(size)}"' if size != SIZE else ""
        if halo and len(runs) == 1:  # else the edge of one run would cut into another
            extra += ' stroke="#fff" stroke-width="4" paint-order="stroke"'
        width = _length(words, size)
        x1 = x - {"start": 0, "middle": 0.5, "end": 1}[anchor] * width
        room = Shape(x1, y - 0.65 * size, x1 + width, y + 0.65 * size)
        self._add(f'<text x="{_n(x)}" y="{_n(y + 0.36 * size)}"{extra}>{spans}</text>', room)

    def _rect(self, room: Shape, line: str, fill: str = "none", width: float = 1.5, extra: str = "") -> None:
        extra += f' stroke="{line}" stroke-width="{_n(width)}"' if line else ""
        self._add(
            f'<rect x="{_n(room.x1)}" y="{_n(room.y1)}" width="{_n(room.x2 - room.x1)}" '
            f'height="{_n(room.y2 - room.y1)}" fill="{fill}"{extra}/>',
            room,
            width / 2 if line else 0,
        )

    def _place(
        self, width: float, height: float, *, at: Point | None = None, above: Shape | None = None,
        below: Shape | None = None, right_of: Shape | None = None, left_of: Shape | None = None,
        gap: float = 24, shift: float = 0, hold: Point = (0, 0), over: float = 0, under: float = 0,
        units: Point = (1, 1), round: bool = False,
    ) -> Shape:  # fmt: skip
        """A new shape of this size; ``hold`` is the share of it that lies left of ``at`` and above it."""
        given = {"at": at, "above": above, "below": below, "right_of": right_of, "left_of": left_of}
        names = [name for name, value in given.items() if value is not None]
        if len(names) != 1:
            raise ValueError(f"expected one of {', '.join(given)}, got {' and '.join(names) or 'none'}")
        side = _shape(given[names[0]])
        x, y = {
            "at": (side.x1 - hold[0] * width, side.y1 - hold[1] * height),
            "above": (side.center[0] - width / 2 + shift, side.y1 - side.over - gap - under - height),
            "below": (side.center[0] - width / 2 + shift, side.y2 + side.under + gap + over),
            "right_of": (side.x2 + gap, side.center[1] - height / 2 + shift),
            "left_of": (side.x1 - gap - width, side.center[1] - height / 2 + shift),
        }[names[0]]
        self._shapes.append(Shape(x, y, x + width, y + height, units, over, under, round))
        return self._shapes[-1]

    def box(
        self, text: str, shape: str = "", role: str = "plain", *,
        width: float | None = None, height: float | None = None, **place: Unpack[Place],
    ) -> Shape:  # fmt: skip
        """A box with a name and, below it, the shape of what it holds."""
        colors, lines = _role(role), [*text.split("\n"), *([shape] if shape else [])]
        width = width or max(36, math.ceil(max(map(_length, lines))) + 18)
        height = height or LINE * len(lines) + 12
        room = self._place(width, height, **place)
        self._rect(room, colors.line, colors.fill, extra=' rx="6"')
        for i, line in enumerate(lines):
            soft = role == "faint" or (shape and i == len(lines) - 1)
            y = room.center[1] + LINE * (i - (len(lines) - 1) / 2)
            self._write(line, (room.center[0], y), SOFT if soft else INK)
        return room

    def circle(self, text: str, role: str = "plain", *, radius: float = 13, **place: Unpack[Place]) -> Shape:
        """A circle for a sign such as + × σ; ``at`` is its centre."""
        colors = _role(role)
        room = self._place(2 * radius, 2 * radius, hold=(0.5, 0.5), round=True, **place)
        self._rect(room, colors.line, colors.fill, extra=f' rx="{_n(radius)}"')
        self._write(text, room.center)
        return room

    def text(
        self, text: str, role: str = "plain", *, size: float = SIZE, anchor: str = "middle",
        **place: Unpack[Place],
    ) -> Shape:  # fmt: skip
        """Words alone; ``at`` is their middle, or an end of them with the anchor "start" or "end"."""
        share = {"start": 0, "middle": 0.5, "end": 1}.get(anchor)
        if share is None:
            raise ValueError(f"expected the anchor start, middle or end, got {anchor!r}")
        color, lines, high = _role(role).word, text.split("\n"), 1.3 * size
        width = max(_length(line, size) for line in lines)
        room = self._place(width, high * len(lines), hold=(share, 0.5), **{"gap": 6, **place})
        for i, line in enumerate(lines):
            at = (room.x1 + share * width, room.y1 + high * (i + 0.5))
            self._write(line, at, color, anchor=anchor, size=size, halo=True)
        return room

    def frame(self, shapes: Sequence[Shape], title: str = "", role: str = "faint", pad: float = 14) -> Shape:
        """A dashed line around shapes that belong together, such as a layer that comes 6 times."""
        if not shapes:
            raise ValueError("expected at least one shape to frame, got none")
        colors = _role(role)
        room = Shape(
            min(s.x1 for s in shapes) - pad,
            min(s.y1 - s.over for s in shapes) - pad,
            max(s.x2 for s in shapes) + pad,
            max(s.y2 + s.under for s in shapes) + pad,
        )
        self._rect(room, colors.line, extra=' rx="8" stroke-dasharray="5 4"')
        if title:
            gap = Shape(room.x1 + 8, room.y1 - 2, room.x1 + 18 + _length(title), room.y1 + 2)
            self._rect(gap, "", "#fff")
            self._write(title, gap.center, colors.word)
        return room

    def mark(self, shape: Shape, role: str = "focus") -> Shape:
        """A thick outline around a shape, a window of a grid or a part of a photo."""
        self._rect(shape, _role(role).line, width=3)
        return shape

    def grid(
        self, values: Sequence[Sequence], title: str = "", role: str = "data", *, cell: float = 28,
        windows: dict[tuple[int, int, int, int], str] | None = None,
        tint: dict[tuple[int, int], str] | None = None, **place: Unpack[Place],
    ) -> Shape:  # fmt: skip
        """A matrix as squares with its numbers in them.

        Args:
            values: rows of numbers or words, also as array or tensor; None leaves a cell empty.
            title: words above it.
            role: its colour.
            cell: side of a cell; it becomes wider where its words need it.
            windows: (row, column, rows, columns) of parts with a thick outline, each with its role.
            tint: (row, column) of single cells in another colour, each with its role.
            place: as for every shape.

        Raises:
            ValueError: if the rows differ in length, or a window or a tint lies outside.
        """
        rows = [list(row) if np.iterable(row) else [] for row in getattr(values, "tolist", lambda: values)()]
        if len({len(row) for row in rows}) != 1 or not rows[0]:
            raise ValueError(f"expected rows of one length, got lengths {[len(row) for row in rows]}")
        words = [[_value(value) for value in row] for row in rows]
        wide, high = max(cell, *(math.ceil(_length(word)) + 3 for row in words for word in row)), cell
        units = (len(rows[0]), len(rows))
        over = 22 if title else 0
        grid = self._place(wide * units[0], high * units[1], units=units, over=over, **place)
        self._write(title, (grid.center[0], grid.y1 - 12))
        self._cells(grid, role, windows or {}, tint or {})
        for i, row in enumerate(words):
            for j, word in enumerate(row):
                self._write(word, grid.cell(i, j).center)
        return grid

    def _cells(self, grid: Shape, role: str, windows: dict, tint: dict) -> None:
        """What lies under the numbers of a grid."""
        colors, (columns, rows) = _role(role), grid.units
        self._rect(grid, "", colors.fill)
        for place, name in [*tint.items(), *windows.items()]:
            self._rect(grid.cell(*place), "", _role(name).fill)
        x1, y1, x2, y2 = map(_n, (grid.x1, grid.y1, grid.x2, grid.y2))
        across = [f"M{x1} {_n(grid.cell(i, 0).y1)}H{x2}" for i in range(1, rows)]
        down = [f"M{_n(grid.cell(0, j).x1)} {y1}V{y2}" for j in range(1, columns)]
        lines = f"M{x1} {y1}H{x2}V{y2}H{x1}Z{''.join(across + down)}"
        self._add(f'<path d="{lines}" fill="none" stroke="{colors.line}"/>', grid)
        for window, name in windows.items():
            self.mark(grid.cell(*window), name)

    def block(
        self, text: str, shape: Sequence[int], role: str = "data", *, width: float | None = None,
        height: float | None = None, depth: float | None = None, **place: Unpack[Place],
    ) -> Shape:  # fmt: skip
        """A tensor of (channels, height, width) as a solid whose depth is the channels.

        Its sides, where they are not given, grow with the power 0.4: 512 channels fit beside 3.
        """
        if len(shape) != 3 or min(shape) < 1:
            raise ValueError(f"expected a shape (channels, height, width), got {tuple(shape)}")
        colors, (deep, high, wide) = _role(role), (size**0.4 for size in shape)
        width, height = width or max(15 * wide, _length(text) + 8), height or max(15 * high, LINE)
        depth = min(depth or 5 * deep, width, height)
        room = self._place(width + depth, height + depth, under=LINE, **place)
        x1, y1, x2, y2 = room.x1, room.y1, room.x2, room.y2
        corner = (x1 + width, y1 + depth)
        outline = [(x1, corner[1]), (x1 + depth, y1), (x2, y1), (x2, y2 - depth), (corner[0], y2), (x1, y2)]
        edges = _path([(x1, corner[1]), corner, (x2, y1)]) + _path([corner, (corner[0], y2)])
        paint = f'stroke="{colors.line}" stroke-width="1.5"'
        self._add(f'<path d="{_path(outline)}Z" fill="{colors.fill}" {paint}/>', room)
        self._add(f'<path d="{edges}" fill="none" {paint}/>', room)
        self._write(text, Shape(x1, corner[1], corner[0], y2).center)
        self._write(f"({', '.join(map(str, shape))})", (room.center[0], y2 + 12), SOFT)
        return room

    def photo(self, pixels: np.ndarray, width: float, **place: Unpack[Place]) -> Shape:
        """A picture, stored no finer than it is shown (as JPEG if larger); its ``part`` counts in ``pixels``.

        Args:
            pixels: (height, width) grey, high values dark as ink is; or RGB, (3, height, width) or
                (height, width, 3), as bytes or in [0, 1].
            width: on the page.
            place: as for every shape.
        """
        array = np.asarray(pixels)
        if array.ndim == 3 and array.shape[0] == 3:
            array = array.transpose(1, 2, 0)
        if array.size == 0 or array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)):
            raise ValueError(f"expected pixels (height, width) or (3, height, width), got {array.shape}")
        rows, columns = array.shape[:2]
        low, high = grey_range(array) if array.ndim == 2 else (0, 255 if array.dtype == np.uint8 else 1)
        share = np.clip((array.astype(float) - low) / (high - low), 0, 1)
        image = Image.fromarray(np.uint8(np.round(255 * (1 - share if array.ndim == 2 else share))))
        kind = "jpeg" if columns > width else "png"
        if columns > width:
            image = image.resize((round(width), max(1, round(width * rows / columns))))
        image.save(file := io.BytesIO(), kind, optimize=True, quality=85)
        room = self._place(width, width * rows / columns, units=(columns, rows), **place)
        code = base64.b64encode(file.getvalue()).decode()
        crisp = ' style="image-rendering:pixelated"' if columns < width else ""
        size = f'width="{_n(width)}" height="{_n(room.y2 - room.y1)}"'
        source = f'href="data:image/{kind};base64,{code}"{crisp}'
        self._add(f'<image x="{_n(room.x1)}" y="{_n(room.y1)}" {size} {source}/>', room)
        return room

    def middle(self, a: Shape | Point, b: Shape | Point) -> Point:
        """The middle of a straight arrow from ``a`` to ``b``, where something can branch off."""
        return _middle(*_ends(_shape(a), _shape(b)))

    def arrow(
        self, a: Shape | Point, b: Shape | Point, label: str = "", role: str = "plain", *,
        via: Sequence[Point] = (), around: float = 0, shift: float = 0, width: float = 1.5,
        head: bool = True, dashed: bool = False,
    ) -> Point:  # fmt: skip
        """An arrow between shapes or points, on the sides of the shapes that face one another.

        Args:
            a: where it begins.
            b: where it ends.
            label: words beside it, on its longest level piece if they fit, else on its longest.
            role: its colour.
            via: points at which it bends.
            around: pass what stands between at this distance, with right angles: left or above if negative.
            shift: move it right or down, so that a second one has room.
            width: of the line; beyond 3 px it lies beneath all shapes.
            head: whether it has a point.
            dashed: for a gradient, or for what may be absent.

        Returns:
            The middle of its longest piece, where something can branch off.
        """
        colors, start, end = _role(role), _shape(a), _shape(b)
        if around:
            points = _bypass(start, end, self._shapes, around)
        elif via:
            points = [_ends(start, _shape(via[0]))[0], *via, _ends(_shape(via[-1]), end)[1]]
        else:
            points = _ends(start, end)
        level = abs(points[-1][0] - points[0][0]) > abs(points[-1][1] - points[0][1])
        points = [(x, y + shift) if level else (x + shift, y) for x, y in points]
        shaft = self._stroke(points, colors.line, width, head, ' stroke-dasharray="5 4"' if dashed else "")
        if label:
            self._beside(shaft, label, around or shift, colors.word)
        return _middle(*_longest(points))

    def _beside(self, points: Sequence[Point], label: str, side: float, color: str) -> None:
        """Words beside a way: left or above if ``side`` is negative, right or below if it is positive."""
        half = _length(label) / 2
        (x1, y1), (x2, y2) = _longest(points, 2 * half)
        distance = math.dist((x1, y1), (x2, y2)) or 1
        x, y = (y2 - y1) / distance, (x1 - x2) / distance
        towards = (-1, -1.1) if side < 0 else (1.1, 1) if side > 0 else (0.1, -1)
        if x * towards[0] + y * towards[1] < 0:
            x, y = -x, -y
        middle_x, middle_y = _middle((x1, y1), (x2, y2))
        if abs(x) > 0.95:
            at, anchor = (middle_x + 6 * x, middle_y), "start" if x > 0 else "end"
        else:  # as far from the middle of the piece as keeps their corners off it
            far = abs(x) * half + abs(y) * SIZE / 2 + 5
            at, anchor = (middle_x + far * x, middle_y + far * y), "middle"
        self._write(label, at, color, anchor=anchor, halo=True)

    def line(
        self, a: Shape | Point, b: Shape | Point, role: str = "plain", dashed: bool = False, *,
        width: float = 1.5,
    ) -> Point:  # fmt: skip
        """An arrow without its point."""
        return self.arrow(a, b, role=role, width=width, head=False, dashed=dashed)

    def _stroke(
        self, points: Sequence[Point], color: str, width: float, head: bool, dash: str
    ) -> list[Point]:
        """Straight pieces, and a triangle at their end; gives the pieces without it."""
        (x1, y1), (x2, y2) = points[-2:]
        long, half = (6 + 2 * width, 2.5 + width) if head else (0, 0)
        share = long / max(math.dist((x1, y1), (x2, y2)), long, 1e-9)
        neck = (x2 - share * (x2 - x1), y2 - share * (y2 - y1))
        xs, ys = zip(*points, strict=True)
        room, shaft = Shape(min(xs), min(ys), max(xs), max(ys)), [*points[:-1], neck]
        paint = f'fill="none" stroke="{color}" stroke-width="{_n(width)}"{dash}'
        self._add(f'<path d="{_path(shaft)}" {paint}/>', room, width)
        if width > 3:
            self._elements.insert(0, self._elements.pop().replace("/>", ' stroke-linecap="round"/>'))
        if head:
            dx, dy = (x2 - neck[0]) * half / long, (y2 - neck[1]) * half / long
            wings = [(neck[0] - dy, neck[1] + dx), (neck[0] + dy, neck[1] - dx)]
            self._add(f'<path d="{_path([(x2, y2), *wings])}Z" fill="{color}"/>', room, half)
        return shaft

    def row(
        self, *items: str | tuple[str, ...] | Shape, gap: float = 24, arrows: bool = True,
        towards: str = "right", width: float | None = None, **place: Unpack[Place],
    ) -> list[Shape]:  # fmt: skip
        """Shapes one after another, with arrows between them.

        Args:
            items: a sign such as "+" is a circle, other words are a box, and a tuple (text, shape, role) is a
                box with its shape and role. A shape that is there already stays where it is.
            gap: between two neighbours.
            arrows: whether to draw them.
            towards: right, left, up or down.
            width: of the boxes, else each is as wide as its words.
            place: of the first, if it is new.

        Returns:
            The shapes, one for each item.
        """
        beside = {"right": "right_of", "left": "left_of", "up": "above", "down": "below"}
        if towards not in beside:
            raise ValueError(f"expected towards one of {', '.join(beside)}, got {towards!r}")
        shapes: list[Shape] = []
        for item in items:
            where = {beside[towards]: shapes[-1], "gap": gap} if shapes else place
            if isinstance(item, Shape):
                shape = item
            elif isinstance(item, str) and item in SIGNS:
                shape = self.circle(item, **where)
            else:
                shape = self.box(*((item,) if isinstance(item, str) else item), width=width, **where)
            if arrows and shapes:
                self.arrow(shapes[-1], shape)
            shapes.append(shape)
        return shapes
