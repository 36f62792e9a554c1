"""Boxes against torchvision and against torchmetrics' own rules of COCO, on random cases with every edge."""

import random
import sys
from types import ModuleType

import numpy as np
import pytest
import torch
import torchmetrics.detection._mean_ap as reference
import torchvision.ops as ops
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder

from utils.boxes import (
    BACKGROUND,
    COCO_THRESHOLDS,
    IGNORED,
    assign,
    average_precision,
    average_precisions,
    box_iou,
    decode,
    encode,
    make_anchors,
    mark_hits,
    nms,
    to_centres,
    to_corners,
)

DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()
CASES = 1_000


def some_boxes(generator: torch.Generator, n: int, *, whole: bool) -> Tensor:
    """(n, 4): of whole numbers, so that many touch, coincide or have no area; or anywhere."""
    if whole:
        ends = torch.randint(7, (n, 2, 2), generator=generator).float()
    else:
        ends = torch.rand(n, 2, 2, generator=generator) * 100
    return ends.sort(dim=1).values.reshape(n, 4)


def cases(seed: int):
    """A generator of random numbers, and whether boxes are of whole numbers, a thousand times."""
    generator = torch.Generator().manual_seed(seed)
    for i in range(CASES):
        yield generator, i % 2 == 0


def below(limit: int, generator: torch.Generator) -> int:
    return int(torch.randint(limit, (), generator=generator))


def test_iou_is_torchvisions_and_0_where_that_is_nan():
    kinds = dict.fromkeys(("none", "nan", "touching"), 0)
    for generator, whole in cases(0):
        first = some_boxes(generator, below(8, generator), whole=whole)
        second = some_boxes(generator, below(8, generator), whole=whole)
        ours, theirs = box_iou(first, second), ops.box_iou(first, second)
        assert torch.equal(ours, theirs.nan_to_num(0)) and ours.shape == (len(first), len(second))
        kinds["none"] += ours.numel() == 0
        kinds["nan"] += int(theirs.isnan().sum())
        kinds["touching"] += int((first[:, None, 2] == second[None, :, 0]).sum())
    assert min(kinds.values()) > 50, kinds


def test_nms_is_torchvisions():
    kinds = dict.fromkeys(("none", "ties", "dropped", "no area", "touching"), 0)
    for generator, whole in cases(1):
        n = below(12, generator)
        boxes = some_boxes(generator, n, whole=whole)
        scores = torch.rand(n, generator=generator)
        scores = (4 * scores).floor() / 4 if whole else scores
        threshold = below(9, generator) / 8  # in float64, as torchvision compares, 3/5 is above 0.6
        ours = nms(boxes, scores, threshold)
        assert torch.equal(ours, ops.nms(boxes, scores, threshold))
        kinds["none"] += n == 0
        kinds["ties"] += len(scores.unique()) < n
        kinds["dropped"] += len(ours) < n
        kinds["no area"] += int((boxes[:, 2:] == boxes[:, :2]).any(1).sum())
        kinds["touching"] += int((boxes[:, None, 2] == boxes[None, :, 0]).sum())
    assert min(kinds.values()) > 50, kinds


def test_nms_by_class_is_one_nms_a_class():
    for generator, whole in cases(2):
        n = below(12, generator)
        boxes, scores = some_boxes(generator, n, whole=whole), torch.rand(n, generator=generator)
        labels = torch.randint(3, (n,), generator=generator)
        kept = nms(boxes, scores, 0.3, labels)
        places = [(labels == c).nonzero()[:, 0] for c in range(3)]
        alone = [place[nms(boxes[place], scores[place], 0.3)] for place in places]
        assert sorted(kept.tolist()) == sorted(torch.cat(alone).tolist())
        assert torch.equal(kept, kept[scores[kept].argsort(descending=True)])


@pytest.mark.parametrize("device", DEVICES)
def test_results_stay_on_the_device(device: str):
    anchors = make_anchors(4, 4, 16, (16, 32), (0.5, 1, 2)).to(device)
    overlaps = box_iou(anchors, anchors[:3])
    scores = torch.rand(len(anchors), device=device)
    results = [overlaps, assign(overlaps), nms(anchors, scores, 0.5, scores > 0.5), encode(anchors, anchors)]
    assert {result.device.type for result in results} == {device}


@pytest.mark.parametrize(
    ("boxes", "word"),
    [
        ([[3.0, 0, 2, 5]], "x1 <= x2"),
        ([[0.0, 5, 2, 4]], "y1 <= y2"),
        ([[0, 0, 1, 1], [0, 0, float("nan"), 1]], "x1 <= x2"),
        ([[0.0, 0, 1]], r"\(n, 4\)"),
        ([0.0, 0, 1, 1], r"\(n, 4\)"),
    ],
)
def test_what_is_no_box_is_refused(boxes: list, word: str):
    good, bad = torch.tensor([[0.0, 0, 1, 1]]), torch.tensor(boxes)
    for call in (
        lambda: box_iou(bad, good),
        lambda: box_iou(good, bad),
        lambda: nms(bad, torch.ones(len(bad)), 0.5),
        lambda: encode(bad, good),
        lambda: encode(good, bad),
        lambda: decode(torch.zeros(1, 4), bad),
    ):
        with pytest.raises(ValueError, match=word):
            call()


def test_small_whole_numbers_do_not_overflow():
    box = torch.tensor([[0, 0, 100, 100]], dtype=torch.uint8)
    assert box_iou(box, box).item() == 1 and box_iou(box.half() * 5, box.half() * 5).item() == 1


def test_formats_are_torchvisions():
    for generator, whole in cases(3):
        boxes = some_boxes(generator, 5, whole=whole)
        assert torch.allclose(to_centres(boxes), ops.box_convert(boxes, "xyxy", "cxcywh"))
        assert torch.allclose(to_corners(to_centres(boxes)), boxes, atol=1e-5)


def test_offsets_there_and_back():
    generator = torch.Generator().manual_seed(4)
    boxes, anchors = (some_boxes(generator, 1_000, whole=False).double() for _ in range(2))
    for scales in ((0.1, 0.2), (1.0, 1.0)):
        back = decode(encode(boxes, anchors, scales), anchors, scales)
        assert torch.allclose(back, boxes, atol=1e-12, rtol=0)
    theirs = BoxCoder((10, 10, 5, 5)).encode_single(boxes, anchors)
    assert torch.allclose(encode(boxes, anchors), theirs)
    assert torch.equal(encode(anchors, anchors), torch.zeros(1_000, 4, dtype=torch.float64))
    with pytest.raises(ValueError, match="area"):
        encode(torch.tensor([[1.0, 1, 1, 5]]), torch.tensor([[0.0, 0, 4, 4]]))


def test_anchors_cell_by_cell():
    anchors = to_centres(make_anchors(2, 3, 10, (4, 8), (1, 4)))
    assert anchors.shape == (24, 4)
    first = [[5.0, 5, 4, 4], [5, 5, 8, 2], [5, 5, 8, 8], [5, 5, 16, 4]]
    assert torch.allclose(anchors[:4], torch.tensor(first))
    assert anchors[::4, :2].tolist() == [[5, 5], [15, 5], [25, 5], [5, 15], [15, 15], [25, 15]]


def test_assignment_by_the_table_then_by_thresholds():
    """Nine anchors, four objects: the largest is at (2, 3), then (7, 1), (5, 4), (9, 2), counted from 1."""
    overlaps = torch.full((9, 4), 0.05)
    overlaps[1, 2], overlaps[6, 0], overlaps[4, 3], overlaps[8, 1] = 0.9, 0.8, 0.7, 0.3
    overlaps[1, 0], overlaps[4, 2] = 0.85, 0.75  # larger, but in a row or a column that is crossed out
    overlaps[0, 2], overlaps[3, 2] = 0.6, 0.45
    assert assign(overlaps).tolist() == [2, 2, -1, -1, 3, -1, 0, -1, 1]
    assert assign(overlaps, 0.65).tolist() == [-1, 2, -1, -1, 3, -1, 0, -1, 1]
    assert assign(overlaps, 0.65, low=0.4).tolist() == [IGNORED, 2, -1, IGNORED, 3, -1, 0, -1, 1]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (5, 0)])
def test_assignment_of_nothing(shape: tuple[int, int]):
    assert assign(torch.zeros(shape)).tolist() == [BACKGROUND] * shape[0]
    assert assign(torch.zeros(3, 2)).tolist() == [BACKGROUND] * 3  # no anchor touches an object


def plain_average_precision(hits: list[bool], n_objects: int, points: int | None) -> float:
    """From the definition; recall k / n reaches i / (points − 1) where k (points − 1) >= i n."""
    curve, found = [], 0
    for rank, hit in enumerate(hits, 1):
        found += hit
        curve.append((found, found / rank))
    if points is None:
        bests = [max((p for f, p in curve if f >= k), default=0) for k in range(1, n_objects + 1)]
    else:
        last = points - 1
        bests = [max((p for f, p in curve if f * last >= i * n_objects), default=0) for i in range(points)]
    return sum(bests) / len(bests)


@pytest.mark.parametrize("points", [11, 101, None])
def test_average_precision_is_its_definition(points: int | None):
    rng = random.Random(0)
    for _ in range(CASES):
        hits = [rng.random() < 0.6 for _ in range(rng.randrange(30))]
        n_objects = max(1, sum(hits) + rng.randrange(5))
        expected = plain_average_precision(hits, n_objects, points)
        ours = average_precision(torch.tensor(hits, dtype=torch.bool), n_objects, points)
        assert ours == pytest.approx(expected, abs=1e-9)
    nothing = torch.zeros(0, dtype=torch.bool)
    assert average_precision(nothing, 3, points) == 0
    assert average_precision(nothing, 0, points) != average_precision(nothing, 0, points)  # NaN


def coco_precision(hits: list[bool], n_objects: int) -> float:
    """By the steps of pycocotools' ``accumulate``, with its unrounded comparison of recalls and levels."""
    found = np.cumsum(hits)
    recalls, precisions = found / n_objects, (found / np.arange(1, len(hits) + 1)).tolist()
    for i in range(len(precisions) - 1, 0, -1):
        precisions[i - 1] = max(precisions[i - 1], precisions[i])
    places = np.searchsorted(recalls, np.linspace(0, 1, 101), side="left")
    return sum(precisions[place] for place in places if place < len(precisions)) / 101


def test_average_precision_is_cocos_but_where_a_recall_is_a_level():
    rng = random.Random(1)
    for _ in range(CASES):
        hits = [rng.random() < 0.6 for _ in range(1 + rng.randrange(200))]
        n_objects = rng.choice([n for n in (103, 107, 109, 113, 127, 211) if n >= sum(hits)])
        hits = hits[:-1] + [False] if sum(hits) == n_objects else hits  # a recall of 1 is a level
        ours = average_precision(torch.tensor(hits), n_objects)
        assert ours == pytest.approx(coco_precision(hits, n_objects), abs=1e-6)
    hits = [True] * 7 + [False] * 3  # 7 / 10 < np.linspace(0, 1, 101)[70]
    ours, theirs = average_precision(torch.tensor(hits), 10), coco_precision(hits, 10)
    assert (ours, theirs) == (pytest.approx(71 / 101), pytest.approx(70 / 101))


def random_detections(generator: torch.Generator, pictures: int, n_classes: int) -> tuple[list, list]:
    """Objects, and detections near to some of them and elsewhere."""
    detections, truths = [], []
    for _ in range(pictures):
        true = some_boxes(generator, below(6, generator), whole=False)
        true[:, 2:] += 5
        labels = torch.randint(n_classes, (len(true),), generator=generator)
        near = true.repeat(2, 1) + torch.randn(2 * len(true), 4, generator=generator) * 2
        near[:, 2:] = torch.maximum(near[:, 2:], near[:, :2])
        boxes = torch.cat([near, some_boxes(generator, below(4, generator), whole=False)])
        found = torch.cat([labels.repeat(2), torch.zeros(len(boxes) - len(near), dtype=torch.long)])
        other = torch.rand(len(boxes), generator=generator) < 0.1
        found = torch.where(other, torch.randint(n_classes, (len(boxes),), generator=generator), found)
        detections.append((boxes, torch.rand(len(boxes), generator=generator), found))
        truths.append((true, labels))
    return detections, truths


def torchmetrics_precisions(detections: list, truths: list, levels: list[float]) -> Tensor:
    """(thresholds, classes) by torchmetrics' own code of the rules of COCO, which needs no pycocotools."""
    metric = reference.MeanAveragePrecision(rec_thresholds=levels, iou_thresholds=list(COCO_THRESHOLDS))
    metric.update(
        [dict(zip(("boxes", "scores", "labels"), found, strict=True)) for found in detections],
        [dict(zip(("boxes", "labels"), truth, strict=True)) for truth in truths],
    )
    precision, _ = metric._calculate(metric._get_classes())
    return precision[:, :, :, 0, -1].mean(1)


@pytest.mark.parametrize("points", [11, 101, None])
def test_average_precision_is_torchmetrics(points: int | None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reference, "_PYCOCOTOOLS_AVAILABLE", True)  # only masks would need it
    monkeypatch.setitem(sys.modules, "pycocotools", ModuleType("pycocotools"))
    sys.modules["pycocotools"].mask = ModuleType("pycocotools.mask")
    monkeypatch.setitem(sys.modules, "pycocotools.mask", sys.modules["pycocotools"].mask)
    generator = torch.Generator().manual_seed(5)
    for n_classes in (1, 1, 1, 3):
        detections, truths = random_detections(generator, 12, n_classes)
        count = sum(len(labels) for _, labels in truths)
        if points is not None:
            levels = torch.linspace(0, 1, points).tolist()
        elif n_classes == 1:
            levels = [k / count for k in range(1, count + 1)]
        else:
            continue  # each class has other recalls
        levels = [level - 1e-6 for level in levels]  # a recall of 3 / 10 reaches 0.3, in float32 as well
        ours = average_precisions(detections, truths, n_classes, points=points)
        theirs = torchmetrics_precisions(detections, truths, levels)
        assert torch.allclose(ours, theirs, atol=1e-6, rtol=0) and 0.05 < ours.mean() < 0.95


def test_an_object_is_found_once_and_by_the_best():
    overlaps = torch.tensor([[0.6, 0.7], [0.1, 0.8], [0.9, 0.9], [0.5, 0.2]])
    assert mark_hits(overlaps, 0.5).tolist() == [True, False, True, False]
    assert mark_hits(torch.zeros(2, 0), 0.5).tolist() == [False, False]
    assert mark_hits(torch.zeros(0, 3), 0.5).tolist() == []


def test_a_class_without_objects_has_no_average_precision():
    box, no_boxes = torch.tensor([[0.0, 0, 10, 10]]), torch.zeros(0, 4)
    one, none = torch.zeros(1, dtype=torch.long), torch.zeros(0, dtype=torch.long)
    found = [(box, torch.ones(1), one), (no_boxes, torch.zeros(0), none)]
    result = average_precisions(found, [(box, one), (no_boxes, none)], 2, (0.5,))
    assert result[0, 0] == 1 and result[0, 1].isnan()
    assert average_precisions([], [], 2, (0.5,)).isnan().all()
    with pytest.raises(ValueError, match="2 pictures"):
        average_precisions(found[:1], [(box, one), (no_boxes, none)], 2)
