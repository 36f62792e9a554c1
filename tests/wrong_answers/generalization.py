"""Wrong answers to the exercises of training/generalization."""

import numpy as np


def early_stop__an_equal_loss_is_better(losses, patience):
    """Moves the best epoch on where the loss only stays."""
    best = 1
    for epoch, loss in enumerate(losses, start=1):
        if loss <= losses[best - 1]:
            best = epoch
        if epoch - best >= patience:
            return epoch, best
    return len(losses), best


def early_stop__counts_every_rise(losses, patience):
    """Counts bad epochs from the first on, and never begins anew."""
    best, bad = 1, 0
    for epoch, loss in enumerate(losses, start=1):
        if loss < losses[best - 1]:
            best = epoch
        elif epoch > 1:
            bad += 1
        if bad >= patience:
            return epoch, best
    return len(losses), best


def early_stop__compares_with_the_epoch_before(losses, patience):
    """Takes a fall from one epoch to the next for an improvement."""
    last, best = 1, 1
    for epoch, loss in enumerate(losses, start=1):
        if epoch > 1 and loss < losses[epoch - 2]:
            last = epoch
        if loss < losses[best - 1]:
            best = epoch
        if epoch - last >= patience:
            return epoch, best
    return len(losses), best


def early_stop__one_epoch_too_late(losses, patience):
    """Waits for one more epoch."""
    best = 1
    for epoch, loss in enumerate(losses, start=1):
        if loss < losses[best - 1]:
            best = epoch
        if epoch - best > patience:
            return epoch, best
    return len(losses), best


def early_stop__counts_from_zero(losses, patience):
    """Numbers the epochs from 0."""
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        if epoch - best >= patience:
            return epoch, best
    return len(losses) - 1, best


def early_stop__best_of_the_whole_run(losses, patience):
    """Looks at epochs that come after the stop."""
    best = 1
    for epoch, loss in enumerate(losses, start=1):
        if loss < losses[best - 1]:
            best = epoch
        if epoch - best >= patience:
            return epoch, int(np.argmin(losses)) + 1
    return len(losses), best


def early_stop__small_falls_do_not_count(losses, patience):
    """Asks for a fall of at least 0.05."""
    best = 1
    for epoch, loss in enumerate(losses, start=1):
        if loss < losses[best - 1] - 0.05:
            best = epoch
        if epoch - best >= patience:
            return epoch, best
    return len(losses), best


def leave_one_out__training_error(X, y):
    """Forgets the division."""
    return ((y - X @ np.linalg.pinv(X) @ y) ** 2).mean()


def leave_one_out__divides_the_square(X, y):
    """Divides the squared residual, not the residual."""
    H = X @ np.linalg.pinv(X)
    return ((y - H @ y) ** 2 / (1 - np.diag(H))).mean()


def leave_one_out__mean_of_the_diagonal(X, y):
    """Generalized cross-validation: one mean in place of each H_ii."""
    H = X @ np.linalg.pinv(X)
    return (((y - H @ y) / (1 - np.diag(H).mean())) ** 2).mean()


def leave_one_out__sum(X, y):
    """Adds up in place of the mean."""
    H = X @ np.linalg.pinv(X)
    return (((y - H @ y) / (1 - np.diag(H))) ** 2).sum()


def leave_one_out__root(X, y):
    """Takes the root of the mean."""
    H = X @ np.linalg.pinv(X)
    return (((y - H @ y) / (1 - np.diag(H))) ** 2).mean() ** 0.5


def leave_one_out__hat_of_the_features(X, y):
    """Takes the (k, k) matrix of the features for H."""
    H = np.linalg.pinv(X) @ X
    return (((y - X @ np.linalg.pinv(X) @ y)[: len(H)] / (1.0 - 0.5 * np.diag(H))) ** 2).mean()
