"""Figures beside each other, two views of one, a switch of the theme, and input that is none."""

import json
import re

import pytest
import traitlets
from figure_page import settle, write_page
from test_widgets_browser import FIGURES

import utils.widgets
from utils.widgets.base import CourseWidget

# What a figure shows: its elements without the names that it drew by lot, its controls, its canvases.
# A view's own: what it says aloud, the keyboard's cursor, and which patterns of switches it has been through.
LOOK = """figure => {
    const copy = figure.cloneNode(true);
    for (const node of copy.querySelectorAll("[aria-live], .cw-board > span, .cw-seen-dot")) node.remove();
    for (const node of copy.querySelectorAll("*")) {
        for (const name of ["id", "name", "aria-describedby", "tabindex"]) node.removeAttribute(name);
    }
    const controls = [...figure.querySelectorAll("input, select, textarea")]
        .map(e => ["radio", "checkbox"].includes(e.type) ? e.checked : e.value);
    const canvases = [...figure.querySelectorAll("canvas")].map(e => e.toDataURL());
    return [copy.outerHTML.replaceAll("><", ">\\n<"), ...controls, ...canvases].join("\\n");
}"""
LOOKS = f"() => [...document.querySelectorAll('.cw')].map({LOOK})"
STILL = "() => !document.querySelector('.cw [aria-busy=true]')"
EQUAL = f"() => {{ const [a, b] = ({LOOKS})(); return a === b; }}"

# Use every control of a figure as a reader might, to the one end of its range or to the other.
OPERATE = """async (figure, end) => {
    const controls = "button, input, select, textarea, [role=slider], [tabindex='0']";
    const tell = (node, ...types) =>
        types.forEach(type => node.dispatchEvent(new Event(type, { bubbles: true })));
    const press = key => new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
    for (let i = 0; i < figure.querySelectorAll(controls).length; i++) {
        const node = figure.querySelectorAll(controls)[i];
        if (!node.checkVisibility()) continue;
        if (node.matches("select")) {
            node.selectedIndex = end === "high" ? node.options.length - 1 : 0;
            tell(node, "input", "change");
        } else if (node.matches("[type=range], [type=number]")) {
            node.value = end === "high" ? node.max : node.min;
            tell(node, "input", "change");
        } else if (node.matches("[type=text], textarea")) {
            node.value += node.value.slice(0, 4);
            tell(node, "input", "change");
        } else if (node.matches("button, input")) {
            if (node.textContent !== "Start again") node.click(); // it would undo what the test has done
        } else {
            for (const key of ["Up", "Right", "Right", "Down"]) node.dispatchEvent(press(`Arrow${key}`));
        }
        await new Promise(requestAnimationFrame);
    }
    for (const button of figure.querySelectorAll("button")) {
        if (["Pause", "Stop"].includes(button.textContent)) button.click();
    }
    await new Promise(requestAnimationFrame);
}"""

# Names that two figures share, and names that lead from one figure into another.
FIND_SHARED = """() => {
    const found = [];
    const [all, home] = [[...document.querySelectorAll("*")], node => node.closest(".cw")];
    const inward = /^(for|list|form|aria-(labelledby|describedby|controls|owns))$/;
    const ids = all.map(e => e.id).filter(Boolean);
    found.push(...ids.filter((id, i) => ids.indexOf(id) < i).map(id => `the id ${id} stands twice`));
    for (const node of document.querySelectorAll(".cw *")) {
        for (const { name, value } of node.attributes) {
            const links = [...value.matchAll(/url\\(["']?#([^"')]+)/g)].map(match => match[1]);
            if (inward.test(name)) links.push(...value.split(" "));
            if (/href$/.test(name) && value.startsWith("#")) links.push(value.slice(1));
            for (const id of links) {
                const target = document.getElementById(id);
                if (!target || home(target) !== home(node)) found.push(`${name}=${value} leads out`);
            }
        }
        if (node.type === "radio" && node.name) {
            const group = all.filter(e => e.type === "radio" && e.name === node.name);
            if (group.some(e => home(e) !== home(node))) found.push(`two figures share ${node.name}`);
            if (group.filter(e => e.checked).length !== 1) found.push(`not one choice in ${node.name}`);
        }
        if (node.tagName === "LABEL" && (!node.control || home(node.control) !== home(node)))
            found.push(`the label ${node.textContent} has no control here`);
    }
    return [...new Set(found)];
}"""
NO_NUMBER = re.compile(r"\b(NaN|undefined|null|Infinity)\b|\[object")
STRANGE = [
    "",
    "   ",
    "\U0001f600\u200d\U0001f525",
    "\ud83d",
    "\0",
    "İSTANBUL ß",
    "-1e30",
    "नमस्ते",
    "’‘ʼ",
    "x" * 5000,
]
TYPE = """async (figure, text) => {
    for (const node of figure.querySelectorAll("[type=text], [type=number], textarea")) {
        if (!node.checkVisibility()) continue;
        if (node.type === "number" && !/^(-?\\d+(e\\d+)?)?$/.test(text)) continue; // a browser gives ""
        node.focus();
        node.value = text;
        node.dispatchEvent(new Event("input", { bubbles: true }));
        await new Promise(requestAnimationFrame);
        node.blur();
    }
    await new Promise(requestAnimationFrame);
}"""


def import_each_anew(state: dict) -> None:
    """JupyterLab imports the module anew for each figure; the page's loader does for texts that differ."""
    for number, model in enumerate(state.values()):
        if "_esm" in model["state"]:
            model["state"]["_esm"] += f"\n// {number}"


def looks(page) -> list[str]:
    """What each figure of the page shows, once it is still."""
    settle(page)
    page.wait_for_function(STILL)
    return page.evaluate(LOOKS)


def assert_shows_numbers(page) -> None:
    for look in looks(page):
        wrong = [line for line in look.splitlines() if NO_NUMBER.search(line)]
        assert not wrong, "\n".join(wrong[:5])


@pytest.mark.parametrize("name", FIGURES)
def test_two_figures_of_a_kind_share_nothing(session, tmp_path, name):
    figures = [FIGURES[name](), FIGURES[name]()]
    page = session(reduced_motion="reduce").open(write_page(tmp_path / "p.html", figures, import_each_anew))
    page.wait_for_function("document.querySelectorAll('.cw').length === 2")
    assert page.evaluate(FIND_SHARED) == []
    for end, one, other in [("high", 0, 1), ("low", 1, 0)]:
        before = looks(page)
        page.locator(".cw").nth(one).evaluate(OPERATE, end)
        after = looks(page)
        assert after[one] != before[one], "the controls do something"
        assert after[other] == before[other], "a figure answers to its own controls alone"
        assert page.evaluate(FIND_SHARED) == []
        assert_shows_numbers(page)


@pytest.mark.parametrize("name", FIGURES)
def test_two_views_of_one_figure_stay_in_step(session, tmp_path, name):
    figure = FIGURES[name]()
    page = session(reduced_motion="reduce").open(write_page(tmp_path / "p.html", [figure, figure]))
    page.wait_for_function("document.querySelectorAll('.cw').length === 2")
    for end, one in [("high", 0), ("low", 1)]:
        page.locator(".cw").nth(one).evaluate(OPERATE, end)
        one, other = looks(page)
        if one != other:
            assert one.splitlines() == other.splitlines()
    assert page.evaluate(FIND_SHARED) == []


DARK = {  # how the book, JupyterLab and VS Code tell that they are dark
    "book": "document.documentElement.dataset.theme = 'dark'",
    "JupyterLab": "document.body.dataset.jpThemeLight = 'false'",
    "VS Code": "document.body.classList.add('vscode-dark')",
}


@pytest.mark.parametrize("house", DARK)
@pytest.mark.parametrize("name", [n for n in FIGURES if "canvas" in getattr(utils.widgets, n)._esm])
def test_a_canvas_follows_a_switch_of_the_theme(session, tmp_path, name, house):
    address = write_page(tmp_path / "p.html", [FIGURES[name]()])
    switched, dark = session().open(address), session()
    switched.evaluate(DARK[house])
    start = f"document.addEventListener('readystatechange', () => {{ {DARK[house]} }}, {{ once: true }})"
    dark.context.add_init_script(start)
    assert looks(switched) == looks(dark.open(address))


@pytest.mark.parametrize("name", ["AttentionHeads", "HiddenState", "SentenceClassifier"])
def test_a_typographic_apostrophe_is_read(session, tmp_path, name):
    """A phone's keyboard writes ’ where the networks know '."""
    page = session().open(write_page(tmp_path / "p.html", [FIGURES[name]()]))
    box, shown = page.locator(".cw :is([type=text], textarea)"), []
    for text in ("it isn't so", "it isn\u2019t so"):
        box.fill(text)
        box.blur()
        settle(page)
        shown.append(re.sub("[\u2019]", "'", looks(page)[0]))
    assert shown[0] == shown[1] and "isn" in shown[0]


@pytest.mark.parametrize("name", FIGURES)
def test_what_is_no_input_does_no_harm(session, tmp_path, name):
    page = session(reduced_motion="reduce").open(write_page(tmp_path / "p.html", [FIGURES[name]()]))
    figure = page.locator(".cw")
    for text in STRANGE if page.locator(".cw :is([type=text], [type=number], textarea)").count() else []:
        figure.evaluate(TYPE, text)
        assert_shows_numbers(page)
    for end in ("low", "high"):
        figure.evaluate(OPERATE, end)
        assert_shows_numbers(page)


def edge_values(trait: traitlets.TraitType, value: object) -> list:
    """Values at and beyond the edge of what a trait may be, of its own type."""
    nan, infinity = float("nan"), float("inf")
    if isinstance(trait, traitlets.Bool):
        return [not value]
    if isinstance(trait, traitlets.Int):
        return [-1, 0, 1, 2**31]
    if isinstance(trait, traitlets.Float):
        return [nan, infinity, -infinity, 0, -1, 1e-300, 1e300]
    if isinstance(trait, traitlets.Unicode):
        return ["", "’", "\ud83d", "x" * 10_000]
    if isinstance(trait, traitlets.Bytes):
        return [b"", b"1"]
    if isinstance(trait, traitlets.Dict):
        return [{}, dict.fromkeys(value, nan), dict.fromkeys(value, -1e300)]
    if isinstance(trait, (traitlets.List, traitlets.Tuple)):
        return [
            [],
            [*value[:-1], nan],
            [nan for _ in value],
            value[:1],
            [*value, *value],
            [-5 for _ in value],
        ]
    return [None, ""]


# What from_model writes: these describe a network together, and neither a reader nor a chapter sets them.
MADE = {"weights", "sizes", "letters", "longest", "characters", "prompt", "width", "hidden_size", "hidden"}
MADE |= {"layers", "mean", "std", "pictures", "shape", "labels", "examples"}
MADE |= {"side", "detections", "truths", "generator", "discriminator"}
MAKERS = ("from_model", "from_models", "from_detections")


def edge_figures(name: str) -> list[CourseWidget]:
    """Figures with one trait each at the edge, as far as they are not refused."""
    made = []
    is_made = any(hasattr(FIGURES[name](), maker) for maker in MAKERS)
    skip = {"layout", "tabbable", "tooltip"} | (MADE if is_made else set())
    for trait_name, trait in FIGURES[name]().traits(sync=True).items():
        if trait_name.startswith("_") or trait_name in skip or trait.read_only:
            continue
        for value in edge_values(trait, getattr(FIGURES[name](), trait_name)):
            figure = FIGURES[name]()
            before = getattr(figure, trait_name)
            try:
                setattr(figure, trait_name, value)
            except traitlets.TraitError:
                assert getattr(figure, trait_name) == before, f"{trait_name} = {value!r} is refused and stays"
            else:
                figure.edge = f"{trait_name} = {value!r}"[:80]
                made.append(figure)
    return made


@pytest.mark.parametrize("name", FIGURES)
def test_values_at_the_edge_are_refused_or_shown(session, tmp_path, name):
    figures = edge_figures(name)
    if not figures:
        return  # all of them are refused
    for figure in figures:
        json.dumps({k: v for k, v in figure.get_state().items() if not isinstance(v, bytes)}, allow_nan=False)
    page = session(reduced_motion="reduce").open(write_page(tmp_path / "p.html", figures), ".widget-live")
    page.wait_for_function(
        "n => document.querySelectorAll('.cw, [role=alert]').length >= n", arg=len(figures)
    )
    for figure, place in zip(figures, page.locator(".widget-live").all(), strict=True):
        text = place.inner_text()
        assert place.locator(".cw").count(), f"{figure.edge}: {text}"
        assert not NO_NUMBER.search(text), f"{figure.edge}: {NO_NUMBER.search(text)}"
