"""The pages in a real browser, from file://: nothing from elsewhere, no fault, readable, accessible."""

import contextlib
import gzip
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from conftest import ROOT, build_book
from playwright.sync_api import TimeoutError as PlaywrightTimeout

SIZES = {
    "desktop": {"width": 1280, "height": 900},
    "phone": {"width": 375, "height": 800},
    "smallest": {"width": 320, "height": 640},  # WCAG 2.2, criterion 1.4.10
}
LARGEST_PAGE = 900_000  # bytes; the stock set-up takes 1,250,000
LOCAL_SCHEMES = ("file", "data", "blob")
# Rules of axe-core that the course does not follow, each with its reason: none.
AXE_EXCEPTIONS: dict[str, str] = {}
# The forms in which a page is looked at, with axe's rules: all once; then those that the form can break.
FORMS = {
    ("light", "desktop"): None,
    ("light", "phone"): ["scrollable-region-focusable", "target-size"],
    ("light", "smallest"): [],
    ("dark", "desktop"): ["color-contrast", "link-in-text-block"],
}
# What is the same on every page is looked at on these two, and left out on the others.
WHOLE = ("index", "linear-model")
FRAME = [[".bd-sidebar-primary"], ["header"], ["footer"]]
WAIT_FOR_PAGE = """async () => {
    if (window.MathJax?.startup?.promise) await window.MathJax.startup.promise;
    await document.fonts.ready;
    await new Promise(done => setTimeout(done, 150));
}"""
SETTLED = """() => !document.querySelector("main [aria-busy=true]") &&
    [...document.querySelectorAll("main pre, main .pst-scrollable-table-container")].every(e =>
        e.tabIndex >= 0 || e.scrollWidth <= e.clientWidth)"""
FIND_OVERFLOW = """() => {
    const root = document.documentElement;
    const over = root.scrollWidth - root.clientWidth;
    if (over <= 0) return null;
    const boxed = e => { // does something around it scroll or cut it off?
        for (let box = e.parentElement; box && box !== document.body; box = box.parentElement)
            if (getComputedStyle(box).overflowX !== "visible") return true;
        return false;
    };
    const wide = [...document.querySelectorAll("body *")].filter(e => e.checkVisibility() &&
        e.getBoundingClientRect().right > root.clientWidth + 0.5 && !boxed(e));
    const name = e => `${e.tagName.toLowerCase()}.${e.className} "${e.textContent.trim().slice(0, 40)}"`;
    return `${over} px too wide: ${wide.reverse().slice(0, 5).map(name).join(", ")}`;
}"""
FIND_SHUT = """() => [...document.querySelectorAll("main details")]
    .filter(fold => ![...fold.children].some(e => e.tagName !== "SUMMARY" && e.checkVisibility() &&
        e.getBoundingClientRect().height))
    .map(fold => fold.textContent.trim().slice(0, 80))"""
FIND_UNTYPESET = """() => [...document.querySelectorAll(".math")]
    .filter(e => !e.querySelector("mjx-container") || e.querySelector("mjx-merror, [data-mjx-error]"))
    .map(e => e.textContent.slice(0, 80))"""


@dataclass
class Visit:
    """What one page did while it was open in all its forms."""

    requests: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    overflow: list[str] = field(default_factory=list)
    axe: list[str] = field(default_factory=list)
    untypeset: list[str] = field(default_factory=list)
    nameless: list[str] = field(default_factory=list)
    shut: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    holds_math: bool = False


def page_files(book: Path) -> list[Path]:
    """Every page of the book."""
    return sorted(path for path in book.rglob("*.html") if "_static" not in path.parts)


def run_axe(page, form: str, rules: list[str] | None, skip: list[list[str]]) -> list[str]:
    """The violations that axe-core finds outside ``skip``, a line each; ``rules`` limits it to some."""
    options: dict = {"resultTypes": ["violations"], "preload": False}  # preloading needs more than file://
    if rules:
        options["runOnly"] = {"type": "rule", "values": rules}
    if not page.evaluate("'axe' in window"):  # half a megabyte, read once a page
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate(
        "async ([skip, options]) => (await axe.run(skip, options)).violations", [{"exclude": skip}, options]
    )
    return [
        f"{form}: {rule['id']} at {' '.join(node['target'][0:1])} ({rule['help']}): {node['html'][:100]}"
        for rule in found
        if rule["id"] not in AXE_EXCEPTIONS
        for node in rule["nodes"][:3]
    ]


def inspect(page, path: Path, visit: Visit) -> None:
    """Open one page, and look at it on a desktop and a phone, light and dark."""
    page.set_viewport_size(SIZES["desktop"])
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.goto(path.as_uri())
    page.evaluate(WAIT_FOR_PAGE)
    visit.holds_math = page.locator(".math").count() > 0
    visit.untypeset = page.evaluate(FIND_UNTYPESET)
    visit.nameless = page.eval_on_selector_all("main img", "all => all.filter(e => !e.alt).map(e => e.src)")
    visit.scripts = page.eval_on_selector_all("script[src]", "all => all.map(e => e.src)")
    for (theme, name), rules in FORMS.items():
        page.emulate_media(color_scheme=theme)
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        page.set_viewport_size(SIZES[name])
        over = page.evaluate(FIND_OVERFLOW)
        visit.overflow += [f"{theme} {name}: {over}"] if over else []
        if rules == []:
            continue
        with contextlib.suppress(PlaywrightTimeout):  # then axe says what is not ready
            page.wait_for_function(SETTLED, timeout=20_000)
        skip = [["mjx-container"]]
        skip += [] if path.stem in WHOLE else FRAME
        if name == "desktop" and path.stem != "linear-model":
            skip.append([".highlight"])  # slow, and its colours are the same on every page
        visit.axe += run_axe(page, f"{theme} {name}", rules, skip)
    page.emulate_media(media="print")
    visit.shut = page.evaluate(FIND_SHUT)
    page.emulate_media(media="screen")


@pytest.fixture(scope="module")
def visits(built_book: Path, browser) -> Iterator[dict[str, Visit]]:
    """Page name to what was seen there; every page is opened once."""
    context = browser.new_context(viewport=SIZES["desktop"])
    page = context.new_page()
    seen: dict[str, Visit] = {}
    now = Visit()
    page.on("request", lambda request: now.requests.append(request.url))
    page.on("requestfailed", lambda request: now.faults.append(f"not loaded: {request.url}"))
    page.on("pageerror", lambda error: now.faults.append(f"script error: {error}"))
    page.on(
        "console", lambda line: now.faults.append(f"console: {line.text}") if line.type == "error" else None
    )
    for path in page_files(built_book):
        now = seen[path.relative_to(built_book).as_posix()] = Visit()
        inspect(page, path, now)
    yield seen
    context.close()


def complain(visits: dict[str, Visit], what: str, mend: str) -> None:
    """Fail with every page's faults of one kind, and the mend."""
    lines = [f"{name}: {fault}" for name, visit in visits.items() for fault in getattr(visit, what)]
    assert not lines, "\n".join([*lines[:30], f"({len(lines)} in all) {mend}"])


def test_pages_ask_no_other_host(visits):
    foreign = {
        name: [url for url in visit.requests if urlsplit(url).scheme not in LOCAL_SCHEMES]
        for name, visit in visits.items()
    }
    lines = [f"{name}: {url}" for name, urls in foreign.items() for url in urls]
    assert not lines, "\n".join([*lines, "serve it from book/static, or leave it out"])


def test_pages_have_no_script_error(visits):
    complain(visits, "faults", "find it in the browser's console; every file that a page names must exist")


def test_pages_do_not_scroll_sideways(visits):
    complain(visits, "overflow", "let what is wide scroll in its own box (book/static/style.css)")


def test_pages_are_accessible(visits):
    complain(visits, "axe", "see dequeuniversity.com for the rule; the exceptions are in AXE_EXCEPTIONS")


def test_folded_text_is_printed(visits):
    complain(visits, "shut", "on paper nothing opens (book/static/style.css, @media print)")


def test_printing_opens_what_is_folded_and_shuts_it_again(built_book: Path, browser):
    """The script's part, for browsers whose style sheets cannot open a fold."""
    page = browser.new_page(color_scheme="dark")
    page.goto((built_book / "chapters" / "training" / "optimizers.html").as_uri())
    page.evaluate(WAIT_FOR_PAGE)
    page.locator("main summary").last.click()
    look = """() => [document.documentElement.dataset.theme,
        [...document.querySelectorAll("main details")].map(fold => fold.open)]"""
    before = page.evaluate(look)
    page.evaluate(f"addEventListener('beforeprint', () => {{ window.printed = ({look})(); }})")
    page.pdf()
    theme, folds = page.evaluate("window.printed")
    assert before[0] == "dark" and sum(before[1]) == 1 and not before[1][0]
    assert theme == "light" and all(folds)
    assert page.evaluate(look) == before
    page.close()


def test_mathematics_is_typeset(visits):
    complain(visits, "untypeset", "MathJax did not understand this formula, or was not loaded")


def test_pictures_have_alternative_texts(visits):
    complain(visits, "nameless", 'give the cell the metadata {"mystnb": {"image": {"alt": "…"}}}')


def test_mathjax_only_where_there_is_mathematics(visits):
    wrong = [n for n, v in visits.items() if any("mathjax/" in s for s in v.scripts) != v.holds_math]
    assert not wrong, f"MathJax (1.15 MB) and formulas do not come together on {wrong}"


def test_pages_are_light(built_book: Path, visits):
    """All that a page loads, compressed as a server sends it, without its pictures."""
    heavy = []
    for name, visit in visits.items():
        files = {Path(unquote(urlsplit(url).path)) for url in visit.requests if url.startswith("file:")}
        files = {path for path in files if "_images" not in path.parts}
        size = sum(len(gzip.compress(path.read_bytes(), 6)) for path in files)
        heavy += [f"{name}: {size / 1e3:.0f} kB"] if size > LARGEST_PAGE else []
    assert not heavy, f"expected at most {LARGEST_PAGE / 1e3:.0f} kB a page: " + ", ".join(heavy)


def test_search_finds_pages(built_book: Path, browser):
    page = browser.new_page()
    faults: list[str] = []
    page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    page.goto((built_book / "index.html").as_uri())
    page.locator(".search-button-field").click()
    page.locator("#pst-search-dialog input").fill("notation")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results li a", timeout=10_000)
    links = page.eval_on_selector_all("#search-results li a", "all => all.map(e => e.href)")
    page.close()
    assert any("back-matter/notation.html" in link for link in links), links
    assert not faults, faults


def test_theme_switch_works_by_keyboard(built_book: Path, browser):
    page = browser.new_page(color_scheme="light")
    page.goto((built_book / "index.html").as_uri())
    page.evaluate(WAIT_FOR_PAGE)
    themes = set()
    for _ in range(3):
        page.locator(".theme-switch-button").first.focus()
        page.keyboard.press("Enter")
        themes.add(page.evaluate("document.documentElement.dataset.theme"))
    page.close()
    assert themes == {"light", "dark"}


class Anchors(HTMLParser):
    """Collects the ids and the links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            elif (name == "href" and tag in ("a", "link")) or name == "src":
                self.links.append(value or "")


def read_anchors(path: Path) -> Anchors:
    """The anchors of a page."""
    anchors = Anchors()
    anchors.feed(path.read_text(encoding="utf8"))
    return anchors


def test_links_and_anchors_resolve(built_book: Path):
    pages = {path: read_anchors(path) for path in page_files(built_book)}
    faults = []
    for path, anchors in pages.items():
        name = path.relative_to(built_book)
        faults += [f"{name}: the id {i!r} stands twice" for i in set(anchors.ids) if anchors.ids.count(i) > 1]
        for link in anchors.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                faults.append(f"{name}: no file for the link {link!r}")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
                faults.append(f"{name}: no anchor for the link {link!r}")
    assert not faults, "\n".join(faults[:30])


# ---- Small books, to try what the real one does not show at one time ----

NOTEBOOK = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    "cells": [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# A chapter\n\nA sentence."},
        {"cell_type": "code", "id": "b", "metadata": {}, "execution_count": 1, "outputs": [], "source": "1"},
    ],
}
TOC = "format: jb-book\nroot: index\nchapters:\n  - file: chapters/part/name\n"
RECORD = {
    "chapter": "part/name",
    "experiment": "three lines",
    "metrics": {"test accuracy": 0.98765, "MSE": 4.6667},
    "notes": {"MSE": 4.67},
    "seconds": 1.25,
    "device": "cpu",
    "device_name": "cpu, 1 thread",
    "seed": 0,
    "date": "2025-01-31",
}


def build_small_book(folder: Path, url: str = "", records: str | None = None) -> dict[str, str]:
    """Build a book of one chapter with the course's configuration; page name to its HTML."""
    source = folder / "source"
    (source / "chapters" / "part").mkdir(parents=True)
    (source / "results").mkdir()
    config = (ROOT / "_config.yml").read_text(encoding="utf8")
    lines = [f'  url: "{url}"' if line.startswith("  url:") else line for line in config.splitlines()]
    (source / "_config.yml").write_text("\n".join(lines), encoding="utf8")
    (source / "_toc.yml").write_text(TOC, encoding="utf8")
    (source / "index.md").write_text("# Book\n\n```{course-results}\n```\n", encoding="utf8")
    (source / "chapters" / "part" / "name.ipynb").write_text(json.dumps(NOTEBOOK), encoding="utf8")
    for name in ("book", "utils"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "references.bib", source / "references.bib")
    if records is not None:
        (source / "results" / "cpu.json").write_text(records, encoding="utf8")
    html = build_book(source, folder / "output")
    return {path.relative_to(html).as_posix(): path.read_text(encoding="utf8") for path in page_files(html)}


def test_with_an_address_pages_launch_and_results_show(tmp_path: Path):
    address = "https://github.com/someone/some-course"
    pages = build_small_book(tmp_path, address, json.dumps([RECORD]))
    chapter, index = pages["chapters/part/name.html"], pages["index.html"]
    path = "chapters/part/name.ipynb"
    assert f"https://mybinder.org/v2/gh/someone/some-course/main?urlpath=lab/tree/{path}" in chapter
    assert f"https://colab.research.google.com/github/someone/some-course/blob/main/{path}" in chapter
    assert f'href="{address}"' in chapter
    for shown in ("98.77 %", "4.667", "4.67", "1.2 s", "cpu, 1 thread, 2025-01-31", "A chapter"):
        assert shown in index, f"{shown!r} is not on the page of the results"
    assert "No run on this kind of device is recorded yet: GPU." in index


def test_without_an_address_no_page_launches(tmp_path: Path):
    pages = build_small_book(tmp_path)
    for name, text in pages.items():
        for word in ("mybinder.org", "colab.research", "github.com", "launch-buttons", "source-buttons"):
            assert word not in text, f"{name} holds {word!r} although _config.yml gives no address"


def test_malformed_results_are_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A warning is enough: the book is built with warnings as errors."""
    monkeypatch.syspath_prepend(ROOT / "book")
    from course import results

    warnings: list[str] = []
    monkeypatch.setattr(
        results.LOGGER, "warning", lambda text, *values, **kind: warnings.append(text % values)
    )
    (tmp_path / "cpu.json").write_text(json.dumps([{"chapter": "part/name"}]), encoding="utf8")
    assert set(map(len, results.read_records(tmp_path).values())) == {0}
    assert len(warnings) == 1
    assert "cpu.json" in warnings[0]
