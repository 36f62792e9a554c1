"""The computation graph: descriptions read in Python, values and gradients in the page as torch's."""

import re

import pytest
import torch
from figure_page import says, settle, tap, touch, write_page
from hypothesis import given, settings
from hypothesis import strategies as st
from traitlets import TraitError

from utils.widgets import ComputationGraph
from utils.widgets.computation_graph import EXPRESSIONS, UNARY, parse

NODES = """[...document.querySelectorAll('.cw-node')].map(
    ({ dataset }) => [dataset.name, dataset.value, dataset.grad])"""
OUTSIDE = """() => { const frame = document.querySelector('.cw-graph').getBoundingClientRect();
    return [...document.querySelectorAll('.cw-graph svg text, .cw-graph td')].filter((e) => {
        const box = e.getBoundingClientRect();
        return e.textContent && (box.left < frame.left || box.right > frame.right)
    }).map((e) => e.textContent) }"""


def torchs(description: str, inputs: dict[str, float]) -> dict[str, tuple[float, float | None]]:
    """Value and gradient of every named node, computed by torch from the same text."""
    names: dict = {name: getattr(torch, name) for name in UNARY}
    leaves = {n: torch.tensor(v, dtype=torch.float64, requires_grad=True) for n, v in inputs.items()}
    names |= leaves
    exec(description, names)
    result = next(reversed(names.values()))
    nodes = {n: t for n, t in names.items() if isinstance(t, torch.Tensor)}
    grads = torch.autograd.grad(result, list(nodes.values()), allow_unused=True, materialize_grads=True)
    return {n: (t.item(), g.item()) for (n, t), g in zip(nodes.items(), grads, strict=True)}


def shown(page) -> dict[str, tuple[float | None, float | None]]:
    """Value and gradient of every node of the first figure, with all digits; None where none is shown."""
    settle(page)
    number = lambda text: None if text is None else float(text)  # noqa: E731
    return {name: (number(value), number(grad)) for name, value, grad in page.evaluate(NODES)}


def assert_torchs(page, description: str, inputs: dict[str, float]) -> None:
    found = shown(page)
    for name, expected in torchs(description, inputs).items():
        assert found[name] == pytest.approx(expected, rel=1e-12, abs=1e-12), name


def inputs_of(figure: ComputationGraph) -> dict[str, float]:
    names = [node["name"] for node in figure.graphs[figure.chosen] if node["op"] == "input"]
    return {name: figure.values[name] for name in names}


def click(page, name: str) -> None:
    page.get_by_role("button", name=name).click()
    settle(page)


# Python's side


def test_nodes_come_after_their_parents():
    nodes = parse("c = a + b; d = b + 1; e = c * d")
    assert [node["name"] for node in nodes] == ["a", "b", "c", "1", "d", "e"]
    assert [node["op"] for node in nodes] == ["input", "input", "+", "constant", "+", "*"]
    assert [node["parents"] for node in nodes] == [[], [], [0, 1], [], [1, 3], [2, 4]]


def test_what_has_no_name_gets_one():
    assert [node["name"] for node in parse("v1 = -a / b; y = (a + b) * v1")] == [
        "a",
        "v2",
        "b",
        "v1",
        "v3",
        "y",
    ]
    nodes = parse("y = (-a) ** -1 + -2")
    assert [(node["name"], node["op"]) for node in nodes] == [
        ("a", "input"),
        ("v1", "neg"),
        ("v2", "**"),
        ("-2", "constant"),
        ("y", "+"),
    ]
    assert nodes[2]["exponent"] == -1 and nodes[3]["value"] == -2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "one result"),
        ("e = a +", "assignments such as"),
        ("a + b", "assigned once"),
        ("a = a + 1", "assigned once"),
        ("c = a + b; c = c * 2", "assigned once"),
        ("c = a + b; e = a * b", r"unused: \['c'\]"),
        ("e = sin(a)", "tanh.*got 'sin"),
        ("e = a ** b", r"got 'a \*\* b'"),
        ("e = a if a else b", "got 'a if a"),
        ("e = __import__('os')", "got .__import__"),
        ("e = a", "got 'a'"),
    ],
)
def test_a_description_that_cannot_be_read_is_refused(text, words):
    with pytest.raises(ValueError, match=words):
        parse(text)
    with pytest.raises(TraitError, match=words):
        ComputationGraph([text])


def test_state_and_what_it_refuses():
    figure = ComputationGraph()
    assert figure.expressions == list(EXPRESSIONS) and figure.graphs == [parse(text) for text in EXPRESSIONS]
    figure.values = figure.values | {"a": -3}
    figure.chosen, figure.step = 2, 0
    refused = [
        ("chosen", 4, "chosen in 0..3, got 4"),
        ("step", -1, "-1"),
        ("values", figure.values | {"a": 3.5}, r"in \[-3, 3\]"),
        ("values", figure.values | {"a": float("nan")}, "finite"),
        ("values", {"a": 1}, "for each of"),
        ("expressions", ["e = q * 2"], "chosen in 0..0"),
        ("graphs", [], "read-only"),
    ]
    for name, value, words in refused:
        before = getattr(figure, name)
        with pytest.raises(TraitError, match=words):
            setattr(figure, name, value)
        assert getattr(figure, name) == before
    for arguments in ({"values": {"q": 1}}, {"chosen": 9}, {"expressions": []}, {"step": -1}):
        with pytest.raises(TraitError):
            ComputationGraph(**arguments)


def test_other_expressions_go_in_with_their_values():
    figure = ComputationGraph(["e = a * b"])
    with figure.hold_sync(), figure.hold_trait_notifications():
        figure.expressions, figure.values = ["y = exp(q)"], {"q": 0.5}
    assert figure.graphs == [parse("y = exp(q)")]


@settings(max_examples=50, deadline=None)
@given(st.recursive(
    st.sampled_from(["a", "b", "2"]),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner),
        st.builds("{}({})".format, st.sampled_from(UNARY), inner),
        st.builds("(-{})".format, inner),
    ),
    max_leaves=12,
))  # fmt: skip
def test_any_expression_is_in_topological_order(text):
    nodes = parse(f"e = ({text}) * 1")
    assert all(parent < i for i, node in enumerate(nodes) for parent in node["parents"])
    assert nodes[-1]["name"] == "e"


# The page's side


@pytest.mark.parametrize("chosen", range(len(EXPRESSIONS)))
def test_values_and_gradients_are_torchs(session, tmp_path, chosen):
    generator = torch.Generator().manual_seed(chosen)
    figures = []
    for _ in range(6):
        drawn = (6 * torch.rand(5, generator=generator, dtype=torch.float64) - 3).tolist()
        figures.append(ComputationGraph(values=dict(zip("abwxy", drawn, strict=True)), chosen=chosen))
    for i, figure in enumerate(figures):
        page = session().open(write_page(tmp_path / f"{i}.html", [figure]))
        assert_torchs(page, EXPRESSIONS[chosen], inputs_of(figure))


def test_every_operation_is_torchs(session, tmp_path):
    text = "p = -a / b; q = (a - b) ** 3; r = relu(q) + relu(-q); "
    text += "s = log(r) * exp(p); t = s ** 2 + a * a; y = t ** -0.5"
    for i, values in enumerate([{"a": 1.2, "b": -0.7}, {"a": -2.1, "b": 0.4}, {"a": 0.3, "b": 2.9}]):
        page = session().open(write_page(tmp_path / f"{i}.html", [ComputationGraph([text], values)]))
        assert_torchs(page, text, values)


def test_sliders_recompute_everything(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [ComputationGraph(values={"a": 1, "b": 2})]))
    assert shown(page)["e"] == (9, 1) and shown(page)["b"] == (2, 6) and shown(page)["1"] == (1, None)
    page.get_by_label("a", exact=True).fill("2")
    page.get_by_label("b", exact=True).fill("1")
    assert_torchs(page, EXPRESSIONS[0], {"a": 2.0, "b": 1.0})
    texts = page.locator(".cw-node").all_text_contents()
    assert "e = 6" in texts[5] and "grad 5" in texts[1]
    assert page.locator("svg .cw-share").all_text_contents() == ["2", "2", "3", "", "2", "3"]
    assert page.locator(".cw-told tbody tr").nth(1).inner_text().split() == ["∂e/∂b", "2", "+", "3", "5"]
    page.get_by_label("a", exact=True).focus()
    for key in ["Home", "ArrowRight", "ArrowRight"]:
        page.keyboard.press(key)
    assert_torchs(page, EXPRESSIONS[0], {"a": -2.8, "b": 1.0})
    says(page, "e is −3.6; ∂e/∂a is 2, ∂e/∂b is 0.2")


def test_steps_reveal_one_node_at_a_time(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [ComputationGraph()]))
    told = page.locator(".cw-told")
    click(page, "Clear")
    assert {name for name, (value, _) in shown(page).items() if value is not None} == {"a", "b", "1"}
    assert all(grad is None for _, grad in shown(page).values())
    lines = {"c": "c = a + b = 2 + 1 = 3", "d": "d = b + 1 = 1 + 1 = 2", "e": "e = c × d = 3 × 2 = 6"}
    for name, line in lines.items():
        assert shown(page)[name][0] is None
        click(page, "Next step")
        assert shown(page)[name][0] is not None and line in told.inner_text()
        assert page.locator(".cw-now").get_attribute("data-name") == name
    click(page, "Next step")
    assert shown(page)["c"] == (3, 2) and shown(page)["d"] == (2, 3) and shown(page)["b"][1] is None
    rows = [" ".join(row.split()) for row in told.locator("tbody tr").all_inner_texts()]
    assert rows == ["to c ∂e/∂c = d = 2 × 1 = 2", "to d ∂e/∂d = c = 3 × 1 = 3"]
    click(page, "Next step")
    assert shown(page)["a"][1] is None and "3 + …" in page.locator(".cw-node").nth(1).text_content()
    click(page, "Next step")
    assert shown(page)["a"] == (2, 2) and shown(page)["b"] == (1, 5)
    click(page, "Next step")
    assert "The gradients of the inputs" in told.inner_text()
    button = page.get_by_role("button", name="Next step")
    assert button.get_attribute("aria-disabled") == "true"
    button.focus()
    page.keyboard.press("Enter")
    assert_torchs(page, EXPRESSIONS[0], {"a": 2.0, "b": 1.0})
    click(page, "Forward")
    assert shown(page)["e"] == (6, None)
    click(page, "Backward")
    assert_torchs(page, EXPRESSIONS[0], {"a": 2.0, "b": 1.0})


def test_shares_of_a_step_are_local_derivative_times_gradient(session, tmp_path):
    """All steps of all expressions: what is written multiplies out, and adds up to torch's gradient."""
    page = session().open(write_page(tmp_path / "p.html", [ComputationGraph()]))
    for text in EXPRESSIONS:
        page.get_by_label("Expression").select_option(index=EXPRESSIONS.index(text))
        settle(page)
        click(page, "Forward")
        operations = sum(node["op"] not in ("input", "constant") for node in parse(text))
        for _ in range(operations):
            click(page, "Next step")
            for row in page.locator(".cw-told tbody tr").all():
                cells = [cell.replace("−", "-") for cell in row.locator("td").all_inner_texts()[1:]]
                local, gradient, share = (float(re.split("[=×] ", cell)[-1]) for cell in cells)
                assert share == pytest.approx(local * gradient, rel=0.06, abs=0.011)


def test_choice_by_keyboard_and_two_views(session, tmp_path):
    figure = ComputationGraph()
    page = session().open(write_page(tmp_path / "p.html", [figure, figure]))
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    settle(page)
    assert [page.locator("select").nth(i).evaluate("s => s.selectedIndex") for i in (0, 1)] == [1, 1]
    names = page.locator(".cw-slider label").all_inner_texts()
    assert [name.strip() for name in names] == ["w", "x", "b", "y"] * 2
    stops = []
    for _ in range(5):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.textContent || document.activeElement.type"))
    assert stops == ["Clear", "Next step", "Forward", "Backward", "range"]
    page.keyboard.press("ArrowRight")
    settle(page)
    assert page.evaluate("document.activeElement.type") == "range", "the slider keeps its focus"
    left, right = page.locator(".cw-graph svg").evaluate_all("s => s.map(one => one.ariaLabel)")
    assert left == right and "w = −0.9" in left


def test_graph_turns_on_a_phone_and_takes_a_finger(session, tmp_path):
    address = write_page(tmp_path / "p.html", [ComputationGraph(chosen=1)])
    phone = session(has_touch=True, is_mobile=True, viewport={"width": 375, "height": 800}).open(address)
    box = phone.locator(".cw-graph svg").bounding_box()
    assert box["height"] > 1.2 * box["width"], "the graph runs from top to bottom"
    assert phone.evaluate(OUTSIDE) == []
    tap(phone, phone.get_by_role("button", name="Clear"))
    assert shown(phone)["L"] == (None, None)
    slider = phone.get_by_label("w", exact=True)
    slider.scroll_into_view_if_needed()
    place = slider.bounding_box()
    y = place["y"] + place["height"] / 2
    touch(phone, [(place["x"] + place["width"] * share, y) for share in (0.34, 0.5, 0.8)])
    tap(phone, phone.get_by_role("button", name="Backward"))
    moved = shown(phone)["w"][0]
    assert moved > 0
    assert_torchs(phone, EXPRESSIONS[1], {"w": moved, "x": 1.5, "b": 1.0, "y": 1.0})
    phone.set_viewport_size({"width": 800, "height": 600})
    phone.wait_for_function("""() => { // with room it runs from left to right
        const box = document.querySelector('.cw-graph svg').getBoundingClientRect();
        return box.width > 2 * box.height }""")


def test_what_has_no_value_is_said_so(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [ComputationGraph(["y = log(a)"], {"a": -1})]))
    assert "y = undefined" in page.locator(".cw-node").nth(1).text_content()
