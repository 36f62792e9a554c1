"""Draw a digit: a trained convolutional network that runs inside the page."""

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
import traitlets
from torch import Tensor, nn

from utils.widgets.base import CourseWidget, check_finite, read_module, read_style

PIXELS = 28 * 28


def pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    """``3`` as ``(3, 3)``; a pair stays as it is."""
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


def flatten_layers(model: nn.Sequential) -> Iterator[nn.Module]:
    """The layers of a Sequential in order, those of Sequentials inside it included."""
    for layer in model:
        if isinstance(layer, nn.Sequential):
            yield from flatten_layers(layer)
        else:
            yield layer


def describe_layer(layer: nn.Module) -> dict:
    """What the page must know to compute a layer, as plain numbers and strings.

    Raises:
        ValueError: if the page cannot compute this layer; the message names it.
    """
    if isinstance(layer, nn.Conv2d) and not isinstance(layer.padding, str):
        plain = pair(layer.stride) == pair(layer.dilation) == (1, 1) and layer.groups == 1
        if plain and layer.padding_mode == "zeros":
            return {
                "type": "conv",
                "inputs": layer.in_channels,
                "outputs": layer.out_channels,
                "kernel": pair(layer.kernel_size),
                "padding": pair(layer.padding),
            }
    if isinstance(layer, nn.MaxPool2d):
        sizes = (pair(layer.kernel_size), pair(layer.stride), pair(layer.padding), pair(layer.dilation))
        if sizes == ((2, 2), (2, 2), (0, 0), (1, 1)) and not (layer.ceil_mode or layer.return_indices):
            return {"type": "pool"}
    if isinstance(layer, nn.ReLU):
        return {"type": "relu"}
    if isinstance(layer, nn.Flatten) and (layer.start_dim, layer.end_dim) == (1, -1):
        return {"type": "flatten"}
    if isinstance(layer, nn.Linear):
        return {"type": "linear", "inputs": layer.in_features, "outputs": layer.out_features}
    raise ValueError(
        "expected Conv2d (stride 1, numeric zero padding), MaxPool2d(2), ReLU, Flatten() or Linear, "
        f"got {layer}"
    )


def pack_weights(layers: Sequence[nn.Module]) -> bytes:
    """Weight and bias of every layer that has them, in order, as little-endian float32.

    A layer without a bias gets zeros, so that the page needs one rule only.
    """
    parts = []
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            weight = layer.weight.detach().cpu().float()
            bias = torch.zeros(len(weight)) if layer.bias is None else layer.bias.detach().cpu().float()
            parts += [weight.numpy().ravel(), bias.numpy()]
    return np.concatenate(parts).astype("<f4").tobytes() if parts else b""


def pack_pictures(pictures: Tensor | np.ndarray | None) -> bytes:
    """(n, 28, 28) or (n, 1, 28, 28) uint8 as bytes, picture after picture; none gives no bytes.

    Raises:
        ValueError: if shape or type are others.
    """
    if pictures is None:
        return b""
    array = torch.as_tensor(pictures).cpu().numpy()
    if array.dtype != np.uint8 or array.shape[1:] not in ((28, 28), (1, 28, 28)):
        raise ValueError(f"expected pictures (n, 28, 28) uint8, got {array.shape} {array.dtype}")
    return array.tobytes()


class DrawDigit(CourseWidget):
    """A drawing area, and the probabilities that a network computes in the page while one draws.

    Make it with :meth:`from_model`. Traits: ``layers`` (descriptions), ``weights`` (float32 bytes),
    ``mean`` and ``std`` (of the pixels in [0, 1], as in training), ``examples`` (28×28 bytes each),
    ``labels`` (their digits) and ``pixels``: the 784 bytes that the network sees, row by row, to be
    read or set from Python (empty: the first example).
    """

    _esm = read_module("shared", "network", "draw_digit")
    _css = read_style("network", "draw_digit")

    layers = traitlets.List(traitlets.Dict()).tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    mean = traitlets.CFloat().tag(sync=True)
    std = traitlets.CFloat().tag(sync=True)
    examples = traitlets.Bytes().tag(sync=True)
    labels = traitlets.List(traitlets.CInt()).tag(sync=True)
    pixels = traitlets.Bytes().tag(sync=True)

    @classmethod
    def from_model(
        cls,
        model: nn.Sequential,
        mean: float = 0.1307,
        std: float = 0.3081,
        *,
        examples: Tensor | np.ndarray | None = None,
        labels: Sequence[int] = (),
    ) -> "DrawDigit":
        """Put a network's layers and weights into a figure; the model itself is left as it is.

        Args:
            model: maps (1, 1, 28, 28) to (1, 10) logits; Conv2d (stride 1), MaxPool2d(2), ReLU,
                Flatten and Linear, nested Sequentials allowed.
            mean: mean of the training pixels in [0, 1].
            std: their standard deviation, above 0.
            examples: (n, 28, 28) or (n, 1, 28, 28) bytes, digits that the reader can choose.
            labels: (n,) digits, one for each example.

        Raises:
            ValueError: if the model, a layer of it, or the shape of the examples does not fit.
            traitlets.TraitError: if mean, std or labels do not fit.
        """
        if not isinstance(model, nn.Sequential):
            raise ValueError(f"expected an nn.Sequential, got {type(model).__name__}")
        layers = list(flatten_layers(model))
        described = [describe_layer(layer) for layer in layers]
        with torch.no_grad():
            # On a copy: the reader's model keeps its device and its mode.
            out = copy.deepcopy(model).cpu().float()(torch.zeros(1, 1, 28, 28))
        if out.shape != (1, 10):
            raise ValueError(f"expected logits (1, 10) for an image (1, 1, 28, 28), got {tuple(out.shape)}")
        return cls(
            layers=described,
            weights=pack_weights(layers),
            mean=mean,
            std=std,
            examples=pack_pictures(examples),
            labels=[int(label) for label in labels],
        )

    @traitlets.validate("mean", "std")
    def _validate_scale(self, proposal: dict) -> float:
        mean, std = self.values_with(proposal, "mean", "std")
        check_finite("mean and std", (mean, std))
        if std <= 0:
            raise traitlets.TraitError(f"expected std above 0, got {std}")
        return proposal["value"]

    @traitlets.validate("pixels")
    def _validate_pixels(self, proposal: dict) -> bytes:
        if len(proposal["value"]) not in (0, PIXELS):
            raise traitlets.TraitError(f"expected 784 bytes or none, got {len(proposal['value'])}")
        return proposal["value"]

    @traitlets.validate("examples", "labels")
    def _validate_examples(self, proposal: dict) -> bytes | list[int]:
        examples, labels = self.values_with(proposal, "examples", "labels")
        if len(examples) != PIXELS * len(labels) or not all(0 <= digit <= 9 for digit in labels):
            raise traitlets.TraitError(
                "expected 28×28 bytes and a label in 0..9 for each example, "
                f"got {len(examples) / PIXELS:g} examples and labels {labels}"
            )
        return proposal["value"]
