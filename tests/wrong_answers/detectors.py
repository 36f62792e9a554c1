"""Wrong answers to the exercise of vision/detectors."""

import torch


def hard_negatives__in_the_whole_batch(loss, positive, ratio):
    """Ranks the anchors of all pictures together."""
    free = loss.masked_fill(positive, -float("inf")).flatten()
    rank = free.argsort(descending=True).argsort()
    return ~positive & (rank < ratio * positive.sum()).view_as(positive)


def hard_negatives__positives_too(loss, positive, ratio):
    """Lets anchors with an object take places of the ranking."""
    rank = loss.argsort(dim=1, descending=True).argsort(dim=1)
    return ~positive & (rank < ratio * positive.sum(dim=1, keepdim=True))


def hard_negatives__the_easy_ones(loss, positive, ratio):
    """Takes the smallest losses."""
    rank = loss.masked_fill(positive, float("inf")).argsort(dim=1).argsort(dim=1)
    return ~positive & (rank < ratio * positive.sum(dim=1, keepdim=True))


def hard_negatives__order_for_rank(loss, positive, ratio):
    """Takes the sorted order for the ranks."""
    order = loss.masked_fill(positive, -float("inf")).argsort(dim=1, descending=True)
    return ~positive & (order < ratio * positive.sum(dim=1, keepdim=True))


def hard_negatives__returns_positives(loss, positive, ratio):
    """Returns all anchors that are kept, those with an object among them."""
    rank = loss.masked_fill(positive, -float("inf")).argsort(dim=1, descending=True).argsort(dim=1)
    return positive | (rank < ratio * positive.sum(dim=1, keepdim=True))


def hard_negatives__zero_for_positives(loss, positive, ratio):
    """Puts anchors with an object at a loss of 0, which negative losses fall behind."""
    rank = (loss * ~positive).argsort(dim=1, descending=True).argsort(dim=1)
    return ~positive & (rank < ratio * positive.sum(dim=1, keepdim=True))


def hard_negatives__at_least_some(loss, positive, ratio):
    """Takes negatives of a picture without an object, too."""
    rank = loss.masked_fill(positive, -float("inf")).argsort(dim=1, descending=True).argsort(dim=1)
    return ~positive & (rank < ratio * positive.sum(dim=1, keepdim=True).clamp(min=1))


def hard_negatives__numbers(loss, positive, ratio):
    """Returns the losses of the chosen anchors in place of truth values."""
    rank = loss.masked_fill(positive, -float("inf")).argsort(dim=1, descending=True).argsort(dim=1)
    return torch.where(~positive & (rank < ratio * positive.sum(dim=1, keepdim=True)), loss, 0)
