"""Wrong answers to the exercise of foundations/multiple-features."""

import torch
from torch.nn import functional as F


def points_at(thresholds, scores, labels):
    """A point for each threshold: shares of the well and of the ill from it on."""
    called = (scores >= thresholds[:, None]).double()
    return torch.stack([called[:, labels == group].mean(dim=1) for group in (0, 1)], dim=1)


def with_start(points):
    return F.pad(points, (0, 0, 1, 0))


def roc_points__without_the_first_point(scores, labels):
    """Begins at the highest score."""
    return points_at(scores.unique().flip(0), scores, labels)


def roc_points__ties_one_by_one(scores, labels):
    """Walks along the sorted scores and makes a point for each person."""
    sick = labels[scores.argsort(descending=True, stable=True)]
    return with_start(torch.stack([(1 - sick).cumsum(0) / (1 - sick).sum(), sick.cumsum(0) / sick.sum()], 1))


def roc_points__rising_thresholds(scores, labels):
    """From the lowest score up."""
    return with_start(points_at(scores.unique(), scores, labels))


def roc_points__axes_exchanged(scores, labels):
    """Recall first."""
    return with_start(points_at(scores.unique().flip(0), scores, labels)).flip(1)


def roc_points__strictly_above(scores, labels):
    """Whoever has the threshold itself is not called."""
    called = (scores > scores.unique().flip(0)[:, None]).double()
    return with_start(torch.stack([called[:, labels == group].mean(dim=1) for group in (0, 1)], dim=1))


def roc_points__shares_of_all(scores, labels):
    """Counts divided by the number of people."""
    called = (scores >= scores.unique().flip(0)[:, None]).double()
    counts = [called[:, labels == group].sum(dim=1) / len(labels) for group in (0, 1)]
    return with_start(torch.stack(counts, dim=1))


def roc_points__precision_for_alarms(scores, labels):
    """One minus the precision in place of the share of the well."""
    called = (scores >= scores.unique().flip(0)[:, None]).double()
    wrong = (called * (1 - labels)).sum(dim=1) / called.sum(dim=1)
    return with_start(torch.stack([wrong, called[:, labels == 1].mean(dim=1)], dim=1))


def roc_points__fixed_thresholds(scores, labels):
    """A hundred steps from 0 to 1, as if scores were probabilities."""
    return with_start(points_at(torch.linspace(1, 0, 100, dtype=scores.dtype), scores, labels))
