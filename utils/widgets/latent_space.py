"""Latent space: a small generator that runs inside the page, and what the discriminator says of it."""

from collections.abc import Iterator, Sequence

import torch
import traitlets
from torch import Tensor, nn

from utils.widgets.base import CourseWidget, check_finite, pack_halves, read_module, read_style

MOST = 64  # numbers of a code


def describe_layer(layer: nn.Module) -> dict:
    """What the page must know to compute a layer, as plain numbers and strings.

    Raises:
        ValueError: if the page cannot compute this layer; the message names it.
    """
    if isinstance(layer, nn.Linear):
        sizes = {"inputs": layer.in_features, "outputs": layer.out_features}
        return {"type": "linear", **sizes, "weights": layer.weight.numel()}
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and not isinstance(layer.padding, str):
        pairs = [layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.output_padding]
        square = all(one == other for one, other in pairs)
        plain = square and layer.dilation == (1, 1) and layer.output_padding == (0, 0) and layer.groups == 1
        if plain and layer.padding_mode == "zeros":
            sizes = dict(inputs=layer.in_channels, outputs=layer.out_channels, kernel=layer.kernel_size[0])
            rest = dict(stride=layer.stride[0], padding=layer.padding[0], weights=layer.weight.numel())
            return {"type": "windows", "up": isinstance(layer, nn.ConvTranspose2d), **sizes, **rest}
    if isinstance(layer, nn.BatchNorm2d) and layer.affine and layer.track_running_stats:
        return {"type": "scale", "outputs": layer.num_features, "weights": layer.num_features}
    if isinstance(layer, nn.ReLU | nn.LeakyReLU):
        return {"type": "leaky", "slope": getattr(layer, "negative_slope", 0.0)}
    if isinstance(layer, nn.Unflatten) and layer.dim == 1 and len(layer.unflattened_size) == 3:
        return {"type": "shape", "to": list(layer.unflattened_size)}
    if isinstance(layer, nn.Flatten) and (layer.start_dim, layer.end_dim) == (1, -1):
        return {"type": "shape", "to": [-1]}
    if isinstance(layer, nn.Sigmoid):
        return {"type": "sigmoid"}
    raise ValueError(
        "expected Linear, Unflatten(1, (channels, height, width)), Conv2d or ConvTranspose2d (square), "
        f"BatchNorm2d, ReLU, LeakyReLU, Sigmoid or Flatten(), got {layer}"
    )


def weights_of(layer: nn.Module) -> Iterator[Tensor]:
    """Weight and bias of a layer; of a batch norm the factor and the term that it has after training."""
    if isinstance(layer, nn.BatchNorm2d):
        factor = layer.weight / (layer.running_var + layer.eps).sqrt()
        yield from (factor, layer.bias - factor * layer.running_mean)
    elif isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        outputs = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
        yield layer.weight
        yield torch.zeros(outputs) if layer.bias is None else layer.bias


class LatentSpace(CourseWidget):
    """A map between four codes, the digit at a place of it, and what the discriminator says.

    Make it with :meth:`from_models`. Traits: ``generator`` and ``discriminator`` (descriptions of layers),
    ``weights`` (float16 bytes); and, to be read or set from Python, ``corners`` (four codes: top left, top
    right, bottom left, bottom right) and ``point`` (shares to the right and down, 0 to 1).
    """

    _esm = read_module("shared", "halves", "latent_space")
    _css = read_style("latent_space")

    generator = traitlets.List(traitlets.Dict()).tag(sync=True)
    discriminator = traitlets.List(traitlets.Dict()).tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    corners = traitlets.List(traitlets.List(traitlets.CFloat())).tag(sync=True)
    point = traitlets.List(traitlets.CFloat()).tag(sync=True)

    @classmethod
    def from_models(
        cls,
        generator: nn.Sequential,
        discriminator: nn.Sequential,
        corners: Tensor | Sequence[Sequence[float]],
        point: Sequence[float] = (0.5, 0.5),
    ) -> "LatentSpace":
        """Put both networks, their weights rounded to float16, into a figure; they are left as they are.

        Args:
            generator: maps codes (n, size) to pictures (n, 1, 28, 28) in [0, 1]; its batch norms take the
                statistics that they have collected, as in evaluation.
            discriminator: maps such pictures to logits (n, 1).
            corners: (4, size) codes.
            point: where the reader starts, shares to the right and down.

        Raises:
            ValueError: if a layer is of another kind, or the shapes do not fit together.
            traitlets.TraitError: if there are not four corners of one size, or the point is not in [0, 1].
        """
        corners = torch.as_tensor(corners, dtype=torch.float32).cpu()
        layers = [*generator, *discriminator]
        described = [describe_layer(layer) for layer in layers]
        size = getattr(next(iter(generator), None), "in_features", None)
        if corners.ndim != 2 or corners.shape[1] != size:
            raise ValueError(f"expected corners (4, {size}) for {generator}, got {tuple(corners.shape)}")
        with torch.no_grad():
            packed = pack_halves(values for layer in layers for values in weights_of(layer))
        return cls(
            generator=described[: len(generator)],
            discriminator=described[len(generator) :],
            weights=packed,
            corners=corners.tolist(),
            point=list(point),
        )

    @traitlets.validate("corners")
    def _validate_corners(self, proposal: dict) -> list[list[float]]:
        corners = proposal["value"]
        sizes = {len(code) for code in corners}
        if len(corners) != 4 or len(sizes) != 1 or not 1 <= max(sizes) <= MOST:
            raise traitlets.TraitError(f"expected 4 codes of one size up to {MOST}, got {corners}")
        check_finite("corners", [value for code in corners for value in code])
        return corners

    @traitlets.validate("point")
    def _validate_point(self, proposal: dict) -> list[float]:
        point = proposal["value"]
        check_finite("point", point)
        if len(point) != 2 or not all(0 <= value <= 1 for value in point):
            raise traitlets.TraitError(f"expected two shares in [0, 1], got {point}")
        return point
