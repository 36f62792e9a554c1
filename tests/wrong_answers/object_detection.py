"""Wrong answers to the exercise of vision/object-detection."""

import torch
from torch import Tensor


def sides(corner: Tensor, opposite: Tensor) -> Tensor:
    return (opposite - corner).clamp(min=0).prod(dim=1)


def parts(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Areas of intersection, union and enclosing box."""
    common = sides(torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:]))
    union = sides(a[:, :2], a[:, 2:]) + sides(b[:, :2], b[:, 2:]) - common
    return common, union, sides(torch.minimum(a[:, :2], b[:, :2]), torch.maximum(a[:, 2:], b[:, 2:]))


def giou__iou_alone(a, b):
    """Forgets the enclosing box."""
    common, union, _ = parts(a, b)
    return common / union


def giou__sides_not_cut_off(a, b):
    """Multiplies two negative sides to an area."""
    common = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).prod(dim=1)
    union = sides(a[:, :2], a[:, 2:]) + sides(b[:, :2], b[:, 2:]) - common
    hull = parts(a, b)[2]
    return common / union - (hull - union) / hull


def giou__width_alone_cut_off(a, b):
    """Cuts the width of the intersection off at zero, and not its height."""
    w, h = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).unbind(1)
    common = w.clamp(min=0) * h
    union = sides(a[:, :2], a[:, 2:]) + sides(b[:, :2], b[:, 2:]) - common
    hull = parts(a, b)[2]
    return common / union - (hull - union) / hull


def giou__union_with_the_intersection_twice(a, b):
    """Adds the areas and does not take the intersection off."""
    common, union, hull = parts(a, b)
    union = union + common
    return common / union - (hull - union) / hull


def giou__share_of_the_union(a, b):
    """Divides the empty space by the union."""
    common, union, hull = parts(a, b)
    return common / union - (hull - union) / union


def giou__added(a, b):
    """Adds the empty space."""
    common, union, hull = parts(a, b)
    return common / union + (hull - union) / hull


def giou__every_pair(a, b):
    """Gives a table of all pairs."""
    rows = [giou__iou_alone(row.expand_as(b), b) for row in a]
    return torch.stack(rows)
