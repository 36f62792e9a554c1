"""Wrong answers to the exercise of sequences/gated-networks."""

import torch


def step(from_x, h, c, W_hh, b_hh, peepholes, look_i=1.0, look_f=1.0, show=None, order=(0, 1, 2, 3)):
    """The right answer, of which one part may be another: see the functions below."""
    blocks = (from_x + h @ W_hh.mT + b_hh).chunk(4, dim=-1)
    i, f, g, o = (blocks[k] for k in order)
    p_i, p_f, p_o = peepholes
    i, f = torch.sigmoid(i + look_i * p_i * c), torch.sigmoid(f + look_f * p_f * c)
    new = f * c + i * torch.tanh(g)
    o = torch.sigmoid(o + p_o * new) if show is None else show(o, p_o, c, new)
    return o * torch.tanh(new), new


def peephole_step__output_gate_sees_the_old_cell(from_x, h, c, W_hh, b_hh, peepholes):
    """All three gates look at the cell before the step."""
    return step(from_x, h, c, W_hh, b_hh, peepholes, show=lambda o, p, c, new: torch.sigmoid(o + p * c))


def peephole_step__output_gate_does_not_look(from_x, h, c, W_hh, b_hh, peepholes):
    """No peephole of the output gate."""
    return step(from_x, h, c, W_hh, b_hh, peepholes, show=lambda o, p, c, new: torch.sigmoid(o))


def peephole_step__output_gate_sees_the_squashed_cell(from_x, h, c, W_hh, b_hh, peepholes):
    """The output gate looks at the tanh of the cell."""
    return step(
        from_x, h, c, W_hh, b_hh, peepholes, show=lambda o, p, c, new: torch.sigmoid(o + p * new.tanh())
    )


def peephole_step__outside_the_sigmoid(from_x, h, c, W_hh, b_hh, peepholes):
    """Adds the look at the cell to the output gate, behind the sigmoid."""
    return step(from_x, h, c, W_hh, b_hh, peepholes, show=lambda o, p, c, new: torch.sigmoid(o) + p * new)


def peephole_step__without_peepholes(from_x, h, c, W_hh, b_hh, peepholes):
    """An ordinary LSTM."""
    return step(from_x, h, c, W_hh, b_hh, torch.zeros_like(peepholes))


def peephole_step__forget_gate_does_not_look(from_x, h, c, W_hh, b_hh, peepholes):
    """No peephole of the forget gate."""
    return step(from_x, h, c, W_hh, b_hh, peepholes, look_f=0.0)


def peephole_step__wrong_sign(from_x, h, c, W_hh, b_hh, peepholes):
    """Subtracts what the input gate sees."""
    return step(from_x, h, c, W_hh, b_hh, peepholes, look_i=-1.0)


def peephole_step__blocks_in_another_order(from_x, h, c, W_hh, b_hh, peepholes):
    """Blocks taken as i, f, o, g."""
    return step(from_x, h, c, W_hh, b_hh, peepholes, order=(0, 1, 3, 2))


def peephole_step__peepholes_in_another_order(from_x, h, c, W_hh, b_hh, peepholes):
    """Peepholes taken as f, i, o."""
    return step(from_x, h, c, W_hh, b_hh, peepholes[[1, 0, 2]])


def peephole_step__new_cell_first(from_x, h, c, W_hh, b_hh, peepholes):
    """Returns the cell before the hidden state."""
    return step(from_x, h, c, W_hh, b_hh, peepholes)[::-1]


def peephole_step__one_gate_for_all_units(from_x, h, c, W_hh, b_hh, peepholes):
    """Peepholes averaged over the units."""
    return step(from_x, h, c, W_hh, b_hh, peepholes.mean(dim=1, keepdim=True).expand_as(peepholes))
