"""The GRU with forced gates: what goes into its state, what the page computes, how it is used."""

import gzip
from itertools import product

import numpy as np
import pytest
import torch
from figure_page import assert_refused, drag, says, settle, tap, write_page
from torch import nn

from utils.widgets import GateSwitch

STEPS = 20


def sequence(steps: int = STEPS, seed: int = 0) -> tuple[list[float], list[bool]]:
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, steps).round(2).tolist(), (rng.random(steps) < 0.2).tolist()


def modules(hidden: int = 17, seed: int = 0) -> tuple[nn.GRUCell, nn.Linear]:
    """Weights as large as training makes them, which half precision holds exactly."""
    torch.manual_seed(seed)
    cell, answer = nn.GRUCell(2, hidden), nn.Linear(hidden, 1)
    for p in (*cell.parameters(), *answer.parameters()):
        p.data = (1.5 * hidden**-0.5 * torch.randn_like(p)).half().float()
    return cell, answer


def gate_switch(hidden: int = 17, steps: int = STEPS, seed: int = 0) -> GateSwitch:
    return GateSwitch.from_model(*modules(hidden, seed), *sequence(steps, seed))


def by_cell(cell, answer, values, marks, update, reset, span):
    """Torch's own cell; a gate is forced by a bias that is so large that its sigmoid is 0 or 1."""
    n = cell.hidden_size
    forced = {key: value.clone() for key, value in cell.state_dict().items()}
    for block, value in ((0, reset), (1, update)):
        if value != "free":
            forced["bias_ih"][block * n : (block + 1) * n] = 1e4 * (2 * int(value) - 1)
    other = nn.GRUCell(2, n)
    other.load_state_dict(forced)
    h, states = torch.zeros(1, n), []
    for t, (value, mark) in enumerate(zip(values, marks, strict=True), start=1):
        inside = span[0] <= t <= span[1]
        h = (other if inside else cell)(torch.tensor([[value, float(mark)]]), h)
        states.append(h[0])
    states = torch.stack(states)
    return answer(states)[:, 0], states


CASES = [
    (update, reset, span)
    for (update, reset), span in product(product(("free", "0", "1"), repeat=2), [(1, STEPS), (4, 4), (7, 15)])
]


# Python's side


@pytest.mark.parametrize("hidden", [1, 17, 30])
@torch.no_grad()
def test_run_is_torchs_cell_with_any_gate_forced(hidden):
    cell, answer = modules(hidden, hidden)
    values, marks = sequence(seed=hidden)
    figure = GateSwitch.from_model(cell, answer, values, marks)
    for update, reset, span in CASES:
        found = figure.run(update=update, reset=reset, span=span)
        answers, states = by_cell(cell, answer, values, marks, update, reset, span)
        assert (found["answers"] - answers).abs().max() < 1e-4
        assert (found["states"] - states).abs().max() < 1e-5
        for name, value in (("update", update), ("reset", reset)):
            if value != "free":
                assert (found[name][span[0] - 1 : span[1]] == float(value)).all()


@torch.no_grad()
def test_free_run_is_nn_gru():
    cell, answer = modules()
    figure = gate_switch()
    layer = nn.GRU(2, 17)
    layer.load_state_dict({f"{name}_l0": value for name, value in cell.state_dict().items()})
    x = torch.tensor([[v, float(m)] for v, m in zip(figure.values, figure.marks, strict=True)])
    assert (answer(layer(x)[0])[:, 0] - figure.run()["answers"]).abs().max() < 1e-4
    figure.update, figure.span = "1", (2, STEPS)
    held = figure.run()["states"]
    assert torch.equal(held[1:], held[:1].expand(STEPS - 1, -1)), "an update gate of 1 keeps every number"


def test_the_modules_are_left_as_they_are():
    cell, answer = modules()
    cell, answer = cell.double().train(), answer.double()
    before = {name: value.clone() for name, value in cell.state_dict().items()}
    GateSwitch.from_model(cell, answer, *sequence()).run()
    assert cell.training and all(
        torch.equal(before[name], value) for name, value in cell.state_dict().items()
    )


def test_other_modules_and_sequences_are_refused():
    cell, answer = modules()
    values, marks = sequence()
    for wrong in (nn.LSTMCell(2, 17), nn.GRUCell(3, 17), nn.GRUCell(2, 17, bias=False), nn.GRUCell(2, 65)):
        with pytest.raises(ValueError, match="expected a GRUCell of 2 inputs"):
            GateSwitch.from_model(wrong, answer, values, marks)
    for wrong in (nn.Linear(17, 2), nn.Linear(16, 1), cell):
        with pytest.raises(ValueError, match=r"expected an answer nn\.Linear\(17, 1\)"):
            GateSwitch.from_model(cell, wrong, values, marks)


def test_bad_values_are_refused_and_change_nothing():
    bad = [
        ("values", [0.5]),
        ("values", [2.0] * STEPS),
        ("values", [float("nan")] * STEPS),
        ("values", [0.1] * 33),
        ("marks", [True]),
        ("update", "open"),
        ("reset", 1),
        ("span", (0, 5)),
        ("span", (5, 4)),
        ("span", (1, STEPS + 1)),
        ("chosen", 0),
        ("chosen", STEPS + 1),
    ]
    figure = gate_switch()
    assert_refused(figure, bad)
    figure.update, figure.reset, figure.span, figure.chosen = "0", "1", (3, 9), 4
    assert (figure.update, figure.reset, figure.span, figure.chosen) == ("0", "1", (3, 9), 4)


def test_the_state_stays_small():
    figure = gate_switch()
    assert len(figure.weights) < 2500
    assert len(gzip.compress((figure._esm + figure._css).encode())) < 10_000


# In the browser


def in_page(page, update: str, reset: str, span: tuple[int, int]) -> list[dict]:
    script = "([u, r, s]) => document.querySelector('.cw-gates').parentElement.run(u, r, s)"
    return page.evaluate(script, [update, reset, list(span)])


def error(figure: GateSwitch, **forced) -> str:
    answers, target, squares = figure.run(**forced)["answers"].tolist(), None, []
    for a, v, m in zip(answers, figure.values, figure.marks, strict=True):
        target = v if m else target
        if target is not None:
            squares.append((a - target) ** 2)
    return f"{np.sqrt(np.mean(squares)):.3f}"


@pytest.mark.parametrize(("hidden", "seed"), [(17, 0), (5, 1)])
def test_numbers_are_torchs_with_any_gate_forced(session, tmp_path, hidden, seed):
    figure = gate_switch(hidden, seed=seed)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    for update, reset, span in CASES:
        found, expected = (
            in_page(page, update, reset, span),
            figure.run(update=update, reset=reset, span=span),
        )
        for name, key in (
            ("answers", "answer"),
            ("states", "state"),
            ("update", "update"),
            ("reset", "reset"),
        ):
            gap = (torch.tensor([row[key] for row in found]) - expected[name]).abs().max()
            assert gap < 1e-4, (name, update, reset, span)


def test_forcing_a_gate_changes_the_answer_and_the_error(session, tmp_path):
    figure = gate_switch()
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    result, path = page.locator(".cw-result"), page.locator("path.cw-forced")
    assert result.inner_text() == f"Root mean square error: {error(figure)} with free gates"
    assert path.get_attribute("visibility") == "hidden"
    page.get_by_role("group", name="Update gate z").get_by_label("1 keep").check()
    settle(page)
    assert result.inner_text().endswith(f", {error(figure, update='1')} as forced")
    assert path.get_attribute("visibility") == "visible"
    page.get_by_label("Forced from").fill("6")
    settle(page)
    page.get_by_label("Forced up to").fill("12")
    settle(page)
    assert result.inner_text().endswith(f", {error(figure, update='1', span=(6, 12))} as forced")
    page.get_by_label("Forced from").fill("15")  # beyond the end: the end goes along
    settle(page)
    assert page.get_by_label("Forced up to").input_value() == "15"
    page.get_by_role("group", name="Reset gate r").get_by_label("0 hide").check()
    settle(page)
    words = error(figure, update="1", reset="0", span=(15, 15))
    says(page, f"Root mean square error: {error(figure)} with free gates, {words} as forced")
    page.get_by_role("button", name="Free both gates").click()
    settle(page)
    assert result.inner_text() == f"Root mean square error: {error(figure)} with free gates"


def test_numbers_and_marks_are_edited(session, tmp_path):
    figure = gate_switch(steps=10, seed=3)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    page.get_by_label("Step", exact=True).fill("4")
    settle(page)
    page.get_by_role("slider", name="Number", exact=True).fill("-0.55")
    page.get_by_label("marked: to be remembered").set_checked(not figure.marks[3])
    settle(page)
    figure.values = [*figure.values[:3], -0.55, *figure.values[4:]]
    figure.marks = [*figure.marks[:3], not figure.marks[3], *figure.marks[4:]]
    assert (
        page.locator(".cw-result").inner_text() == f"Root mean square error: {error(figure)} with free gates"
    )
    page.get_by_role("slider", name="Number at the chosen step").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    settle(page)
    below = max(-1, round((figure.values[4] - 0.5) * 20) / 20)
    figure.values = [*figure.values[:3], -0.5, below, *figure.values[5:]]
    assert (
        page.locator(".cw-result").inner_text() == f"Root mean square error: {error(figure)} with free gates"
    )
    assert page.get_by_label("Step", exact=True).input_value() == "5"


def test_no_mark_is_told(session, tmp_path):
    figure = GateSwitch.from_model(*modules(), [0.1, 0.2, 0.3], [False] * 3)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    assert page.locator(".cw-result").inner_text() == "No step is marked: there is nothing to remember."


def test_mouse_and_finger_set_numbers(session, tmp_path):
    page = session(has_touch=True).open(write_page(tmp_path / "p.html", [gate_switch()]))
    grip = page.get_by_role("slider", name="Number at the chosen step")
    before = float(grip.get_attribute("aria-valuenow"))
    drag(page, grip.locator(".cw-knob"), 0, 40 if before > 0 else -40)
    after = float(grip.get_attribute("aria-valuenow"))
    assert after < before if before > 0 else after > before
    tap(page, page.locator(".cw-stem").nth(11))
    assert grip.get_attribute("aria-valuetext").startswith("step 12:")


def test_views_stay_in_step_and_start_as_python_left_them(session, tmp_path):
    figure = gate_switch()
    figure.update, figure.span, figure.chosen = "0", (3, 8), 5
    page = session().open(write_page(tmp_path / "p.html", [figure, figure]))
    assert (
        page.get_by_label("0 write").first.is_checked() and page.get_by_label("0 write").nth(1).is_checked()
    )
    assert page.locator(".cw-result").first.inner_text().endswith(f"{error(figure)} as forced")
    page.get_by_label("0 hide").nth(1).check()
    settle(page)
    both = page.locator(".cw-result").all_inner_texts()
    assert both[0] == both[1] and both[0].endswith(f"{error(figure, reset='0')} as forced")
    assert page.get_by_label("0 hide").first.is_checked()


def test_new_numbers_keep_the_marks(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [gate_switch()]))
    before = page.locator("path.cw-free").get_attribute("d")
    marked = page.locator(".cw-marked").count()
    page.get_by_role("button", name="New numbers").click()
    settle(page)
    assert page.locator("path.cw-free").get_attribute("d") != before
    assert page.locator(".cw-marked").count() == marked
