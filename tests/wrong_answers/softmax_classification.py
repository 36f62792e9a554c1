"""Wrong answers to the exercise of foundations/softmax-classification."""

import torch


def smoothed_cross_entropy__spread_over_the_others(logits, targets, epsilon):
    """Spreads epsilon over the K - 1 wrong classes."""
    log_p = torch.log_softmax(logits, dim=1)
    true_class = log_p[torch.arange(len(targets)), targets]
    others = (log_p.sum(dim=1) - true_class) / (logits.shape[1] - 1)
    return -((1 - epsilon) * true_class + epsilon * others).mean()


def smoothed_cross_entropy__true_class_keeps_all(logits, targets, epsilon):
    """Gives the true class the whole weight and epsilon to all besides."""
    log_p = torch.log_softmax(logits, dim=1)
    true_class = log_p[torch.arange(len(targets)), targets]
    return -(true_class + epsilon * log_p.mean(dim=1)).mean()


def smoothed_cross_entropy__sum_over_the_classes(logits, targets, epsilon):
    """Gives each class epsilon instead of epsilon / K."""
    log_p = torch.log_softmax(logits, dim=1)
    true_class = log_p[torch.arange(len(targets)), targets]
    return -((1 - epsilon) * true_class + epsilon * log_p.sum(dim=1)).mean()


def smoothed_cross_entropy__sum_over_the_batch(logits, targets, epsilon):
    """Adds the examples up."""
    log_p = torch.log_softmax(logits, dim=1)
    true_class = log_p[torch.arange(len(targets)), targets]
    return -((1 - epsilon) * true_class + epsilon * log_p.mean(dim=1)).sum()


def smoothed_cross_entropy__logarithm_of_a_softmax(logits, targets, epsilon):
    """Takes the logarithm of probabilities, which are zero for logits of a thousand."""
    log_p = torch.softmax(logits, dim=1).log()
    true_class = log_p[torch.arange(len(targets)), targets]
    return -((1 - epsilon) * true_class + epsilon * log_p.mean(dim=1)).mean()


def smoothed_cross_entropy__without_smoothing(logits, targets, epsilon):
    """Forgets epsilon."""
    return torch.nn.functional.cross_entropy(logits, targets)


def smoothed_cross_entropy__softmax_over_the_batch(logits, targets, epsilon):
    """Normalises the columns."""
    log_p = torch.log_softmax(logits, dim=0)
    true_class = log_p[torch.arange(len(targets)), targets]
    return -((1 - epsilon) * true_class + epsilon * log_p.mean(dim=1)).mean()
