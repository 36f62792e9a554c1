"""A page with interactive figures as myst-nb writes it, and what a mouse and a finger do on it."""

import json
import re
from pathlib import Path

import pytest
from ipywidgets.embed import embed_data
from playwright.sync_api import expect
from traitlets import TraitError

LOADER = (Path(__file__).resolve().parents[1] / "book" / "static" / "widgets.js").as_uri()
STATE = re.compile(r'<script type="application/vnd\.jupyter\.widget-state\+json">(.*?)</script>', re.S)
PAGE = """<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>Figures</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>html { --pst-color-background: #fff }
html[data-theme=dark] { --pst-color-background: #121212; color: #fff }
body { margin: 16px; background: var(--pst-color-background) }</style>
<script>var before = Object.keys(window)</script></head><body><main><h1>Figures</h1>VIEWS</main>
<script type="application/vnd.jupyter.widget-state+json">STATE</script>
<script defer src="LOADER"></script></body></html>"""


def write_page(path: Path, widgets: list, spoil=None) -> str:
    """A page as myst-nb writes it: the saved state once, and a script for each view; returns its address.

    ``spoil`` may change the saved state (model id -> model) before it is written.
    """
    data = embed_data(views=widgets, drop_defaults=False)
    state = json.loads(json.dumps(data["manager_state"]))
    if spoil:
        spoil(state["state"])
    kind = "application/vnd.jupyter.widget-view+json"
    views = [f'<div><script type="{kind}">{json.dumps(view)}</script></div>' for view in data["view_specs"]]
    page = PAGE.replace("LOADER", LOADER).replace("VIEWS", "".join(views))
    path.write_text(page.replace("STATE", json.dumps(state).replace("</", "<\\/")), encoding="utf-8")
    return path.as_uri()


def settle(page, frames: int = 2) -> None:
    """Two frames of the page: figures redraw once a frame, and what was asked for before has been drawn."""
    for _ in range(frames):
        page.evaluate("() => new Promise(requestAnimationFrame)")


def freeze(page) -> None:
    """From here on the page's timers and frames wait for page.clock.run_for; resume() lets them go on.

    In between settle would wait for ever.
    """
    page.clock.install(time=0)
    page.clock.pause_at(3600)


def says(page, words: str | re.Pattern) -> None:
    """Wait until the live region, which speaks once things are still, says just this, or what matches."""
    live = page.locator("[aria-live=polite]")
    expect(live).to_have_text(words)
    if isinstance(words, str):
        assert live.inner_text() == words, "to the last space"


def centre(locator) -> tuple[float, float]:
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page, locator, dx: float, dy: float) -> None:
    x, y = centre(locator)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx / 2, y + dy / 2, steps=3)
    page.mouse.move(x + dx, y + dy, steps=3)
    page.mouse.up()
    settle(page)


def touch(page, points: list[tuple[float, float]]) -> None:
    """One finger that goes down at the first point, moves through the others and leaves.

    A single point is a tap: the browser makes a click of it a little later.
    """
    clicks = page.evaluate_handle("[]")
    clicks.evaluate("clicks => addEventListener('click', () => clicks.push(1), { capture: true })")
    client = page.context.new_cdp_session(page)
    for i, (x, y) in enumerate(points):
        kind = "touchMove" if i else "touchStart"
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    if len(points) == 1:
        page.wait_for_function("clicks => clicks.length", arg=clicks)
    settle(page)


def tap(page, locator) -> None:
    locator.scroll_into_view_if_needed()
    touch(page, [centre(locator)])


def assert_refused(figure, bad: list[tuple[str, object]]) -> None:
    """Each of the bad values raises, and leaves the trait as it was."""
    for name, value in bad:
        before = getattr(figure, name)
        with pytest.raises(TraitError):
            setattr(figure, name, value)
        assert getattr(figure, name) == before, name
