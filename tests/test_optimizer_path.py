"""The optimizer figure: what it refuses, and whether its paths are those of torch.optim."""

import math
import re

import pytest
import torch
from figure_page import assert_refused, drag, says, settle, touch, write_page
from traitlets import TraitError

from utils.widgets import OptimizerPath
from utils.widgets.optimizer_path import OPTIMIZERS, WINDOWS

# settings that converge, oscillate, crawl and diverge
CASES = [
    dict(lr=0.0001, beta1=0.0, beta2=0.0, steps=10, kappa=1.0),
    dict(lr=0.002, beta1=0.9, beta2=0.999, steps=120, kappa=100.0),
    dict(lr=0.0005, beta1=0.99, beta2=0.9, steps=80, kappa=320.0),
    dict(lr=0.03, beta1=0.5, beta2=0.99, steps=60, kappa=30.0),
]


def function(surface: str, kappa: float, w: torch.Tensor) -> torch.Tensor:
    """The surfaces, written down a second time; their gradients are left to autograd."""
    x, y = w
    if surface == "rosenbrock":
        return (1 - x) ** 2 + 100 * (y - x**2) ** 2
    if surface == "saddle":
        return x**2 / 2 + (y**2 - 1) ** 2 / 4
    angle = math.pi / 4 if surface == "turned" else 0.0
    u, v = math.cos(angle) * x + math.sin(angle) * y, math.cos(angle) * y - math.sin(angle) * x
    return (u**2 + kappa * v**2) / 2


def torch_walk(figure: OptimizerPath) -> tuple[torch.Tensor, torch.Tensor]:
    """Path (steps + 1, 2) and losses (steps + 1,) with torch's own optimizer."""
    w = torch.tensor(figure.start, dtype=torch.float64, requires_grad=True)
    heavy = {"lr": figure.lr, "momentum": figure.beta1}
    optimizer = {
        "sgd": lambda: torch.optim.SGD([w], lr=figure.lr),
        "momentum": lambda: torch.optim.SGD([w], **heavy),
        "nesterov": lambda: torch.optim.SGD([w], **heavy, nesterov=figure.beta1 > 0),
        "rmsprop": lambda: torch.optim.RMSprop([w], lr=figure.lr, alpha=figure.beta2),
        "adam": lambda: torch.optim.Adam([w], lr=figure.lr, betas=(figure.beta1, figure.beta2)),
    }[figure.optimizer]()
    path, losses = [], []
    for t in range(figure.steps + 1):
        loss = function(figure.surface, figure.kappa, w)
        path.append(w.detach().clone())
        losses.append(loss.detach())
        if t == figure.steps or w.detach().norm() > 1e6:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.stack(path), torch.stack(losses)


def page_walk(page, figure: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    walk = page.evaluate("i => document.querySelectorAll('.cw-walk')[i].walk()", figure)
    return tuple(torch.tensor(walk[name], dtype=torch.float64) for name in ("path", "losses"))


def assert_equal_walks(ours, theirs) -> None:
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        assert ((a - b).abs() / (1 + b.abs())).max() < 1e-6


def control(page, name: str):
    return page.get_by_label(name).and_(page.locator("input, select"))


def test_starts_with_a_comparison_left_out_and_takes_every_trait():
    figure = OptimizerPath()
    assert (figure.surface, figure.optimizer, figure.start) == ("turned", "momentum", (-1.7, -0.2))
    assert figure.previous == {}
    with figure.hold_sync(), figure.hold_trait_notifications():
        figure.surface, figure.start = "rosenbrock", (0.5, 2.5)
    figure.previous = {"optimizer": "sgd", "lr": 0.5, "start": (1, 1)}
    assert (figure.surface, figure.start) == ("rosenbrock", (0.5, 2.5))


@pytest.mark.parametrize("surface", WINDOWS)
def test_every_surface_has_a_start_inside_its_window(surface):
    assert OptimizerPath(surface).start == WINDOWS[surface][2]


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"surface": "hill"}, "hill"),
        ({"optimizer": "lbfgs"}, "lbfgs"),
        ({"lr": 0}, r"lr in \[0.0001, 3\], got 0"),
        ({"lr": float("nan")}, "lr in"),
        ({"beta1": 1}, "beta1 in"),
        ({"beta2": -0.1}, "beta2 in"),
        ({"steps": 501}, r"steps in \[10, 500\], got 501"),
        ({"kappa": 0.5}, "kappa in"),
        ({"start": (3, 0)}, "start inside the window"),
        ({"start": (float("inf"), 0)}, "start to be finite"),
        ({"previous": {"lr": 0.1}}, "name an optimizer"),
        ({"previous": {"optimizer": "sgd", "momentum": 1}}, "name an optimizer"),
        ({"previous": {"optimizer": "sgd", "lr": 9}}, "lr in"),
        ({"previous": {"optimizer": "sgd", "start": (0, 9)}}, "start inside"),
    ],
)
def test_refuses(arguments, words):
    with pytest.raises(TraitError, match=words):
        OptimizerPath(**arguments)


def test_keeps_its_value_when_a_bad_one_is_refused():
    figure = OptimizerPath()
    assert_refused(figure, [("lr", 9), ("start", (0, 5)), ("steps", "many"), ("previous", {"optimizer": ""})])


@pytest.mark.parametrize("surface", WINDOWS)
def test_paths_equal_torchs(session, tmp_path, surface):
    figures = [OptimizerPath(surface, rule, **case) for rule in OPTIMIZERS for case in CASES]
    page = session().open(write_page(tmp_path / "p.html", figures))
    for i, figure in enumerate(figures):
        assert_equal_walks(page_walk(page, i), torch_walk(figure))


def test_a_path_that_diverges_is_told(session, tmp_path):
    figure = OptimizerPath("valley", "sgd", lr=1.0, steps=500)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    path, _ = page_walk(page)
    assert_equal_walks(page_walk(page), torch_walk(figure))
    assert (
        len(path) < 20
        and f"diverged after {len(path) - 1} steps" in page.locator(".cw-here-told").inner_text()
    )


def test_shown_text_is_the_walks(session, tmp_path):
    figure = OptimizerPath("turned", "momentum", lr=0.01, previous={"optimizer": "sgd", "lr": 0.018})
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    _, losses = torch_walk(figure)
    first = int((losses < 1e-3).nonzero()[0])
    here, before = (page.locator(f".cw-{name}-told").inner_text() for name in ("here", "before"))
    assert here.startswith("Momentum (η 0.01, β₁ 0.9): loss") and f"first below 0.001 after {first}" in here
    shown = float(here.split("loss ")[1].split(" after")[0].replace("\u2212", "-"))
    assert shown == pytest.approx(losses[-1].item(), rel=0.06)
    assert before.startswith("SGD (η 0.018): loss") and "first below" not in before


def test_by_keyboard_and_lists(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [OptimizerPath("turned", "sgd", lr=0.01)]))
    assert control(page, "Momentum β1").is_hidden() and control(page, "Averaging β2").is_hidden()
    control(page, "Optimizer").select_option("adam")
    control(page, "Surface").select_option("saddle")
    settle(page)
    assert control(page, "Narrowness κ").is_hidden() and control(page, "Averaging β2").is_visible()
    page.get_by_role("slider", name="Start").focus()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowUp")
    rate = control(page, "Learning rate η")
    rate.focus()
    page.keyboard.press("ArrowRight")
    control(page, "Averaging β2").focus()
    page.keyboard.press("ArrowLeft")
    control(page, "Steps").focus()
    page.keyboard.press("ArrowRight")
    settle(page)
    lr, beta2 = (
        float(control(page, n).get_attribute("aria-valuetext")) for n in ("Learning rate η", "Averaging β2")
    )
    assert lr == pytest.approx(0.0102, abs=1e-4) and beta2 == pytest.approx(0.9989, abs=1e-4)
    expected = OptimizerPath("saddle", "adam", lr=lr, beta2=beta2, steps=110, start=(-1.4, 0.04))
    assert_equal_walks(page_walk(page), torch_walk(expected))
    says(page, re.compile("^Adam: loss"))


def test_what_was_set_before_stays_as_a_faint_path(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [OptimizerPath("turned", "momentum")]))
    page.clock.install()
    assert page.locator(".cw-before-told").is_hidden()
    before = page.locator("path.cw-here.cw-line").first.get_attribute("d")
    drag(page, page.get_by_role("slider", name="Start").locator(".cw-knob"), 60, -30)
    ghost = page.locator("path.cw-ghost.cw-line").first
    assert ghost.get_attribute("d") == before, "a drag of many moves leaves the path from before it"
    after = page.locator("path.cw-here.cw-line").first.get_attribute("d")
    page.clock.fast_forward(900)  # a new gesture
    control(page, "Optimizer").select_option("nesterov")
    settle(page)
    assert ghost.get_attribute("d") == after and "Momentum" in page.locator(".cw-before-told").inner_text()
    control(page, "Surface").select_option("rosenbrock")
    page.clock.fast_forward(900)
    control(page, "Surface").select_option("valley")
    settle(page)
    assert page.locator(".cw-before-told").is_hidden(), "another surface begins without a faint path"


def test_by_mouse_and_finger(session, tmp_path):
    address = write_page(tmp_path / "p.html", [OptimizerPath("valley", "sgd")])
    page = session().open(address)
    ground = page.locator(".cw-ground").first.bounding_box()
    page.mouse.click(ground["x"] + ground["width"] * 0.75, ground["y"] + ground["height"] * 0.25)
    settle(page)
    assert page_walk(page)[0][0].tolist() == pytest.approx([1, 1], abs=0.05)

    page = session(has_touch=True, is_mobile=True, viewport={"width": 375, "height": 1400}).open(address)
    box = page.get_by_role("slider", name="Start").locator(".cw-knob").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch(page, [(x, y), (x + 30, y), (x + 60, y)])
    assert page_walk(page)[0][0, 0] > -1.3
    assert page.evaluate("scrollY") == 0, "dragging the start must not scroll the page"


def test_views_stay_in_step(session, tmp_path):
    figure = OptimizerPath("rosenbrock", "adam", lr=0.1)
    page = session().open(write_page(tmp_path / "p.html", [figure, figure]))
    control(page, "Steps").nth(1).fill("200")
    settle(page)
    assert len(page_walk(page, 0)[0]) == len(page_walk(page, 1)[0]) == 201
