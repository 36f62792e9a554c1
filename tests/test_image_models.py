"""Costs counted against formulas; the table takes what was trained just now before what was recorded."""

import json

import pytest
import torch
from torch import nn

from utils import image_models as im
from utils import results


@pytest.mark.parametrize(("stride", "groups"), [(1, 1), (2, 1), (1, 3)])
def test_cost_of_a_convolution_and_a_linear_layer(stride: int, groups: int) -> None:
    conv = nn.Conv2d(3, 6, 5, stride, padding=2, groups=groups)
    side = -(-32 // stride)
    net = nn.Sequential(conv, nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(6 * side * side, 10))
    net.train()
    parameters, multiplications = im.cost(net)
    assert parameters == 6 * (25 * 3 // groups) + 6 + 12 + 10 * 6 * side * side + 10
    assert multiplications == side * side * 6 * 25 * 3 // groups + 10 * 6 * side * side
    assert net.training and net[1].num_batches_tracked == 0


def test_rows_by_accuracy_own_ones_first(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    def entry(chapter: str, name: str, accuracy: float) -> dict:
        metrics = {
            "test accuracy": accuracy,
            "standard deviation": 0.01,
            "parameters": 10,
            "multiplications": 20,
        }
        rest = {
            "notes": {},
            "seconds": 1.0,
            "device": "cpu",
            "device_name": "cpu",
            "seed": [0],
            "date": "2026-01-01",
        }
        return {"chapter": chapter, "experiment": im.PREFIX + name, "metrics": metrics, **rest}

    kept = [entry("a", "old", 0.9), entry("a", "again", 0.1), entry("later", "unknown", 0.95)]
    (tmp_path / "cpu.json").write_text(json.dumps(kept))
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    mine = im.ImageModel("again", 1, 2, 0.1, [0.7, 0.8, 0.9], 3.0)
    rows = im.image_models(["a", "b"], [mine], torch.device("cpu"))
    assert [(row.name, row.new) for row in rows] == [("again", True), ("old", False)]
    assert rows[0].accuracy == pytest.approx(0.8) and rows[0].deviation == pytest.approx(0.1)
    im.print_image_models(rows)
    assert len(im.plot_image_models(rows).axes) == 3


def test_names_in_a_crowd_lie_apart() -> None:
    points = [(0.2, 0.8), (0.22, 0.81), (0.25, 0.78), (0.9, 0.8)]
    names = ["LeNet", "AlexNet", "VGG", "Inception"]
    boxes = []
    for (x, y), name, (dx, dy) in zip(points, names, im._label_places(points, names), strict=True):
        left, middle = 125 * x + dx, 190 * y + dy
        boxes.append((left, left + 4.6 * len(name), middle - 4, middle + 4))
        assert 0 <= left and boxes[-1][1] <= 125
    for i, (a, b, c, d) in enumerate(boxes):
        for e, f, g, h in boxes[:i]:
            assert b <= e or f <= a or d <= g or h <= c


def test_scale_of_accuracies_goes_there_and_back() -> None:
    for accuracy in (0.0, 55.0, 90.0, 99.9, 100.0):
        assert im._accuracy(im._height(accuracy)) == pytest.approx(accuracy)
    assert [im._short(x) for x in (0.3, 7, 45_702, 1_000_000, 2_500_000_000)] == [
        "0.3", "7", "45.7k", "1M", "2.5G",
    ]  # fmt: skip
