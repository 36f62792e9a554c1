"""Boxes around objects: overlap, anchors and their offsets, suppression, average precision.

A box is a row of four numbers in pixels, ``x1, y1, x2, y2``: its left, top, right and bottom edge. The
origin is the upper left corner of the picture, and y grows downwards.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

BACKGROUND, IGNORED = -1, -2  # what `assign` says of anchors without an object
COCO_THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)  # of the overlap


def check_boxes(boxes: Tensor) -> Tensor:
    """The boxes in float32 or float64, if they are boxes.

    Raises:
        ValueError: if the shape is not (n, 4), or a corner is NaN or lies left of or above the first one.
    """
    if boxes.dim() != 2 or boxes.shape[1] != 4:
        raise ValueError(f"expected boxes of shape (n, 4), got {tuple(boxes.shape)}")
    wrong = ~(boxes[:, 2:] >= boxes[:, :2]).all(1)
    if wrong.any():
        raise ValueError(f"expected x1 <= x2 and y1 <= y2, got the box {boxes[wrong][0].tolist()}")
    return boxes if boxes.dtype == torch.float64 else boxes.float()


def to_centres(boxes: Tensor) -> Tensor:
    """(n, 4) corners ``x1, y1, x2, y2`` as centre and size ``cx, cy, w, h``."""
    corner, opposite = boxes[:, :2], boxes[:, 2:]
    return torch.cat([(corner + opposite) / 2, opposite - corner], dim=1)


def to_corners(centres: Tensor) -> Tensor:
    """(n, 4) centre and size ``cx, cy, w, h`` as corners ``x1, y1, x2, y2``."""
    centre, size = centres[:, :2], centres[:, 2:]
    return torch.cat([centre - size / 2, centre + size / 2], dim=1)


def box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Intersection over union of every pair of boxes.

    Args:
        boxes1: (n, 4) corners.
        boxes2: (m, 4) likewise.

    Returns:
        (n, m) values in [0, 1]. Two boxes of no area have none in common: 0, where torchvision says NaN.

    Raises:
        ValueError: if an argument holds something else than boxes.

    Source: Everingham et al., "The PASCAL VOC Challenge", IJCV 2010, section 4.2.
    """
    boxes1, boxes2 = check_boxes(boxes1), check_boxes(boxes2)
    corner = torch.maximum(boxes1[:, None, :2], boxes2[None, :, :2])  # (n, m, 2)
    opposite = torch.minimum(boxes1[:, None, 2:], boxes2[None, :, 2:])
    common = (opposite - corner).clamp(min=0).prod(dim=2)  # (n, m) areas
    area1 = (boxes1[:, 2:] - boxes1[:, :2]).prod(dim=1)  # (n,)
    area2 = (boxes2[:, 2:] - boxes2[:, :2]).prod(dim=1)  # (m,)
    union = area1[:, None] + area2[None, :] - common
    return common / torch.where(union > 0, union, 1)


def make_anchors(
    rows: int, columns: int, stride: float, sizes: Sequence[float], ratios: Sequence[float]
) -> Tensor:
    """Boxes of every size and shape around the middle of every cell of a grid.

    Args:
        rows: of cells; a cell of the grid is a place of a feature map.
        columns: likewise.
        stride: pixels from cell to cell.
        sizes: square roots of the areas, in pixels.
        ratios: widths over heights.

    Returns:
        (rows · columns · len(sizes) · len(ratios), 4) corners: cell by cell, row by row; within a cell size
        by size, and for each size ratio by ratio. Anchors at the edge may reach out of the picture.
    """
    size = torch.tensor(sizes, dtype=torch.float32)[:, None]
    root = torch.tensor(ratios, dtype=torch.float32).sqrt()
    shapes = torch.stack([size * root, size / root], dim=-1).reshape(-1, 2)  # (shapes, 2): w, h
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    middles = (torch.stack([x, y], dim=-1).reshape(-1, 2) + 0.5) * stride  # (cells, 2)
    middles = middles[:, None].expand(-1, len(shapes), -1)
    centres = torch.cat([middles, shapes.expand(len(middles), -1, -1)], dim=-1)
    return to_corners(centres.reshape(-1, 4))


def assign(overlaps: Tensor, high: float = 0.5, low: float | None = None) -> Tensor:
    """Which object each anchor is to find.

    First the table: the largest overlap of all gives its anchor to its object, its row and its column are
    crossed out, and so on, until each object has an anchor. Then the thresholds: any other anchor takes the
    object that it overlaps most, if they overlap by ``high`` or more.

    Args:
        overlaps: (anchors, objects) intersections over unions.
        high: from this overlap on an anchor has an object.
        low: from this overlap on, and below ``high``, an anchor is ignored; ``None`` ignores none.

    Returns:
        (anchors,) number of the object, `BACKGROUND` or `IGNORED`. An object that no anchor touches gets
        none from the table.
    """
    assigned = torch.full((len(overlaps),), BACKGROUND, device=overlaps.device)
    if overlaps.numel() == 0:
        return assigned
    best, nearest = overlaps.max(dim=1)  # (anchors,)
    if low is not None:
        assigned[best >= low] = IGNORED
    assigned = torch.where(best >= high, nearest, assigned)
    table = overlaps.clone()
    for _ in range(min(table.shape)):
        anchor, thing = divmod(int(table.argmax()), table.shape[1])
        if table[anchor, thing] <= 0:
            break
        assigned[anchor] = thing
        table[anchor, :] = -1
        table[:, thing] = -1
    return assigned


def encode(boxes: Tensor, anchors: Tensor, scales: tuple[float, float] = (0.1, 0.2)) -> Tensor:
    """How far each box is from its anchor, as four numbers that a network can learn.

    Args:
        boxes: (n, 4) corners.
        anchors: (n, 4) corners, one for each box.
        scales: what counts as one, of the shift and of the logarithm of the size.

    Returns:
        (n, 4) offsets: of the centre in widths and heights of the anchor, and the logarithms of the ratios
        of width and of height.

    Raises:
        ValueError: if a box or an anchor has no area.

    Source: Girshick et al., "Rich feature hierarchies", CVPR 2014, appendix C; the scales are those of SSD.
    """
    box, anchor = to_centres(check_boxes(boxes)), to_centres(check_boxes(anchors))
    if not (box[:, 2:] > 0).all() or not (anchor[:, 2:] > 0).all():
        raise ValueError("expected boxes and anchors with an area, got one without")
    shift = (box[:, :2] - anchor[:, :2]) / anchor[:, 2:]
    growth = (box[:, 2:] / anchor[:, 2:]).log()
    return torch.cat([shift / scales[0], growth / scales[1]], dim=1)


def decode(offsets: Tensor, anchors: Tensor, scales: tuple[float, float] = (0.1, 0.2)) -> Tensor:
    """The boxes that lie at these offsets from their anchors: `encode` undone."""
    anchor = to_centres(check_boxes(anchors))
    centre = anchor[:, :2] + offsets[:, :2] * scales[0] * anchor[:, 2:]
    size = anchor[:, 2:] * (offsets[:, 2:] * scales[1]).exp()
    return to_corners(torch.cat([centre, size], dim=1))


def nms(boxes: Tensor, scores: Tensor, threshold: float, labels: Tensor | None = None) -> Tensor:
    """Non-maximum suppression: of boxes that overlap, the one with the best score.

    Args:
        boxes: (n, 4) corners.
        scores: (n,) how certain each box is.
        threshold: a box that overlaps a better one by more than this is dropped. (An overlap of exactly 3/5
            is not more than 0.6 here; torchvision compares in float64, where 3/5 in float32 is.)
        labels: (n,) classes; boxes of different classes never drop each other. ``None``: all are of one.

    Returns:
        (kept,) places of the kept boxes, best score first; of equal scores the one that comes first.
    """
    order = scores.argsort(descending=True, stable=True)
    overlaps = box_iou(boxes[order], boxes[order])  # (n, n)
    if labels is not None:
        overlaps = overlaps * (labels[order][:, None] == labels[order][None, :])
    keep, dropped = [], torch.zeros_like(order, dtype=torch.bool)
    for i in range(len(order)):
        if not dropped[i]:
            keep.append(i)
            dropped |= overlaps[i] > threshold
    return order[keep]


def mark_hits(overlaps: Tensor, threshold: float) -> Tensor:
    """Which detections find an object; each object can be found once.

    Args:
        overlaps: (detections, objects) of one picture and one class, best score first.
        threshold: from this overlap on an object is found.

    Returns:
        (detections,) truth values. A detection takes the object that it overlaps most, of those that no
        better detection has taken.

    Source: the COCO evaluation code, pycocotools.cocoeval.
    """
    free, hits = set(range(overlaps.shape[1])), []
    for row in overlaps.tolist():
        best = max(free, key=row.__getitem__, default=None)
        hits.append(best is not None and row[best] >= threshold)
        if hits[-1]:
            free.remove(best)
    return torch.tensor(hits, dtype=torch.bool)


def average_precision(hits: Tensor, n_objects: int, points: int | None = 101) -> float:
    """Average precision: the mean of the best precision that can be had at each recall.

    Args:
        hits: (detections,) which are right, best score first, over all pictures.
        n_objects: how many objects there are to find.
        points: at how many recalls from 0 to 1 the mean is taken: 101 (COCO), 11 (PASCAL VOC until 2009), or
            ``None`` for the area under the whole curve (PASCAL VOC since 2010). A recall of 7 / 10 reaches
            0.7 here; in COCO's program rounding decides, and AP can differ by 1/101 for each such recall.

    Returns:
        A number in [0, 1]; NaN if there is no object.
    """
    if n_objects == 0:
        return float("nan")
    hits = hits.cpu()
    found = hits.cumsum(0).double()
    precision = found / torch.arange(1, len(hits) + 1)
    best = precision.flip(0).cummax(0).values.flip(0)  # from this recall on
    if points is None:
        return float(best[hits].sum() / n_objects)  # each hit adds one n-th to the recall
    recalls = torch.linspace(0, 1, points, dtype=torch.float64) - 1e-9  # 3 of 10 are 0.3
    places = torch.searchsorted(found / n_objects, recalls)
    return float(torch.cat([best, best.new_zeros(1)])[places].mean())


def average_precisions(
    detections: Sequence[tuple[Tensor, Tensor, Tensor]],
    truths: Sequence[tuple[Tensor, Tensor]],
    n_classes: int,
    thresholds: Sequence[float] = COCO_THRESHOLDS,
    points: int | None = 101,
) -> Tensor:
    """Average precision at each overlap threshold, for each class.

    Args:
        detections: for each picture the boxes (n, 4), scores (n,) and labels (n,) that were found.
        truths: for each picture the boxes (m, 4) and labels (m,) of its objects.
        n_classes: labels are 0 to n_classes − 1.
        thresholds: of the overlap, from which on an object is found.
        points: as in `average_precision`.

    Returns:
        (thresholds, classes) values on the CPU, NaN for a class without objects. Their `nanmean` over all
        ten thresholds and the classes is what COCO calls AP; over the classes, at 0.5, mAP@0.5.

    Raises:
        ValueError: if there are not as many truths as detections.
    """
    if len(detections) != len(truths):
        raise ValueError(f"expected {len(truths)} pictures of detections, got {len(detections)}")
    result = torch.full((len(thresholds), n_classes), float("nan"))
    for label in range(n_classes):
        scores, tables, n_objects = [], [], 0
        for (boxes, score, labels), (true_boxes, true_labels) in zip(detections, truths, strict=True):
            objects = true_boxes[true_labels == label]
            mine = (labels == label).nonzero()[:, 0]
            mine = mine[score[mine].argsort(descending=True, stable=True)]
            scores.append(score[mine].cpu())
            tables.append(box_iou(boxes[mine], objects).cpu())
            n_objects += len(objects)
        order = torch.cat(scores).argsort(descending=True, stable=True) if scores else []
        for i, threshold in enumerate(thresholds):
            hits = [mark_hits(table, threshold) for table in tables]
            if n_objects:
                result[i, label] = average_precision(torch.cat(hits)[order], n_objects, points)
    return result
