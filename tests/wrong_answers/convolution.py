"""Wrong answers to the exercises of convnets/convolution."""

import numpy as np
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


def views(framed, weight):
    """All windows of framed pictures."""
    return np.lib.stride_tricks.sliding_window_view(framed, weight.shape[2:], axis=(2, 3))


def frame(images, padding):
    """Pictures in a frame of zeros."""
    return np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))


def layer_in_numpy__turned(images, weight, stride, padding):
    """Turns the kernel by half a turn, as a true convolution does."""
    windows = views(frame(images, padding), weight)[:, :, ::stride, ::stride]
    return np.einsum("ncijab,ocab->noij", windows, weight[:, :, ::-1, ::-1])


def layer_in_numpy__frames_every_axis(images, weight, stride, padding):
    """Puts zeros around pictures and channels too."""
    windows = views(np.pad(images, padding), weight)[:, :, ::stride, ::stride]
    return np.einsum("ncijab,ocab->noij", windows[:, : weight.shape[1]], weight)


def layer_in_numpy__stride_along_rows_alone(images, weight, stride, padding):
    """Keeps every place along a row."""
    return np.einsum("ncijab,ocab->noij", views(frame(images, padding), weight)[:, :, ::stride], weight)


def layer_in_numpy__without_stride(images, weight, stride, padding):
    """Forgets the stride."""
    return np.einsum("ncijab,ocab->noij", views(frame(images, padding), weight), weight)


def layer_in_numpy__without_padding(images, weight, stride, padding):
    """Forgets the frame."""
    return np.einsum("ncijab,ocab->noij", views(images, weight)[:, :, ::stride, ::stride], weight)


def layer_in_numpy__mean_of_channels(images, weight, stride, padding):
    """Takes the mean over the input channels in place of the sum."""
    windows = views(frame(images, padding), weight)[:, :, ::stride, ::stride]
    return np.einsum("ncijab,ocab->noij", windows, weight) / weight.shape[1]


def layer_in_numpy__first_channel_alone(images, weight, stride, padding):
    """Looks at one input channel."""
    windows = views(frame(images, padding), weight)[:, :, ::stride, ::stride]
    return np.einsum("nijab,oab->noij", windows[:, 0], weight[:, 0])


def layer_in_numpy__kernels_first(images, weight, stride, padding):
    """Gives the output channels before the pictures."""
    windows = views(frame(images, padding), weight)[:, :, ::stride, ::stride]
    return np.einsum("ncijab,ocab->onij", windows, weight)


def layer_in_numpy__rows_and_columns_exchanged(images, weight, stride, padding):
    """Transposes the kernels."""
    windows = views(frame(images, padding), weight)[:, :, ::stride, ::stride]
    return np.einsum("ncijab,ocba->noij", windows, weight)
