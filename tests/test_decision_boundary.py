"""The figure of the decision boundary: its state in Python, and its network in a browser against torch's."""

import re

import numpy as np
import pytest
import torch
from figure_page import freeze, says, settle, write_page
from playwright.sync_api import expect
from torch import nn
from torch.nn import functional as F
from traitlets import TraitError

from utils.widgets import DecisionBoundary

BENDS = {"linear": nn.Identity, "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
FIGURE = "document.querySelectorAll('.cw-boundary')[{}].parentElement.figure"
STATE = """(figure) => {
  const { net } = figure;
  net.differentiate();
  const plain = (part) => Array.from(part);
  const all = (name) => net.layers.map((layer) => layer[name].map(plain));
  const { points, steps, sizes, losses } = net;
  const parameters = { weights: all("values"), gradients: all("gradients") };
  return { points, steps, sizes, losses, ...parameters, ...net.measure() };
}"""


def state(page, view: int = 0) -> dict:
    return page.evaluate(f"({STATE})({FIGURE.format(view)})")


def train(page, count: int) -> None:
    page.evaluate(f"figure => {{ figure.advance({count}); figure.work(Infinity) }}", handle(page))
    settle(page)


def expect_step(page, step: int) -> None:
    """Wait until the picture is that of this step: a network is trained over as many frames as it needs."""
    settle(page)
    expect(page.locator(".cw-result-line")).to_have_text(re.compile(f"^Step {step}:"))


def handle(page):
    return page.evaluate_handle(FIGURE.format(0))


def torch_model(sizes: list[int], weights: list, activation: str) -> nn.Sequential:
    """The page's network in torch, in float64."""
    layers = []
    for (inputs, outputs), (W, b) in zip(zip(sizes[:-1], sizes[1:], strict=True), weights, strict=True):
        layer = nn.Linear(inputs, outputs, dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(torch.tensor(W, dtype=torch.float64).reshape(outputs, inputs))
            layer.bias.copy_(torch.tensor(b, dtype=torch.float64))
        layers += [layer, BENDS[activation]()]
    return nn.Sequential(*layers[:-1])


def flat(pairs: list) -> np.ndarray:
    return np.concatenate([part for pair in pairs for part in pair])


def test_state_can_be_set_and_read():
    figure = DecisionBoundary()
    assert (figure.data, figure.hidden, figure.layers, figure.activation) == ("xor", 4, 1, "tanh")
    assert (figure.seed, figure.steps) == (0, 0)
    figure.data, figure.hidden, figure.activation, figure.steps = "spirals", 16, "relu", 300
    assert (figure.data, figure.hidden, figure.activation, figure.steps) == ("spirals", 16, "relu", 300)


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("hidden", 0, r"hidden in 1\.\.16, got 0"),
        ("hidden", 17, r"hidden in 1\.\.16, got 17"),
        ("layers", 3, r"layers in 1\.\.2, got 3"),
        ("steps", -1, r"steps in 0\.\.4000, got -1"),
        ("seed", 10_000, r"seed in 0\.\.9999, got 10000"),
        ("data", "circle", "circle"),
        ("activation", "step", "step"),
        ("hidden", "many", "many"),
    ],
)
def test_bad_values_are_refused(name, value, words):
    with pytest.raises(TraitError, match=words):
        DecisionBoundary(**{name: value})
    figure = DecisionBoundary()
    before = getattr(figure, name)
    with pytest.raises(TraitError, match=words):
        setattr(figure, name, value)
    assert getattr(figure, name) == before


@pytest.mark.parametrize(
    "data, hidden, layers, activation",
    [
        ("xor", 4, 1, "tanh"),
        ("moons", 1, 2, "relu"),
        ("spirals", 16, 2, "sigmoid"),
        ("spirals", 7, 2, "tanh"),
        ("moons", 5, 1, "linear"),
        ("xor", 9, 1, "relu"),
    ],
)
def test_loss_gradients_and_steps_equal_torchs(session, tmp_path, data, hidden, layers, activation):
    figure = DecisionBoundary(data, hidden=hidden, layers=layers, activation=activation, seed=hidden)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    start = state(page)
    assert start["sizes"] == [2] + [hidden] * layers + [1] and start["steps"] == 0
    model = torch_model(start["sizes"], start["weights"], activation)
    points = torch.tensor(start["points"], dtype=torch.float64)
    assert points.shape == (200, 3) and points[:, 2].mean() == 0.5
    assert points[:, :2].abs().max() < 1.8, "all points are in the picture"
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for step in range(50):
        logits = model(points[:, :2])[:, 0]
        loss = F.binary_cross_entropy_with_logits(logits, points[:, 2])
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            accuracy = ((logits > 0) == (points[:, 2] > 0)).double().mean().item()
            expected = np.concatenate([p.grad.numpy().ravel() for p in model.parameters()])
            assert start["loss"] == pytest.approx(loss.item(), abs=1e-12)
            assert start["accuracy"] == pytest.approx(accuracy, abs=1e-12)
            assert abs(flat(start["gradients"]) - expected).max() < 1e-13
        optimizer.step()
    train(page, 50)
    after = state(page)
    expected = np.concatenate([p.detach().numpy().ravel() for p in model.parameters()])
    assert after["steps"] == 50 and len(after["losses"]) == 51
    assert abs(flat(after["weights"]) - expected).max() < 1e-7
    shown = page.locator(".cw-result-line").inner_text()
    assert shown.startswith(f"Step 50: loss {after['loss']:.3f}, accuracy")


def test_boundary_lies_where_torch_is_undecided(session, tmp_path):
    figure = DecisionBoundary("moons", hidden=8, activation="tanh", steps=200)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    expect_step(page, 200)
    now = state(page)
    model = torch_model(now["sizes"], now["weights"], "tanh")
    path = page.locator(".cw-edge").get_attribute("d")
    pairs = np.array([[float(n) for n in pair] for pair in re.findall(r"([\d.]+) ([\d.]+)", path)])
    x1 = (pairs[:, 0] - 52) / 274 * 3.6 - 1.8
    x2 = ((133 - pairs[:, 1]) / 246) * 3.6 * 246 / 274
    with torch.no_grad():
        undecided = torch.sigmoid(model(torch.from_numpy(np.stack([x1, x2], axis=1))))
    assert len(pairs) > 80 and (undecided - 0.5).abs().max() < 0.03
    units = page.locator(".cw-unit")
    assert units.count() == 8
    for i, (w1, w2) in enumerate(np.reshape(now["weights"][0][0], (8, 2))):
        ends = [float(units.nth(i).get_attribute(name)) for name in ("x1", "y1", "x2", "y2")]
        for u, v in (ends[:2], ends[2:]):
            at = (u - 52) / 274 * 3.6 - 1.8, (133 - v) / 246 * 3.6 * 246 / 274
            assert w1 * at[0] + w2 * at[1] + now["weights"][0][1][i] == pytest.approx(0, abs=1e-9)


def test_four_tanh_units_solve_xor_and_no_linear_network_does(session, tmp_path):
    bent = [DecisionBoundary("xor", hidden=4, activation="tanh", seed=seed) for seed in range(3)]
    straight = [DecisionBoundary("xor", hidden=16, layers=n, activation="linear") for n in (1, 2)]
    for figure in bent + straight:
        page = session().open(write_page(tmp_path / "p.html", [figure]))
        train(page, 600)
        accuracy = state(page)["accuracy"]
        assert accuracy == 1 if figure.activation == "tanh" else accuracy < 0.8
        assert page.locator(".cw-unit").count() == (4 if figure.activation == "tanh" else 0)


def test_buttons_and_choices(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [DecisionBoundary(steps=20)]))
    result = page.locator(".cw-result-line")
    expect_step(page, 20)
    assert page.get_by_role("button", name="Train").is_visible()
    page.get_by_role("button", name="Step", exact=True).click()
    expect_step(page, 21)
    page.get_by_role("button", name="Train").click()
    page.wait_for_function("document.querySelector('.cw-result-line').textContent.match(/Step [1-9]\\d\\d/)")
    page.get_by_role("button", name="Pause").click()
    settle(page)
    paused = result.inner_text()
    settle(page, frames=20)
    assert result.inner_text() == paused and state(page)["steps"] >= 100
    says(page, paused)
    page.get_by_role("button", name="Reset").click()
    expect_step(page, 0)
    first = state(page)["weights"]
    page.get_by_role("button", name="New start").click()
    expect_step(page, 0)
    assert state(page)["weights"] != first
    train(page, 5)
    page.get_by_label("Data").select_option("spirals")
    page.get_by_label("Activation").select_option("relu")
    page.get_by_label("Units a layer").focus()
    page.keyboard.press("End")
    page.get_by_label("Layers").focus()
    page.keyboard.press("ArrowRight")
    expect_step(page, 0)  # another network starts untrained
    now = state(page)
    assert now["sizes"] == [2, 16, 16, 1] and len(now["points"]) == 200
    assert page.locator(".cw-unit").count() == 0, "lines are shown for one hidden layer"


def test_training_stops_by_itself_at_the_last_step(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [DecisionBoundary(hidden=1, steps=3990)]))
    page.wait_for_function("document.querySelector('.cw-result-line').textContent.startsWith('Step 3990')")
    page.get_by_role("button", name="Train").click()
    page.wait_for_function("document.querySelector('.cw-result-line').textContent.startsWith('Step 4000')")
    assert page.get_by_role("button", name="Train").is_visible()


def test_views_of_one_model_stay_in_step(session, tmp_path):
    figure = DecisionBoundary(hidden=3)
    page = session().open(write_page(tmp_path / "p.html", [figure, figure]))
    page.get_by_role("button", name="Train").first.click()
    page.wait_for_function("document.querySelector('.cw-result-line').textContent.match(/Step [1-9]\\d/)")
    page.get_by_role("button", name="Pause").click()
    caught_up = "figure => figure.net.steps === figure.model.get('steps')"
    page.wait_for_function(f"[{FIGURE.format(0)}, {FIGURE.format(1)}].every({caught_up})")
    one, two = state(page, 0), state(page, 1)
    assert one["steps"] == two["steps"] > 5 and one["weights"] == two["weights"]
    page.get_by_label("Units a layer").nth(1).fill("7")
    settle(page)
    assert state(page, 0)["sizes"] == state(page, 1)["sizes"] == [2, 7, 1]


def test_less_motion_means_a_picture_a_second(session, tmp_path):
    page = session(reduced_motion="reduce").open(write_page(tmp_path / "p.html", [DecisionBoundary()]))
    settle(page)
    freeze(page)
    page.evaluate("""() => { window.pictures = 0; new MutationObserver(() => window.pictures++)
        .observe(document.querySelector('.cw-edge'), { attributes: true }) }""")
    page.get_by_role("button", name="Train").click()
    for pictures in (0, 1, 2):
        page.clock.run_for(900)
        assert page.evaluate("window.pictures") == pictures and state(page)["steps"] > 20
    page.get_by_role("button", name="Pause").click()
    page.clock.run_for(50)
    assert page.locator(".cw-result-line").inner_text().startswith(f"Step {state(page)['steps']}:")


def test_fits_a_phone(session, tmp_path):
    phone = session(viewport={"width": 343, "height": 900})
    page = phone.open(write_page(tmp_path / "p.html", [DecisionBoundary("spirals", steps=30)]))
    wide = page.evaluate("""[...document.querySelectorAll('.cw-boundary, .cw-boundary *')]
        .filter(e => e.clientWidth && e.scrollWidth > e.clientWidth && !e.matches('input, .cw-hidden, text'))
        .map(e => e.className + e.textContent)""")
    assert wide == []
