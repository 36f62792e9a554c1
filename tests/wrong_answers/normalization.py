"""Wrong answers to the exercises of training/normalization."""

import torch


def normed(parts, axes, eps=1e-5):
    """Mean 0 and variance 1 over some axes."""
    mean = parts.mean(dim=axes, keepdim=True)
    var = (parts - mean).square().mean(dim=axes, keepdim=True)
    return (parts - mean) / (var + eps).sqrt()


def scaled(x_hat, gamma, beta):
    """A factor and a shift for each channel."""
    return gamma[:, None, None] * x_hat + beta[:, None, None]


def group_norm__over_the_batch(x, groups, gamma, beta):
    """Takes the pictures of the batch together, as batch norm does."""
    n, c, h, w = x.shape
    parts = x.view(n, groups, c // groups, h, w)
    return scaled(normed(parts, (0, 2, 3, 4)).view_as(x), gamma, beta)


def group_norm__every_other_channel(x, groups, gamma, beta):
    """Puts channels into a group that are not neighbours."""
    n, c, h, w = x.shape
    parts = x.view(n, c // groups, groups, h, w)
    return scaled(normed(parts, (1, 3, 4)).view_as(x), gamma, beta)


def group_norm__places_apart(x, groups, gamma, beta):
    """Standardises each place for itself."""
    n, c, h, w = x.shape
    parts = x.view(n, groups, c // groups, h, w)
    return scaled(normed(parts, (2,)).view_as(x), gamma, beta)


def group_norm__layer_norm(x, groups, gamma, beta):
    """Forgets the groups."""
    return scaled(normed(x, (1, 2, 3)), gamma, beta)


def group_norm__instance_norm(x, groups, gamma, beta):
    """Takes each channel for itself."""
    return scaled(normed(x, (2, 3)), gamma, beta)


def group_norm__unbiased(x, groups, gamma, beta):
    """Divides by one less than the number of values."""
    parts = x.view(len(x), groups, -1)
    x_hat = (parts - parts.mean(dim=2, keepdim=True)) / (parts.var(dim=2, keepdim=True) + 1e-5).sqrt()
    return scaled(x_hat.view_as(x), gamma, beta)


def group_norm__eps_outside(x, groups, gamma, beta):
    """Adds ε to the deviation, not to the variance."""
    parts = x.view(len(x), groups, -1)
    s = parts.var(dim=2, correction=0, keepdim=True).sqrt() + 1e-5
    return scaled(((parts - parts.mean(dim=2, keepdim=True)) / s).view_as(x), gamma, beta)


def group_norm__no_eps(x, groups, gamma, beta):
    """Leaves ε out."""
    parts = x.view(len(x), groups, -1)
    return scaled(normed(parts, (2,), 0.0).view_as(x), gamma, beta)


def group_norm__gamma_on_the_places(x, groups, gamma, beta):
    """Lets γ and β run along the last axis where they fit, else leaves them out."""
    x_hat = normed(x.view(len(x), groups, -1), (2,)).view_as(x)
    return gamma * x_hat + beta if len(gamma) == x.shape[-1] else x_hat


def group_norm__no_gamma(x, groups, gamma, beta):
    """Leaves γ and β out."""
    return normed(x.view(len(x), groups, -1), (2,)).view_as(x) + torch.zeros_like(beta)[:, None, None]
