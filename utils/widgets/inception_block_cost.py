"""Inception block: channels of the four paths on sliders, and what the block costs with and without 1×1."""

from collections.abc import Sequence

import traitlets

from utils.widgets.base import CourseWidget, read_module, read_style

MOST, STEP = 384, 4  # the sliders' end and their step


class InceptionBlockCost(CourseWidget):
    """An Inception block, drawn with widths in proportion to its channels, and its weights counted.

    Traits (all can be set and read from Python): ``channels``, the six numbers that the sliders move: of the
    1×1 path, of the 3×3 path reduced and out, of the 5×5 path reduced and out, of the pooling path; multiples
    of 4, at most 384. ``in_channels`` of the input, which a reduction does not exceed, and its ``side`` in
    places. Biases are not counted, as with a batch norm behind each convolution.
    """

    _esm = read_module("shared", "inception_block_cost")
    _css = read_style("inception_block_cost")

    channels = traitlets.List(traitlets.CInt()).tag(sync=True)
    in_channels = traitlets.CInt().tag(sync=True)
    side = traitlets.CInt().tag(sync=True)

    def __init__(
        self,
        channels: Sequence[int] = (64, 96, 128, 16, 32, 32),
        *,
        in_channels: int = 192,
        side: int = 28,
    ):
        """Show a block.

        Args:
            channels: (6,) as the trait; by default those of GoogLeNet's first block.
            in_channels: of the input, 4 to 1024 in steps of 4.
            side: of the square input and output, 1 to 224 places.

        Raises:
            traitlets.TraitError: if a number lies outside its range or is no multiple of 4 where it must be.
        """
        super().__init__(channels=list(channels), in_channels=in_channels, side=side)

    @traitlets.validate("channels", "in_channels")
    def _validate_channels(self, proposal: dict) -> list[int] | int:
        channels, in_channels = self.values_with(proposal, "channels", "in_channels")
        if in_channels % STEP or not STEP <= in_channels <= 1024:
            raise traitlets.TraitError(f"expected in_channels 4 to 1024 in steps of 4, got {in_channels}")
        if len(channels) != 6 or any(c % STEP or not STEP <= c <= MOST for c in channels):
            raise traitlets.TraitError(f"expected six multiples of 4, at most {MOST}, got {channels}")
        if max(channels[1], channels[3]) > in_channels:
            raise traitlets.TraitError(
                f"expected reductions to at most in_channels, got channels={channels}, {in_channels=}"
            )
        return proposal["value"]

    @traitlets.validate("side")
    def _validate_side(self, proposal: dict) -> int:
        if not 1 <= proposal["value"] <= 224:
            raise traitlets.TraitError(f"expected a side of 1 to 224, got {proposal['value']}")
        return proposal["value"]
