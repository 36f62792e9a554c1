"""The interactive figures from Python's side: what goes into their state, and what is refused."""

import gzip
import json

import numpy as np
import pytest
import torch
from conftest import ROOT
from figure_page import assert_refused
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn
from traitlets import TraitError

import utils.widgets
from utils.widgets import DrawDigit, LineAndLoss, SoftmaxExplorer
from utils.widgets.line_and_loss import fit_line, round_inside, round_range


def small_network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    first = nn.Sequential(nn.Conv2d(1, 3, 5), nn.MaxPool2d(2), nn.ReLU())
    second = nn.Conv2d(3, 4, 3, padding=1, bias=False)
    return nn.Sequential(first, second, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 36, 10))


@pytest.mark.parametrize("name", utils.widgets.__all__)
def test_module_stands_alone(name):
    widget = getattr(utils.widgets, name)
    module = widget._esm
    assert "import " not in module and "import(" not in module, "a module from a disk can import nothing"
    assert "http" not in module.replace("http://www.w3.org/2000/svg", ""), "the page asks no other host"
    assert "export default" in module and "</script" not in module.lower()
    assert "http" not in widget._css and "@import" not in widget._css
    packed = len(gzip.compress((module + widget._css).encode()))
    assert packed < 10_000, f"{widget.__name__} and its style weigh {packed} bytes gzipped: make them smaller"


@pytest.mark.parametrize("path", sorted((ROOT / "chapters").rglob("*.ipynb")), ids=lambda path: path.stem)
def test_chapters_hold_the_figures_of_this_tree(path):
    """A figure's code is saved in the notebook: after a change the chapter is run again."""
    saved = json.loads(path.read_text("utf-8"))["metadata"].get("widgets", {}).values()
    for model in (model["state"] for state in saved for model in state["state"].values()):
        module, _, name = model.get("_anywidget_id", "").rpartition(".")
        if module.startswith("utils.widgets."):
            widget = getattr(utils.widgets, name)
            current = (model["_esm"], model.get("_css")) == (widget._esm, widget._css)
            assert current, f"{name} has changed: make execute CHAPTER={path.parent.name}/{path.stem}"


def test_line_starts_with_the_chapters_three_points():
    figure = LineAndLoss()
    assert (figure.xs, figure.ys) == ([1, 2, 3], [2, 4, 6])
    assert (figure.w, figure.b, figure.one_parameter, figure.show_optimum) == (1, 0, False, False)
    assert figure.w_range == (-1, 5) and figure.b_range == (-3, 3)
    figure.w, figure.b = 2, -1.5
    assert (figure.w, figure.b) == (2, -1.5)


@given(
    st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=2, max_size=30).filter(
        lambda points: np.ptp([x for x, _ in points]) > 0.01
    )
)
@example([(0.0, 0.0), (2.0, 5e-324)])  # fell: the logarithm of nothing
def test_line_has_its_best_solution_in_range_for_any_points(points):
    figure = LineAndLoss(*zip(*points, strict=True))
    slope, intercept = fit_line(figure.xs, figure.ys)
    assert figure.w_range[0] <= slope <= figure.w_range[1]
    assert figure.b_range[0] <= intercept <= figure.b_range[1]
    assert figure.w_range[0] <= figure.w <= figure.w_range[1]


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_round_range_reaches_both_sides(centre, half):
    low, high = round_range(centre, half)
    assert low <= centre <= high and high - low >= 2 * half * (1 - 1e-6)
    assert low <= round_inside(centre, (low, high)) <= high


def test_line_takes_numpy_and_other_points_together():
    figure = LineAndLoss(np.arange(4), np.arange(4) ** 2, w=1, b=0, w_range=(-5, 5), b_range=(-9, 9))
    with figure.hold_sync(), figure.hold_trait_notifications():
        figure.xs, figure.ys = [0, 1], [5, 6]
    assert (figure.xs, figure.ys) == ([0, 1], [5, 6])


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"xs": [1, 2], "ys": [1]}, "as many xs as ys"),
        ({"xs": [1, 1], "ys": [1, 2]}, "two different xs"),
        ({"xs": [], "ys": []}, "two different xs"),
        ({"xs": [1, float("nan")], "ys": [1, 2]}, "xs to be finite"),
        ({"ys": [1, 2, float("inf")]}, "ys to be finite"),
        ({"w": 9.0}, "expected w inside"),
        ({"b": float("nan")}, "finite"),
        ({"w": 1, "w_range": (2, 0)}, "not empty"),
    ],
)
def test_line_refuses(arguments, words):
    with pytest.raises(TraitError, match=words):
        LineAndLoss(**arguments)


def test_line_keeps_its_value_when_a_bad_one_is_refused():
    figure = LineAndLoss()
    assert_refused(
        figure, [("w", 100), ("w", "steep"), ("b", float("inf")), ("xs", [1, 2]), ("w_range", (2, 3))]
    )
    with pytest.raises(TypeError):
        LineAndLoss(slope=1)


def test_digit_state_holds_the_network():
    model = small_network()
    figure = DrawDigit.from_model(model)
    kinds = [layer["type"] for layer in figure.layers]
    assert kinds == ["conv", "pool", "relu", "conv", "relu", "pool", "flatten", "linear"]
    weights = torch.frombuffer(bytearray(figure.weights), dtype=torch.float32)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert len(weights) == count + 4, "the second convolution has no bias: four zeros stand for it"
    assert torch.equal(weights[:75], model[0][0].weight.detach().ravel())
    assert torch.equal(weights[-10:], model[-1].bias.detach())
    assert figure.pixels == b"" and figure.labels == []


def test_digit_leaves_the_model_as_it_was():
    model = small_network().double().train()
    DrawDigit.from_model(model)
    assert model.training and model[-1].weight.dtype == torch.float64


@pytest.mark.parametrize("shape", [(2, 28, 28), (2, 1, 28, 28)])
@pytest.mark.parametrize("kind", [torch.as_tensor, np.asarray])
def test_digit_takes_examples(shape, kind):
    pictures = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    figure = DrawDigit.from_model(small_network(), examples=kind(pictures), labels=torch.tensor([3, 4]))
    assert figure.examples == pictures.tobytes() and figure.labels == [3, 4]


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(1, 2, 3, stride=2),
        nn.Conv2d(1, 2, 3, dilation=2),
        nn.Conv2d(2, 2, 3, groups=2),
        nn.Conv2d(1, 2, 3, padding="same"),
        nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"),
        nn.MaxPool2d(3),
        nn.MaxPool2d(2, stride=1),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.BatchNorm2d(1),
        nn.Sigmoid(),
        nn.Flatten(0),
    ],
    ids=str,
)
def test_digit_names_a_layer_that_the_page_cannot_compute(layer):
    with pytest.raises(ValueError, match=f"got {type(layer).__name__}\\("):
        DrawDigit.from_model(nn.Sequential(layer, nn.Flatten(), nn.LazyLinear(10)))


def test_digit_refuses_other_models_and_pictures():
    with pytest.raises(ValueError, match="expected an nn.Sequential, got Linear"):
        DrawDigit.from_model(nn.Linear(784, 10))
    with pytest.raises(ValueError, match=r"expected logits \(1, 10\)"):
        DrawDigit.from_model(nn.Sequential(nn.Flatten(), nn.Linear(784, 9)))
    with pytest.raises(ValueError, match="uint8"):
        DrawDigit.from_model(small_network(), examples=torch.rand(2, 28, 28), labels=[1, 2])
    with pytest.raises(TraitError, match="a label in 0..9 for each"):
        DrawDigit.from_model(small_network(), examples=torch.zeros(2, 28, 28, dtype=torch.uint8), labels=[1])
    with pytest.raises(TraitError, match="std above 0"):
        DrawDigit.from_model(small_network(), std=0)
    figure = DrawDigit.from_model(small_network())
    with pytest.raises(TraitError, match="784 bytes or none, got 3"):
        figure.pixels = b"abc"
    figure.pixels = bytes(784)


def test_softmax_takes_tensors_and_other_classes_together():
    figure = SoftmaxExplorer(["cat", "dog"], torch.tensor([5.0, -5.0]), temperature=0.1)
    assert (figure.labels, figure.logits, figure.temperature) == (["cat", "dog"], [5, -5], 0.1)
    with figure.hold_sync(), figure.hold_trait_notifications():
        figure.labels, figure.logits = list("0123456789"), [0] * 10
    assert (len(figure.labels), figure.logits) == (10, [0] * 10)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"labels": ["cat"]}, "a logit for each"),
        ({"labels": ["cat"], "logits": [1]}, "2 to 10 labels"),
        ({"labels": ["cat"] * 11, "logits": [1] * 11}, "2 to 10 labels"),
        ({"logits": [0, 5.1]}, r"logits in \[-5, 5\], got \[0.0, 5.1\]"),
        ({"logits": [0, float("nan")]}, "logits to be finite"),
        ({"temperature": 0}, r"temperature in \[0.1, 10\], got 0"),
        ({"temperature": float("nan")}, "temperature in"),
    ],
)
def test_softmax_refuses(arguments, words):
    with pytest.raises(TraitError, match=words):
        SoftmaxExplorer(**{"labels": ["cat", "dog"], "logits": [1, 2]} | arguments)


def test_softmax_keeps_its_value_when_a_bad_one_is_refused():
    figure = SoftmaxExplorer(["cat", "dog"], [1, 2])
    assert_refused(figure, [("logits", [1]), ("logits", [1, -6]), ("labels", ["cat"]), ("temperature", 11)])
    with pytest.raises(TypeError):
        SoftmaxExplorer(["cat", "dog"], [1, 2], heat=1)
