"""Convolutional networks: the Inception block; the residual block, and residual networks of any size."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class BasicConv2d(nn.Module):
    """Convolution without a bias, batch norm, ReLU: torchvision's of this name."""

    def __init__(self, in_channels: int, channels: int, kernel_size: int, stride: int = 1, padding: int = 0):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, kernel_size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, h, w) -> (n, channels, h', w')."""
        return F.relu(self.bn(self.conv(x)))


class Inception(nn.Module):
    """Four paths side by side, their channels stacked; with ``size=3`` it is torchvision's, names included.

    Source: Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, figure 2(b); the batch norms are
    those of Ioffe and Szegedy, "Batch Normalization", ICML 2015.
    """

    def __init__(
        self,
        in_channels: int,
        one: int,
        three: tuple[int | None, int],
        five: tuple[int | None, int],
        pool: int,
        size: int = 5,
    ):
        """
        Args:
            in_channels: of the input.
            one: channels of the 1×1 path.
            three: of the 3×3 path, reduced and out; reduced ``None``: no 1×1 convolution before the window.
            five: of the 5×5 path, likewise.
            pool: of the pooling path.
            size: of the window of the 5×5 path; odd.
        """
        super().__init__()
        self.branch1 = BasicConv2d(in_channels, one, 1)
        self.branch2 = self.window(in_channels, *three, 3)
        self.branch3 = self.window(in_channels, *five, size)
        pooling = nn.MaxPool2d(3, stride=1, padding=1)
        self.branch4 = nn.Sequential(pooling, BasicConv2d(in_channels, pool, 1))

    @staticmethod
    def window(in_channels: int, reduced: int | None, channels: int, size: int) -> nn.Module:
        """A size-preserving window, behind a 1×1 convolution to ``reduced`` channels if there is one."""
        if reduced is None:
            return BasicConv2d(in_channels, channels, size, padding=size // 2)
        wide = BasicConv2d(reduced, channels, size, padding=size // 2)
        return nn.Sequential(BasicConv2d(in_channels, reduced, 1), wide)

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, h, w) -> (n, one + three[1] + five[1] + pool, h, w)."""
        paths = [self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)]
        return torch.cat(paths, dim=1)


def conv3x3(in_channels: int, channels: int, stride: int = 1) -> nn.Conv2d:
    """Size-preserving 3×3 convolution; no bias, as a batch norm with a bias of its own follows."""
    return nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions with batch norm, added to their own input: ``relu(x + f(x))``.

    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, figure 2 and option B.
    """

    def __init__(self, in_channels: int, channels: int, stride: int = 1, *, shortcut: bool = True):
        """
        Args:
            in_channels: of the input.
            channels: of the output.
            stride: of the first convolution. Where it or the number of channels changes the shape, a 1×1
                convolution and a batch norm (``downsample``) bring the input into the new one.
            shortcut: ``False`` leaves the addition out: a plain block, ``relu(f(x))``.
        """
        super().__init__()
        self.conv1, self.bn1 = conv3x3(in_channels, channels, stride), nn.BatchNorm2d(channels)
        self.conv2, self.bn2 = conv3x3(channels, channels), nn.BatchNorm2d(channels)
        self.shortcut, self.downsample = shortcut, None
        if shortcut and (stride != 1 or in_channels != channels):
            projection = nn.Conv2d(in_channels, channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(channels))

    def branch(self, x: Tensor) -> Tensor:
        """The correction ``f(x)``: (n, in_channels, h, w) -> (n, channels, h / stride, w / stride)."""
        return self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))

    def forward(self, x: Tensor) -> Tensor:
        """Same shapes as `branch`; sides that the stride does not divide are rounded up."""
        if not self.shortcut:
            return F.relu(self.branch(x))
        return F.relu(self.branch(x) + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """A stem, stages of basic blocks, the mean of each map, logits; by default ResNet-18.

    The stem, a convolution and a pooling, quarters the sides; each stage after the first halves them. Names
    are torchvision's, so that its weights load into this network.

    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, table 1.
    """

    def __init__(
        self,
        blocks: Sequence[int] = (2, 2, 2, 2),
        widths: Sequence[int] = (64, 128, 256, 512),
        classes: int = 1000,
        *,
        shortcut: bool = True,
    ):
        """
        Args:
            blocks: how many in each stage; with two convolutions a block, the stem and the last layer the
                network has ``2 * sum(blocks) + 2`` layers.
            widths: channels of each stage.
            classes: number of logits.
            shortcut: ``False`` makes the plain network of the same depth and widths.

        Raises:
            ValueError: if there is not one width for each number of blocks, or a number is not positive.
        """
        super().__init__()
        if len(blocks) != len(widths) or not blocks or min(*blocks, *widths, classes) < 1:
            raise ValueError(f"expected a width for each stage, all at least 1, got {blocks} and {widths}")
        self.conv1 = nn.Conv2d(3, widths[0], 7, 2, padding=3, bias=False)
        self.bn1, self.maxpool = nn.BatchNorm2d(widths[0]), nn.MaxPool2d(3, 2, padding=1)
        channels = widths[0]
        for i, (count, width) in enumerate(zip(blocks, widths, strict=True), start=1):
            shapes = [(channels, width, 1 if i == 1 else 2)] + [(width, width, 1)] * (count - 1)
            stage = nn.Sequential(*(BasicBlock(*shape, shortcut=shortcut) for shape in shapes))
            self.add_module(f"layer{i}", stage)
            channels = width
        self.fc = nn.Linear(channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def blocks(self) -> list[BasicBlock]:
        """All blocks, from the first to the last."""
        return [module for module in self.modules() if isinstance(module, BasicBlock)]

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) -> logits (n, classes)."""
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        for block in self.blocks():
            x = block(x)
        return self.fc(x.mean(dim=(2, 3)))
