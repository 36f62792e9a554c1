"""The multilayer perceptron: linear layers with ReLU between them."""

from torch import nn


def mlp(*widths: int) -> nn.Sequential:
    """Flatten, then linear layers with ReLU between them: (batch, ...) -> logits (batch, widths[-1]).

    Args:
        widths: numbers in an example, units of each hidden layer, outputs; ``mlp(784, 256, 10)``.

    Raises:
        ValueError: if there are fewer than two widths, or one is not positive.
    """
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"expected at least two widths, all at least 1, got {widths}")
    layers = [nn.Flatten()]
    for width, following in zip(widths, widths[1:], strict=False):
        layers += [nn.Linear(width, following), nn.ReLU()]
    return nn.Sequential(*layers[:-1])  # no ReLU behind the last layer
