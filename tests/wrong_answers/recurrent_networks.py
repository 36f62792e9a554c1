"""Wrong answers to the exercise of sequences/recurrent-networks."""

import torch
from torch.nn import functional as F


def walk(w, x, c, h0, later=lambda w, d_a: w.T @ d_a, slope=lambda h: h > 0, share=torch.outer, past=0):
    """The right answer, of which one part may be another: see the functions below."""
    states = [h0]
    for x_t in x:
        states.append(F.relu(w @ states[-1] + x_t))
    gradient, from_later = torch.zeros_like(w), torch.zeros_like(h0)
    for t in reversed(range(len(x))):
        d_a = (c[t] + from_later) * slope(states[t + 1])
        gradient += share(d_a, states[t + past])
        from_later = later(w, d_a)
    return gradient


def relu_gradient__no_path_through_time(w, x, c, h0):
    """A state is credited for its own loss only."""
    return walk(w, x, c, h0, later=lambda w, d_a: torch.zeros_like(d_a))


def relu_gradient__w_not_transposed(w, x, c, h0):
    """On the way back multiplies by w in place of its transpose."""
    return walk(w, x, c, h0, later=lambda w, d_a: w @ d_a)


def relu_gradient__no_derivative_of_relu(w, x, c, h0):
    """Passes gradients through units that are off."""
    return walk(w, x, c, h0, slope=torch.ones_like)


def relu_gradient__derivative_of_relu_at_zero_is_one(w, x, c, h0):
    """Takes the derivative at 0 as 1."""
    states, inside = [h0], []
    for x_t in x:
        inside.append(w @ states[-1] + x_t)
        states.append(F.relu(inside[-1]))
    gradient, from_later = torch.zeros_like(w), torch.zeros_like(h0)
    for t in reversed(range(len(x))):
        d_a = (c[t] + from_later) * (inside[t] >= 0)
        gradient += torch.outer(d_a, states[t])
        from_later = w.T @ d_a
    return gradient


def relu_gradient__transposed(w, x, c, h0):
    """Rows and columns of the gradient are exchanged."""
    return walk(w, x, c, h0, share=lambda d_a, h: torch.outer(h, d_a))


def relu_gradient__state_after_the_step(w, x, c, h0):
    """Takes the new state where the one before belongs."""
    return walk(w, x, c, h0, past=1)


def relu_gradient__last_step_only(w, x, c, h0):
    """The loss of the last step alone."""
    return walk(w, x, torch.cat([torch.zeros_like(c[:-1]), c[-1:]]), h0)


def relu_gradient__mean_over_the_steps(w, x, c, h0):
    """Divides the sum over the steps by their number."""
    return walk(w, x, c, h0) / len(x)


def relu_gradient__starts_from_zeros(w, x, c, h0):
    """Ignores the given first state."""
    return walk(w, x, c, torch.zeros_like(h0))


def relu_gradient__autograd(w, x, c, h0):
    """Lets autograd do it."""
    w, h, loss = w.clone().requires_grad_(), h0, 0.0
    for x_t, c_t in zip(x, c, strict=True):
        h = F.relu(w @ h + x_t)
        loss = loss + c_t @ h
    return torch.autograd.grad(loss, w)[0]
