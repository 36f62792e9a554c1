"""Wrong answers to the exercise of the chapter on gradient descent."""

import torch


def eigenvalues_of(X):
    """Of the Hessian 2/n XᵀX, ascending."""
    return torch.linalg.eigvalsh(2 / len(X) * X.T @ X)


def extended(features):
    """The features and a column of ones."""
    return torch.cat([features, torch.ones_like(features[:, :1])], dim=1)


def largest_step__no_intercept(features):
    """The features alone."""
    return 2 / eigenvalues_of(features)[-1]


def largest_step__centred(features):
    """The means subtracted: another problem, with a longer step."""
    return 2 / eigenvalues_of(extended(features - features.mean(dim=0)))[-1]


def largest_step__half_of_it(features):
    """The step that arrives at once in the steepest direction."""
    return 1 / eigenvalues_of(extended(features))[-1]


def largest_step__smallest_eigenvalue(features):
    """The slowest direction in place of the steepest."""
    return 2 / eigenvalues_of(extended(features))[0]


def largest_step__sum_of_squares(features):
    """The Hessian of the summed squares, without 1/n."""
    X = extended(features)
    return 2 / torch.linalg.eigvalsh(2 * X.T @ X)[-1]


def largest_step__no_factor_two(features):
    """The Hessian of half the mean squared error."""
    X = extended(features)
    return 2 / torch.linalg.eigvalsh(X.T @ X / len(X))[-1]


def largest_step__trace(features):
    """The sum of the eigenvalues in place of the largest."""
    return 2 / eigenvalues_of(extended(features)).sum()


def largest_step__stopped_early(features):
    """The power method stopped after five repetitions."""
    X = extended(features)
    v = torch.ones(X.shape[1], dtype=X.dtype)
    for _ in range(5):
        v = 2 / len(X) * X.T @ (X @ v)
        stretch = v.norm()
        v = v / stretch
    return 2 / stretch
