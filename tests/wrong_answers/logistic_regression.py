"""Wrong answers to the exercise of the chapter on logistic regression."""

import torch
from torch.nn import functional as F


def terms(logits, targets, of_passes, of_fails):
    """Loss of each student, with a weight for either kind."""
    passes = of_passes * targets * F.softplus(-logits)
    return passes + of_fails * (1 - targets) * F.softplus(logits)


def weighted_bce__both_terms(logits, targets, pos_weight):
    """The weight on passes and fails alike."""
    return terms(logits, targets, pos_weight, pos_weight).mean()


def weighted_bce__the_fails(logits, targets, pos_weight):
    """The weight on the fails."""
    return terms(logits, targets, 1, pos_weight).mean()


def weighted_bce__not_at_all(logits, targets, pos_weight):
    """Without the weight."""
    return terms(logits, targets, 1, 1).mean()


def weighted_bce__mean_by_weight(logits, targets, pos_weight):
    """Divided by the sum of the weights instead of N."""
    weights = 1 + (pos_weight - 1) * targets
    return terms(logits, targets, pos_weight, 1).sum() / weights.sum()


def weighted_bce__sum(logits, targets, pos_weight):
    """The sum over the students."""
    return terms(logits, targets, pos_weight, 1).sum()


def weighted_bce__one_loss_each(logits, targets, pos_weight):
    """No mean."""
    return terms(logits, targets, pos_weight, 1)


def weighted_bce__mean_of_columns(logits, targets, pos_weight):
    """The mean over the first dimension alone."""
    return terms(logits, targets, pos_weight, 1).mean(dim=0)


def weighted_bce__naive(logits, targets, pos_weight):
    """The formula as it stands, which overflows."""
    p = torch.sigmoid(logits)
    return -(pos_weight * targets * p.log() + (1 - targets) * (1 - p).log()).mean()


def weighted_bce__clamped(logits, targets, pos_weight):
    """Logarithms cut off at -100, as in BCELoss."""
    p = torch.sigmoid(logits)
    passes = pos_weight * targets * p.log().clamp(min=-100)
    return -(passes + (1 - targets) * (1 - p).log().clamp(min=-100)).mean()


def weighted_bce__hard_labels(logits, targets, pos_weight):
    """Targets taken for true or false, which fails for those in between."""
    losses = F.softplus(torch.where(targets > 0.5, -logits, logits))
    return torch.where(targets > 0.5, pos_weight * losses, losses).mean()


def weighted_bce__sign_swapped(logits, targets, pos_weight):
    """The logit of a fail taken for that of a pass."""
    return terms(-logits, targets, pos_weight, 1).mean()
