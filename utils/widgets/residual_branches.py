"""Residual branches: a trained residual network in the page, with a switch at each branch."""

from collections.abc import Sequence

import numpy as np
import torch
import traitlets
from torch import Tensor, nn
from torch.nn import functional as F

from utils.data import RGB_MEAN, RGB_STD
from utils.layers.convnets import ResNet
from utils.widgets.base import CourseWidget, check_finite, pack_halves, read_module, read_style, unpack_halves

MOST = 100  # pictures in a figure


def fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[dict, Tensor, Tensor]:
    """A convolution and the batch norm behind it, in evaluation mode, as one: shape, weight and bias."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()  # (out,)
    shape = {
        "inputs": conv.in_channels,
        "outputs": conv.out_channels,
        "kernel": list(conv.kernel_size),
        "padding": list(conv.padding),
        "stride": conv.stride[0],
    }
    return shape, conv.weight * scale[:, None, None, None], norm.bias - scale * norm.running_mean


class ResidualBranches(CourseWidget):
    """Test pictures, what a residual network reads in them, and a switch for each residual branch.

    Make it with :meth:`from_model`. Traits: ``layers`` (the shapes: stem, two or three for each block, and
    the number of classes), ``weights`` (float16 bytes, each layer's weight and bias, batch norms folded in),
    ``pictures`` (bytes), ``shape`` of one picture, ``labels``, ``mean`` and ``std`` of the training pixels;
    and what the reader changes: ``on``, whether each branch is on, and ``chosen``, the picture shown large.
    """

    _esm = read_module("shared", "network", "halves", "residual_branches")
    _css = read_style("network", "residual_branches")

    layers = traitlets.Dict().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    pictures = traitlets.Bytes().tag(sync=True)
    shape = traitlets.List(traitlets.Int()).tag(sync=True)
    labels = traitlets.List(traitlets.CInt()).tag(sync=True)
    mean = traitlets.List(traitlets.CFloat()).tag(sync=True)
    std = traitlets.List(traitlets.CFloat()).tag(sync=True)
    on = traitlets.List(traitlets.Bool()).tag(sync=True)
    chosen = traitlets.Int().tag(sync=True)

    @classmethod
    def from_model(
        cls,
        model: ResNet,
        pictures: Tensor,
        labels: Sequence[int] | Tensor,
        *,
        mean: Sequence[float] = RGB_MEAN,
        std: Sequence[float] = RGB_STD,
    ) -> "ResidualBranches":
        """Put a network and pictures into a figure; the model is left as it is.

        Args:
            model: a residual network for ten digits, as it is in evaluation mode.
            pictures: (n, 3, height, width) uint8, at most 100.
            labels: (n,) digits.
            mean: of each channel of the training pixels in [0, 1].
            std: their standard deviations, above 0.

        Raises:
            ValueError: if the model is not a residual network of ten classes, or the pictures are not bytes.
            traitlets.TraitError: if labels, mean or std do not fit.
        """
        if not isinstance(model, ResNet) or not all(b.shortcut for b in model.blocks()):
            raise ValueError(f"expected a ResNet with shortcuts, got {type(model).__name__}")
        if model.fc.out_features != 10:
            raise ValueError(f"expected ten classes, got {model.fc.out_features}")
        if pictures.dtype != torch.uint8 or pictures.ndim != 4 or not 0 < len(pictures) <= MOST:
            got = f"{pictures.dtype} {tuple(pictures.shape)}"
            raise ValueError(f"expected 1 to {MOST} pictures (n, 3, height, width) uint8, got {got}")
        with torch.no_grad():
            stem, *parts = fold(model.conv1, model.bn1)
            blocks = []
            for block in model.blocks():
                pairs = [(block.conv1, block.bn1), (block.conv2, block.bn2), block.downsample]
                folded = [fold(*pair) for pair in pairs if pair is not None]
                blocks.append([shape for shape, *_ in folded])
                parts += [values for _, *both in folded for values in both]
            parts += [model.fc.weight, model.fc.bias]
            stages = [len(stage) for stage in model.children() if isinstance(stage, nn.Sequential)]
        return cls(
            layers={"stem": stem, "blocks": blocks, "stages": stages},
            weights=pack_halves(parts),
            pictures=pictures.cpu().numpy().tobytes(),
            shape=list(pictures.shape[1:]),
            labels=[int(label) for label in labels],
            mean=list(mean),
            std=list(std),
            on=[True] * len(blocks),
        )

    def logits(self, on: Sequence[bool] | None = None) -> Tensor:
        """What the page computes for its pictures, from the state alone, by torch: (n, 10).

        Args:
            on: whether each branch is on; by default as it is in the figure.
        """
        numbers = unpack_halves(self.weights)
        at = 0

        def take(*shape: int) -> Tensor:
            nonlocal at
            at += int(np.prod(shape))
            return numbers[at - int(np.prod(shape)) : at].view(shape)

        def convolve(x: Tensor, layer: dict) -> Tensor:
            weight = take(layer["outputs"], layer["inputs"], *layer["kernel"])
            return F.conv2d(x, weight, take(layer["outputs"]), layer["stride"], tuple(layer["padding"]))

        x = torch.frombuffer(bytearray(self.pictures), dtype=torch.uint8).view(-1, *self.shape) / 255
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        x = F.max_pool2d(convolve((x - mean) / std, self.layers["stem"]).relu(), 3, 2, 1)
        for is_on, (first, second, *projection) in zip(on or self.on, self.layers["blocks"], strict=True):
            f = convolve(convolve(x, first).relu(), second)
            shortcut = convolve(x, projection[0]) if projection else x
            x = F.relu(shortcut + f if is_on else shortcut)
        return F.linear(x.mean(dim=(2, 3)), take(10, x.shape[1]), take(10))

    @traitlets.validate("on")
    def _validate_on(self, proposal: dict) -> list[bool]:
        if len(proposal["value"]) != len(self.layers["blocks"]):
            count = len(self.layers["blocks"])
            raise traitlets.TraitError(f"expected on to hold {count} switches, got {len(proposal['value'])}")
        return proposal["value"]

    @traitlets.validate("chosen", "labels")
    def _validate_pictures(self, proposal: dict) -> int | list[int]:
        pictures, labels, shape = self.values_with(proposal, "pictures", "labels", "shape")
        count = len(pictures) // max(1, int(np.prod(shape)))
        if len(labels) != count or not all(0 <= label <= 9 for label in labels):
            raise traitlets.TraitError(f"expected a label in 0..9 for each of {count} pictures, got {labels}")
        (chosen,) = self.values_with(proposal, "chosen")
        if not 0 <= chosen < count:
            raise traitlets.TraitError(f"expected chosen to be a picture in 0..{count - 1}, got {chosen}")
        return proposal["value"]

    @traitlets.validate("mean", "std")
    def _validate_scale(self, proposal: dict) -> list[float]:
        mean, std = self.values_with(proposal, "mean", "std")
        check_finite("mean and std", [*mean, *std])
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise traitlets.TraitError(f"expected three means and three stds above 0, got {mean} and {std}")
        return proposal["value"]
