"""Wrong answers to the exercises of training/initialization."""

import torch


def rescaled__every_layer_by_the_inputs(weights, inputs):
    """Gives every matrix the raw inputs, as if it were the first."""
    return [weight / (inputs[:, : weight.shape[1]] @ weight.T).square().mean().sqrt()
            if inputs.shape[1] >= weight.shape[1] else weight for weight in weights]  # fmt: skip


def rescaled__without_the_bend(weights, inputs):
    """Passes the sums on without tanh."""
    new, h = [], inputs
    for weight in weights:
        factor = (h @ weight.T).square().mean().sqrt()
        new.append(weight / factor)
        h = h @ weight.T / factor
    return new


def rescaled__measured_before_mending(weights, inputs):
    """Passes on what the old matrix makes."""
    new, h = [], inputs
    for weight in weights:
        sums = h @ weight.T
        new.append(weight / sums.square().mean().sqrt())
        h = torch.tanh(sums)
    return new


def rescaled__by_the_mean_square(weights, inputs):
    """Forgets the root."""
    new, h = [], inputs
    for weight in weights:
        factor = (h @ weight.T).square().mean()
        new.append(weight / factor)
        h = torch.tanh(h @ weight.T / factor)
    return new


def rescaled__by_the_deviation(weights, inputs):
    """Takes the standard deviation over batch and units, which leaves out the mean."""
    new, h = [], inputs
    for weight in weights:
        factor = (h @ weight.T).std(correction=0)
        new.append(weight / factor)
        h = torch.tanh(h @ weight.T / factor)
    return new


def rescaled__by_what_tanh_makes(weights, inputs):
    """Brings the activations, and not the sums, to the size 1."""
    new, h = [], inputs
    for weight in weights:
        factor = torch.tanh(h @ weight.T).square().mean().sqrt()
        new.append(weight / factor)
        h = torch.tanh(h @ weight.T / factor)
    return new


def rescaled__by_xavier(weights, inputs):
    """Scales by the rule for weights of variance 1, and measures nothing."""
    return [weight * (2 / sum(weight.shape)) ** 0.5 for weight in weights]
