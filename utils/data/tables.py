"""Tables of numbers: a row is an example, a column a feature."""

import torch
from torch import Tensor


def with_ones(features: Tensor) -> Tensor:
    """The features and a column of ones behind them, so that the last weight is the intercept.

    Args:
        features: (..., p) floating point.

    Returns:
        (..., p + 1), of the same dtype and on the same device.
    """
    return torch.cat([features, features.new_ones(*features.shape[:-1], 1)], dim=-1)
