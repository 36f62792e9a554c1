"""Wrong answers to the exercise of training/optimizers."""

import torch


def moments(g, state, beta1):
    """Step count and moving average of the gradients."""
    t = state["t"] = state.get("t", 0) + 1
    m = state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
    return t, m


def adamax__eps_outside_the_maximum(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    """Adds eps to the denominator, as Adam does."""
    t, m = moments(g, state, beta1)
    u = state["u"] = torch.maximum(beta2 * state.get("u", torch.zeros_like(g)), g.abs())
    return w - lr / (1 - beta1**t) * m / (u + eps)


def adamax__eps_on_the_maximum(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    """Adds eps to the maximum and keeps the sum."""
    t, m = moments(g, state, beta1)
    u = torch.maximum(beta2 * state.get("u", torch.zeros_like(g)), g.abs()) + eps
    state["u"] = u
    return w - lr / (1 - beta1**t) * m / u


def adamax__eps_on_the_memory(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    """Adds eps to the old maximum."""
    t, m = moments(g, state, beta1)
    u = torch.maximum(beta2 * state.get("u", torch.zeros_like(g)) + eps, g.abs())
    state["u"] = u
    return w - lr / (1 - beta1**t) * m / u


def adamax__without_eps(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    """Divides zero by zero where no gradient came."""
    t, m = moments(g, state, beta1)
    u = state["u"] = torch.maximum(beta2 * state.get("u", torch.zeros_like(g)), g.abs())
    return w - lr / (1 - beta1**t) * m / u


def adamax__no_correction(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    """Leaves the correction of m out."""
    _, m = moments(g, state, beta1)
    u = torch.maximum(beta2 * state.get("u", torch.zeros_like(g)), g.abs() + eps)
    state["u"] = u
    return w - lr * m / u


def adamax__corrects_u_as_well(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    """Corrects the maximum, which needs none."""
    t, m = moments(g, state, beta1)
    u = torch.maximum(beta2 * state.get("u", torch.zeros_like(g)), g.abs() + eps)
    state["u"] = u
    return w - lr / (1 - beta1**t) * m / (u / (1 - beta2**t))


def adamax__no_memory_of_u(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    """Forgets to keep the maximum."""
    t, m = moments(g, state, beta1)
    return w - lr / (1 - beta1**t) * m / (g.abs() + eps)


def adamax__one_maximum_for_all(w, g, state, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    """Takes one maximum over the whole vector."""
    t, m = moments(g, state, beta1)
    u = max(beta2 * state.get("u", 0.0), (g.abs() + eps).max().item())
    state["u"] = u
    return w - lr / (1 - beta1**t) * m / u
