"""The multilayer perceptron."""

import pytest
import torch
from torch import nn

from utils.layers.perceptron import mlp


def test_layers_and_shapes():
    net = mlp(12, 5, 7, 3)
    kinds = [nn.Flatten, nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    assert [type(layer) for layer in net] == kinds
    assert [tuple(layer.weight.shape) for layer in net[1::2]] == [(5, 12), (7, 5), (3, 7)]
    assert net(torch.zeros(2, 1, 3, 4)).shape == (2, 3)
    assert [type(layer) for layer in mlp(4, 2)] == [nn.Flatten, nn.Linear]


@pytest.mark.parametrize("widths", [(), (3,), (3, 0), (3, -1, 2)])
def test_widths_that_are_no_network_are_refused(widths: tuple[int, ...]):
    with pytest.raises(ValueError, match="expected at least two widths"):
        mlp(*widths)
