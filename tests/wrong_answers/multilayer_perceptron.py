"""Wrong answers to the exercise of training/multilayer-perceptron."""

import torch


def prelu_backward__positive_branch_at_zero(z, alpha, upstream):
    """Takes the slope 1 at z = 0."""
    slope = torch.where(z >= 0, torch.ones_like(z), alpha)
    return upstream * slope, (upstream * z.clamp(max=0)).sum(dim=0)


def prelu_backward__alpha_everywhere(z, alpha, upstream):
    """Lets alpha's gradient have a part from positive sums."""
    slope = torch.where(z > 0, torch.ones_like(z), alpha)
    return upstream * slope, (upstream * z).sum(dim=0)


def prelu_backward__no_sum_over_the_batch(z, alpha, upstream):
    """Returns a gradient of alpha for each example."""
    slope = torch.where(z > 0, torch.ones_like(z), alpha)
    return upstream * slope, upstream * z.clamp(max=0)


def prelu_backward__mean_over_the_batch(z, alpha, upstream):
    """Takes the mean over the batch in place of the sum."""
    slope = torch.where(z > 0, torch.ones_like(z), alpha)
    return upstream * slope, (upstream * z.clamp(max=0)).mean(dim=0)


def prelu_backward__one_slope_for_all(z, alpha, upstream):
    """Adds alpha's gradient up over the units too."""
    slope = torch.where(z > 0, torch.ones_like(z), alpha)
    return upstream * slope, (upstream * z.clamp(max=0)).sum().expand(len(alpha))


def prelu_backward__forgets_what_comes_from_above(z, alpha, upstream):
    """Returns local derivatives alone."""
    slope = torch.where(z > 0, torch.ones_like(z), alpha)
    return slope, z.clamp(max=0).sum(dim=0)


def prelu_backward__relu(z, alpha, upstream):
    """Stops the gradient where z is negative, as a ReLU does."""
    return upstream * (z > 0), (upstream * z.clamp(max=0)).sum(dim=0)
