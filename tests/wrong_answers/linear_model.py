"""Wrong answers to the exercise of the chapter on the linear model."""

import torch


def fit_through_origin__centred(x, y):
    """The slope of a line with an intercept."""
    x, y = x - x.mean(), y - y.mean()
    return (x * y).sum() / (x**2).sum()


def fit_through_origin__mean_of_ratios(x, y):
    """The mean of the slopes to the single points, which is infinite for an input of 0."""
    return (y / x).mean()


def fit_through_origin__ratio_of_sums(x, y):
    """The line through the origin and the point of means."""
    return y.sum() / x.sum()


def fit_through_origin__mean_over_sum(x, y):
    """A mean above, a sum below."""
    return (x * y).mean() / (x**2).sum()


def fit_through_origin__sizes_of_inputs(x, y):
    """Without the sign of the inputs."""
    return (x.abs() * y).sum() / (x**2).sum()


def fit_through_origin__inputs_on_targets(x, y):
    """The line that predicts inputs from targets."""
    return (x * y).sum() / (y**2).sum()


def fit_through_origin__as_a_matrix(x, y):
    """The right number in a matrix of shape (1, 1)."""
    return torch.linalg.lstsq(x[:, None], y[:, None]).solution
