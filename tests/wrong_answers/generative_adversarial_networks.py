"""Wrong answers to the exercise of vision/generative-adversarial-networks."""

import torch


def counted(sample, edges, right=True):
    """How many numbers of a sample each bin holds."""
    reached = torch.bucketize(sample, edges, right=right)
    return reached.bincount(minlength=len(edges) + 1)[1:-1].float()


def count_discriminator__counts_for_shares(real, made, edges):
    """Forgets that the samples may have different lengths."""
    p, q = counted(real, edges), counted(made, edges)
    return torch.where(p + q > 0, p / (p + q).clamp(min=1), 0.5)


def count_discriminator__nan_in_empty_bins(real, made, edges):
    """Divides nothing by nothing."""
    p, q = counted(real, edges) / len(real), counted(made, edges) / len(made)
    return p / (p + q)


def count_discriminator__zero_in_empty_bins(real, made, edges):
    """Says made where it knows nothing."""
    p, q = counted(real, edges) / len(real), counted(made, edges) / len(made)
    return p / (p + q).clamp(min=1e-12)


def count_discriminator__edges_to_the_left(real, made, edges):
    """Puts a number on an edge into the bin on its left."""
    p, q = (counted(sample, edges, right=False) / len(sample) for sample in (real, made))
    return torch.where(p + q > 0, p / (p + q).clamp(min=1e-12), 0.5)


def count_discriminator__last_edge_inside(real, made, edges):
    """Counts as `torch.histogram` does, whose last bin has its right edge too."""
    p, q = (torch.histogram(sample, edges)[0] / len(sample) for sample in (real, made))
    return torch.where(p + q > 0, p / (p + q).clamp(min=1e-12), 0.5)


def count_discriminator__share_of_made_ones(real, made, edges):
    """Exchanges the two."""
    p, q = counted(real, edges) / len(real), counted(made, edges) / len(made)
    return torch.where(p + q > 0, q / (p + q).clamp(min=1e-12), 0.5)


def count_discriminator__only_what_lies_inside(real, made, edges):
    """Takes shares of what lies in the bins, not of the sample."""
    p, q = counted(real, edges), counted(made, edges)
    p, q = p / p.sum().clamp(min=1), q / q.sum().clamp(min=1)
    return torch.where(p + q > 0, p / (p + q).clamp(min=1e-12), 0.5)


def count_discriminator__half_where_only_real(real, made, edges):
    """Knows nothing where one of the two is missing."""
    p, q = counted(real, edges) / len(real), counted(made, edges) / len(made)
    return torch.where(q > 0, p / (p + q).clamp(min=1e-12), 0.5)


def count_discriminator__made_ones_outside_dropped(real, made, edges):
    """Takes shares of the made numbers that lie inside."""
    inside = (made >= edges[0]) & (made < edges[-1])
    p, q = counted(real, edges) / len(real), counted(made, edges) / inside.sum().clamp(min=1)
    return torch.where(p + q > 0, p / (p + q).clamp(min=1e-12), 0.5)


def count_discriminator__made_ones_on_the_last_edge(real, made, edges):
    """Counts made numbers on the last edge into the last bin."""
    p, q = counted(real, edges), counted(made, edges)
    q[-1] += (made == edges[-1]).sum()
    p, q = p / len(real), q / len(made)
    return torch.where(p + q > 0, p / (p + q).clamp(min=1e-12), 0.5)


def count_discriminator__edges_of_its_own(real, made, edges):
    """Has the bins of the first cases."""
    edges = torch.tensor([0.0, 1, 2, 4])
    p, q = counted(real, edges) / len(real), counted(made, edges) / len(made)
    return torch.where(p + q > 0, p / (p + q).clamp(min=1e-12), 0.5)
