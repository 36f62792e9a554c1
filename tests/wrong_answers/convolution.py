"""Wrong answers to the exercise of convnets/convolution."""

import torch
from torch.nn import functional as F


def correlate(picture, kernel, **options):
    """A cross-correlation of two matrices."""
    return F.conv2d(picture[None, None], kernel[None, None], **options)[0, 0]


def kernel_gradient__stride_stays_a_stride(picture, upstream, size, stride):
    """Keeps the stride of the forward pass in place of a dilation."""
    rows = (len(upstream) - 1) * stride + 1, (upstream.shape[1] - 1) * stride + 1
    spread = F.interpolate(upstream[None, None], size=rows)[0, 0]
    return correlate(picture, spread, stride=stride)[: size[0], : size[1]]


def kernel_gradient__not_cut(picture, upstream, size, stride):
    """Leaves the rows in that come from the remainder."""
    return correlate(picture, upstream, dilation=stride)


def kernel_gradient__cut_at_the_wrong_end(picture, upstream, size, stride):
    """Keeps the last rows and columns in place of the first."""
    return correlate(picture, upstream, dilation=stride)[-size[0] :, -size[1] :]


def kernel_gradient__without_dilation(picture, upstream, size, stride):
    """Forgets the stride."""
    return correlate(picture, upstream)[: size[0], : size[1]]


def kernel_gradient__turned(picture, upstream, size, stride):
    """Turns the upstream gradient by half a turn, as a true convolution does."""
    return correlate(picture, upstream.flip(0, 1), dilation=stride)[: size[0], : size[1]]


def kernel_gradient__rows_for_columns(picture, upstream, size, stride):
    """Cuts rows and columns the wrong way round."""
    return correlate(picture, upstream, dilation=stride)[: size[1], : size[0]]


def kernel_gradient__mean(picture, upstream, size, stride):
    """Takes the mean over the places in place of the sum."""
    whole = correlate(picture, upstream, dilation=stride)[: size[0], : size[1]]
    return whole / upstream.numel()


def kernel_gradient__cut_by_a_negative_size(picture, upstream, size, stride):
    """Cuts off the rows behind the last window, and everything where there are none."""
    rows, columns = ((m - k) % stride for m, k in zip(picture.shape, size, strict=True))
    return correlate(picture, upstream, dilation=stride)[:-rows, :-columns]


def kernel_gradient__corner_alone(picture, upstream, size, stride):
    """Looks at the first window only."""
    return torch.einsum("ab,->ab", picture[: size[0], : size[1]], upstream.sum())
