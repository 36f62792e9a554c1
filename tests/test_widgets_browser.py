"""The interactive figures in a real browser, from a file, made live by the page's own loader."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from figure_page import STATE, drag, says, settle, tap, touch, write_page
from playwright.sync_api import expect
from test_attention_heads import attention_heads
from test_causal_cache import causal_cache
from test_gate_switch import gate_switch
from test_hidden_state import hidden_state
from test_residual_branches import residual_branches
from test_sentence_classifier import sentence_classifier
from test_threshold_costs import threshold_costs
from torch import nn

import utils.widgets
from utils.widgets import (
    ComputationGraph,
    DecisionBoundary,
    DescentPath,
    DrawDigit,
    InceptionBlockCost,
    KernelAttention,
    LabelsAndCurve,
    LineAndLoss,
    OptimizerPath,
    PolynomialFit,
    Roofline,
    SignalDepth,
    SlidingWindow,
    SoftmaxExplorer,
)

FIND_WIDE = """() => {
    const figure = document.querySelector(".cw");
    const end = figure.getBoundingClientRect().right - parseFloat(getComputedStyle(figure).paddingRight);
    const cut = e => getComputedStyle(e).overflowX !== "visible";
    const boxed = e => e !== figure && (cut(e) || boxed(e.parentElement));
    return [...figure.querySelectorAll("*")].filter(e => !e.ownerSVGElement && e.checkVisibility() &&
        e.getBoundingClientRect().right > end + 1 && !boxed(e)).map(e => `${e.tagName}.${e.className}`);
}"""


def network(seed: int) -> nn.Sequential:
    """Chapter 15's shape for an even seed; for an odd one padding, odd sizes and no bias."""
    torch.manual_seed(seed)
    if seed % 2 == 0:
        first = [
            nn.Conv2d(1, 10, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(10, 20, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
        ]
        return nn.Sequential(*first, nn.Flatten(), nn.Linear(320, 10))
    first = [
        nn.Conv2d(1, 3, (3, 6), padding=(2, 1), bias=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(3, 5, 4),
    ]
    return nn.Sequential(
        *first, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(5 * 6 * 4, 16), nn.ReLU(), nn.Linear(16, 10)
    )


def digits(count: int) -> torch.Tensor:
    """Crosses and rings, (count, 28, 28) uint8: enough like digits for the drawing area."""
    rows, columns = np.mgrid[0:28, 0:28] - 13.5
    radii = np.linspace(5, 10, count)[:, None, None]
    return torch.from_numpy((255 * (abs(np.hypot(rows, columns) - radii) < 1.5)).astype(np.uint8))


def draw_digit(seed: int = 0) -> DrawDigit:
    return DrawDigit.from_model(network(seed), examples=digits(3), labels=[0, 6, 9])


def softmax_explorer() -> SoftmaxExplorer:
    return SoftmaxExplorer(labels=["cat", "dog", "bird"], logits=[2.0, 1.0, -1.0])


# One of each kind, ready to show; the tests at the end of this file go through all of them.
FIGURES = {
    "AttentionHeads": attention_heads,
    "HiddenState": hidden_state,
    "OptimizerPath": OptimizerPath,
    "PolynomialFit": PolynomialFit,
    "DescentPath": DescentPath,
    "SlidingWindow": SlidingWindow,
    "LineAndLoss": LineAndLoss,
    "LabelsAndCurve": LabelsAndCurve,
    "DrawDigit": draw_digit,
    "KernelAttention": KernelAttention,
    "GateSwitch": gate_switch,
    "SoftmaxExplorer": softmax_explorer,
    "ComputationGraph": ComputationGraph,
    "ResidualBranches": residual_branches,
    "CausalCache": causal_cache,
    "SentenceClassifier": sentence_classifier,
    "ThresholdCosts": threshold_costs,
    "SignalDepth": SignalDepth,
    "Roofline": Roofline,
    "InceptionBlockCost": InceptionBlockCost,
    "DecisionBoundary": lambda: DecisionBoundary(steps=40),
}


def page_logits(page, pixels: torch.Tensor) -> torch.Tensor:
    """What the figure's own network computes for (n, 28, 28) bytes: (n, 10)."""
    script = "rows => rows.map(row => document.querySelector('.cw-draw').parentElement.logits(row))"
    return torch.tensor(page.evaluate(script, pixels.reshape(-1, 784).tolist()))


def error_shown(page, figure: int = 0) -> float:
    return float(page.locator(".cw-total strong").nth(figure).inner_text())


def value_of(page, name: str) -> float:
    return float(page.get_by_role("slider", name=name, exact=True).first.get_attribute("aria-valuenow"))


def test_line_shows_the_chapters_numbers(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [LineAndLoss(w=1, one_parameter=True)]))
    assert error_shown(page) == 4.67
    slope = page.get_by_label("Slope w").and_(page.locator("input"))
    for w, error in [(0, 18.67), (2, 0), (3, 4.67)]:
        slope.fill(str(w))
        settle(page)
        assert error_shown(page) == error and value_of(page, "Slope w") == w
    assert page.get_by_label("Intercept b").and_(page.locator("input")).is_hidden()
    page.get_by_label("w only (b = 0)").uncheck()
    page.get_by_label("Intercept b").and_(page.locator("input")).fill("-3")
    settle(page)
    assert error_shown(page) == pytest.approx(
        np.mean([(3 * x - 3 - 2 * x) ** 2 for x in (1, 2, 3)]), abs=0.006
    )
    assert page.locator("tbody tr").count() == 3


def test_line_by_keyboard(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [LineAndLoss(w=1, b=0)]))
    page.get_by_role("slider", name="Slope w").first.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+ArrowRight")
    page.get_by_role("slider", name="Intercept b").first.focus()
    page.keyboard.press("ArrowDown")
    page.get_by_role("slider", name="Point on the loss").focus()
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    settle(page)
    step = 0.05
    assert value_of(page, "Slope w") == pytest.approx(1 + step + 10 * step - 10 * step)
    assert value_of(page, "Intercept b") == pytest.approx(-step + 2 * step)
    for _ in range(40):
        page.keyboard.press("Shift+ArrowRight")
    settle(page)
    assert value_of(page, "Slope w") == 5, "the slope stops at the end of its range"
    page.get_by_role("slider", name="Slope w").first.focus()
    stops = []
    for _ in range(7):
        stops.append(page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.type"))
        page.keyboard.press("Tab")
    assert stops == ["Slope w", "Intercept b", "Point on the loss", "range", "range", "checkbox", "checkbox"]


def test_line_by_mouse_and_finger(session, tmp_path):
    address = write_page(tmp_path / "p.html", [LineAndLoss(w=1, b=0)])
    page = session().open(address)
    drag(page, page.get_by_role("slider", name="Intercept b").first.locator(".cw-knob"), 0, -40)
    assert value_of(page, "Intercept b") > 0.5
    drag(page, page.get_by_role("slider", name="Slope w").first.locator(".cw-knob"), 0, -40)
    assert 1.2 < value_of(page, "Slope w") < 2
    ground = page.locator(".cw-high").bounding_box()
    page.mouse.click(ground["x"] + ground["width"] / 2, ground["y"] + ground["height"] / 2)
    settle(page)
    assert (value_of(page, "Slope w"), value_of(page, "Intercept b")) == pytest.approx((2, 0), abs=0.11)

    page = session(has_touch=True, is_mobile=True, viewport={"width": 375, "height": 1100}).open(address)
    box = page.get_by_role("slider", name="Intercept b").first.locator(".cw-knob").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch(page, [(x, y), (x, y - 20), (x, y - 40)])
    assert value_of(page, "Intercept b") > 0.5
    assert page.evaluate("scrollY") == 0, "dragging a handle must not scroll the page"
    ground = page.locator(".cw-high").bounding_box()
    touch(page, [(ground["x"] + ground["width"] * 0.75, ground["y"] + ground["height"] / 2)])
    assert value_of(page, "Slope w") == pytest.approx(3.5, abs=0.11)


def test_line_optimum_and_other_data(session, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    y = 150 + 40 * x + 30 * rng.normal(size=60)
    page = session().open(write_page(tmp_path / "p.html", [LineAndLoss(x, y, w=20, b=100)]))
    assert error_shown(page) == round(np.mean((y - 20 * x - 100) ** 2))
    assert page.locator(".cw-cross").is_hidden()
    page.get_by_label("Show the least-squares solution").check()
    settle(page)
    assert page.locator(".cw-cross").is_visible() and page.locator("table").count() == 0


def test_views_of_one_model_stay_in_step(session, tmp_path):
    figure, drawing = LineAndLoss(), draw_digit()
    page = session().open(write_page(tmp_path / "p.html", [figure, figure, drawing, drawing]))
    page.get_by_label("Slope w").and_(page.locator("input")).nth(1).fill("2")
    page.get_by_label("Example 2: a 6").nth(1).click()
    settle(page)
    assert error_shown(page, 0) == error_shown(page, 1) == 0
    answers = page.locator(".cw-bars").all_inner_texts()
    boards = page.evaluate("[...document.querySelectorAll('.cw-board canvas')].map(c => c.toDataURL())")
    assert answers[0] == answers[1] and boards[0] == boards[1]


@pytest.mark.parametrize("seed", [0, 1])
def test_digit_logits_equal_torchs(session, tmp_path, seed):
    page = session().open(write_page(tmp_path / "p.html", [draw_digit(seed)]))
    pixels = torch.randint(
        0, 256, (20, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )
    with torch.no_grad():
        expected = network(seed)(((pixels / 255 - 0.1307) / 0.3081)[:, None])
    assert (page_logits(page, pixels) - expected).abs().max() < 1e-4


def test_digit_drawn_by_mouse_keyboard_and_finger(session, tmp_path):
    address = write_page(tmp_path / "p.html", [draw_digit()])
    page = session().open(address)
    answer, board = page.locator(".cw-answer"), page.locator(".cw-board canvas")
    first = answer.inner_text()
    assert "says" in first, "the first example is shown before anything is drawn"
    page.get_by_role("button", name="Clear").click()
    assert answer.inner_text() == "Draw a digit from 0 to 9."
    assert set(page.locator(".cw-share").all_inner_texts()) == {"0\u00a0%"}
    drag(page, board, 60, 60)
    assert "says" in answer.inner_text()
    says(page, answer.inner_text())
    board.focus()
    page.keyboard.press("c")
    assert "Draw a digit" in answer.inner_text()
    page.keyboard.press("Space")
    for _ in range(6):
        page.keyboard.press("ArrowDown")
    assert page.locator(".cw-down").is_visible()
    page.keyboard.press("Space")
    assert "says" in answer.inner_text() and page.locator(".cw-down").count() == 0
    page.keyboard.press("c")

    phone = session(has_touch=True, is_mobile=True, viewport={"width": 375, "height": 700}).open(address)
    tap(phone, phone.get_by_role("button", name="Clear"))
    phone.evaluate("scrollTo(0, 0)")
    box = phone.locator(".cw-board canvas").bounding_box()
    touch(phone, [(box["x"] + 150, box["y"] + 60 + 20 * i) for i in range(9)])
    assert "says" in phone.locator(".cw-answer").inner_text()
    assert phone.evaluate("scrollY") == 0, "drawing must not scroll the page"


def test_digit_is_brought_to_the_form_of_mnist(session, tmp_path):
    """A line drawn in a corner: 20 pixels high, ink in the middle, edges soft."""
    page = session().open(write_page(tmp_path / "p.html", [draw_digit()]))
    page.get_by_role("button", name="Clear").click()
    box = page.locator(".cw-board canvas").bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 30, box["y"] + 150, steps=8)
    page.mouse.up()
    settle(page)
    seen = page.evaluate("""() => {
        const context = document.querySelector('.cw-seen canvas').getContext('2d');
        return Array.from(context.getImageData(0, 0, 28, 28).data).filter((_, i) => i % 4 === 0) }""")
    seen = np.array(seen).reshape(28, 28)
    rows, columns = np.nonzero(seen > 20)
    assert 19 <= np.ptp(rows) + 1 <= 21 and np.ptp(columns) + 1 <= 6
    centre = [(seen.sum(axis) * (np.arange(28) + 0.5)).sum() / seen.sum() for axis in (0, 1)]
    assert centre == pytest.approx([14, 14], abs=0.6)
    assert seen.max() > 240 and ((seen > 20) & (seen < 230)).sum() > 10


def assert_softmax(page, logits: list[float], temperature: float = 1) -> None:
    """The figure shows torch's probabilities, and the exponentials and their sum (all with two decimals)."""
    settle(page)
    scaled = torch.tensor(logits, dtype=torch.float64) / temperature
    shown = [text.strip("<>\u00a0%") for text in page.locator("li .cw-share").all_inner_texts()]
    assert [float(text) for text in shown] == pytest.approx((100 * scaled.softmax(0)).tolist(), abs=0.1)
    powers = [float(text) for text in page.locator(".cw-outcome > :first-child").all_inner_texts()[1:]]
    expected = [*scaled.exp().tolist(), scaled.exp().sum().item()]
    assert powers == pytest.approx(expected, abs=0.00501)


def test_softmax_by_keyboard(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [softmax_explorer()]))
    assert_softmax(page, [2, 1, -1])
    page.keyboard.press("Tab")
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    assert_softmax(page, [2.7, 1, -1])
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    assert_softmax(page, [2.7, 5, -1])
    assert page.locator(".cw-top").inner_text().startswith("dog")
    cat, dog, bird = page.locator("li .cw-share").all_inner_texts()
    says(page, f"cat {cat}, dog {dog}, bird {bird}")
    stops = []
    for _ in range(4):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.type"))
    assert stops == ["Logit of bird", "range", "All logits \u2212\u20091", "All logits +\u20091"]


def test_softmax_temperature(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [softmax_explorer()]))
    temperature = page.get_by_label("Temperature T")
    temperature.focus()
    texts = []
    for press in ["Home"] + ["ArrowRight"] * 40:
        page.keyboard.press(press)
        settle(page)
        texts.append(temperature.get_attribute("aria-valuetext"))
        if float(texts[-1]) > 0.5:
            assert_softmax(page, [2, 1, -1], float(texts[-1]))
    assert (texts[0], texts[20], texts[40]) == ("0.10", "1.00", "10.00")
    assert len(set(texts)) == 41, "each step of the slider changes the temperature"
    page.keyboard.press("Home")
    settle(page)
    shares, power = page.locator("li .cw-share"), page.locator("li .cw-outcome > :first-child").first
    assert shares.all_inner_texts() == [">\u00a099.9\u00a0%", "<\u00a00.1\u00a0%", "<\u00a00.1\u00a0%"]
    assert power.inner_text() == "4.9\u00b7108", "e to the 20th is 4.9 times ten to the eighth"


def test_softmax_shift_changes_nothing(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [softmax_explorer()]))
    shares = page.locator("li .cw-share").all_inner_texts()
    up = page.get_by_role("button", name="All logits +")
    for shift in (1, 2, 3):
        up.click()
        assert_softmax(page, [2 + shift, 1 + shift, shift - 1])
        assert page.locator("li .cw-share").all_inner_texts() == shares
    assert up.get_attribute("aria-disabled") == "true"
    up.focus()
    page.keyboard.press("Enter")
    assert_softmax(page, [5, 4, 2])


@pytest.mark.parametrize("count", [2, 10])
def test_softmax_fits_a_phone(session, tmp_path, count):
    labels = ["automobile", "internationalisation", *"01234567"][:count]
    figure = SoftmaxExplorer(labels, [-5, 5, *[4.9] * 8][:count], temperature=0.1)
    page = session(viewport={"width": 343, "height": 900}).open(write_page(tmp_path / "p.html", [figure]))
    wide = page.evaluate("""[...document.querySelectorAll('.cw-softmax, .cw-softmax *')]
        .filter(e => e.clientWidth && e.scrollWidth > e.clientWidth && !e.matches('input, .cw-hidden'))
        .map(e => e.className + e.textContent)""")
    assert wide == []
    assert page.locator("li").count() == count


def test_every_kind_of_figure_is_tested():
    assert set(FIGURES) == set(utils.widgets.__all__)


@pytest.mark.parametrize("name", FIGURES)
def test_theme_motion_and_accessibility(session, tmp_path, name):
    page = session(reduced_motion="reduce").open(write_page(tmp_path / "p.html", [FIGURES[name]()]))
    ink = "getComputedStyle(document.querySelector('.cw')).color"
    light = page.evaluate(ink)
    for theme in ("light", "dark"):
        page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        for width in (732, 320, 375):
            page.set_viewport_size({"width": width, "height": 900})
            settle(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(FIND_WIDE) == [], f"wider than its frame at {width} px"
            if width == 320:
                continue
            found = Axe().run(page, options={"resultTypes": ["violations"]})
            assert found.violations_count == 0, found.generate_report()
    assert page.evaluate(ink) != light, "the figure follows a switch of the theme"
    moving = page.evaluate("""[...document.querySelectorAll('.cw, .cw *')].filter(
        e => !['none', 'all'].includes(getComputedStyle(e).transitionProperty)).length""")
    assert moving == 0, "nothing moves by itself for a reader who wants less motion"
    small = page.evaluate("""() => Math.min(
        ...[...document.querySelectorAll('.cw text, .cw p, .cw span, .cw td')]
        .filter(e => e.textContent.trim() && e.getBoundingClientRect().width > 1).map(e => {
          const scale = e.ownerSVGElement ? Math.hypot(e.getScreenCTM().a, e.getScreenCTM().b) : 1;
          return scale * parseFloat(getComputedStyle(e).fontSize) }))""")
    assert small >= 11, f"text of {small:.1f} px at 375 px"
    added = page.evaluate(
        "Object.keys(window).filter(name => !before.includes(name) && name !== 'before' && name !== 'axe')"
    )
    assert added == [], "the loader and the figures put nothing into the page's globals"


def test_loader_says_what_is_wrong_in_place(session, tmp_path):
    broken, lost, whole = LineAndLoss(), LineAndLoss(), LineAndLoss()

    def spoil(state):
        state[broken.model_id]["state"]["_esm"] = "export default { render() { throw new Error('no ink') } }"
        del state[lost.model_id]

    page = session().open(write_page(tmp_path / "p.html", [broken, lost, whole], spoil))
    alerts = page.locator(".widget-live[role=alert]")
    expect(alerts).to_have_count(2)
    assert "no ink" in alerts.nth(0).inner_text()
    assert "its state is not in the page" in alerts.nth(1).inner_text()
    assert page.evaluate("document.querySelectorAll('style').length") == 2, "one style sheet for all figures"


@pytest.mark.parametrize("name", FIGURES)
def test_cleanup_stops_listening(session, tmp_path, name):
    page = session().open(write_page(tmp_path / "p.html", [FIGURES[name]()]))
    left = page.evaluate(
        """async () => {
          const saved = JSON.parse(document.querySelector('script[type*="widget-state"]').textContent).state;
          const { state, buffers = [] } = Object.values(saved).find((model) => model.state._esm);
          for (const { path, data } of buffers)
            state[path[0]] = new DataView(Uint8Array.from(atob(data), (c) => c.charCodeAt(0)).buffer);
          const blob = new Blob([state._esm], { type: "text/javascript" });
          const module = await import(URL.createObjectURL(blob));
          const listening = [];
          const model = { get: (name) => state[name], set() {}, save_changes() {},
            on: (name, callback) => listening.push([name, callback]),
            off(name, callback) {
              listening.splice(listening.findIndex((one) => one[0] === name && one[1] === callback), 1);
            } };
          const cleanup = module.default.render({ model, el: document.createElement("div") });
          const during = listening.length;
          cleanup();
          return [during, listening.length];
        }"""
    )
    assert left[0] > 0 and left[1] == 0


def widget_pages(book: Path) -> list[Path]:
    return [p for p in sorted(book.rglob("*.html")) if "vnd.jupyter.widget-view+json" in p.read_text("utf-8")]


def test_every_figure_of_the_book_is_live(session, built_book):
    pages = widget_pages(built_book)
    if not pages:
        pytest.skip("no built page holds an interactive figure yet")
    one = session()
    for path in pages:
        page = one.open(path.as_uri())
        views = page.locator('script[type*="widget-view"]').count()
        assert page.locator(".widget-live > .cw").count() == views, f"{path.name}: a figure is not live"
        plain = session(java_script_enabled=False).open(path.as_uri(), ".widget-note")
        assert plain.locator(".widget-note").count() == views, "a reader without JavaScript is told so"


def test_chapters_network_gives_torchs_logits_on_test_digits(session, built_book):
    """The trained weights are read back from the page and run by torch on the same digits."""
    data = pytest.importorskip("utils.data", reason="utils.data is not there yet")
    path = built_book / "chapters" / "convnets" / "first-cnn.html"
    if path not in widget_pages(built_book):
        pytest.skip("the chapter first-cnn is not built yet")
    saved = json.loads(STATE.search(path.read_text("utf-8"))[1])["state"].values()
    drawn = next(model for model in saved if "layers" in model["state"])
    buffer = next(b["data"] for b in drawn["buffers"] if b["path"] == ["weights"])
    model = rebuild(
        drawn["state"]["layers"], torch.frombuffer(bytearray(base64.b64decode(buffer)), dtype=torch.float32)
    )
    _, (images, labels) = data.mnist()
    with torch.no_grad():
        expected = model(((images[:200] / 255 - drawn["state"]["mean"]) / drawn["state"]["std"])[:, None])
    page = session().open(path.as_uri(), ".cw-draw")
    logits = page_logits(page, images[:200])
    assert (logits - expected).abs().max() < 1e-4
    assert (logits.argmax(1) == labels[:200]).float().mean() > 0.97, "the page's network is the trained one"


def rebuild(layers: list[dict], weights: torch.Tensor) -> nn.Sequential:
    """The torch module that a figure's descriptions and weights stand for."""
    made = []
    for layer in layers:
        if layer["type"] == "conv":
            sizes = {"kernel_size": tuple(layer["kernel"]), "padding": tuple(layer["padding"])}
            made.append(nn.Conv2d(layer["inputs"], layer["outputs"], **sizes))
        elif layer["type"] == "linear":
            made.append(nn.Linear(layer["inputs"], layer["outputs"]))
        else:
            made.append({"pool": nn.MaxPool2d(2), "relu": nn.ReLU(), "flatten": nn.Flatten()}[layer["type"]])
    model = nn.Sequential(*made)
    nn.utils.vector_to_parameters(weights, model.parameters())
    return model
