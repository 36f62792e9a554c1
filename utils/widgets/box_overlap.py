"""Box overlap: two boxes to move and resize, with their intersection, union and IoU."""

from collections.abc import Sequence

import traitlets

from utils.widgets.base import CourseWidget, read_module, read_style

SIDE = 64  # pixels of the picture, as in the figure's module


class BoxOverlap(CourseWidget):
    """Two boxes in a picture of 64 by 64 pixels.

    Traits (both can be set and read): ``first`` and ``second``, each the corners ``x1, y1, x2, y2``
    in whole pixels, y downwards. The page computes what the boxes have in common.
    """

    _esm = read_module("shared", "plot", "box_overlap")
    _css = read_style("box_overlap")

    first = traitlets.List(traitlets.CInt()).tag(sync=True)
    second = traitlets.List(traitlets.CInt()).tag(sync=True)

    def __init__(
        self, first: Sequence[int] = (8, 8, 40, 40), second: Sequence[int] = (24, 16, 56, 48)
    ) -> None:
        """Show the boxes.

        Args:
            first: corners x1, y1, x2, y2, whole numbers from 0 to 64, x1 <= x2 and y1 <= y2.
            second: likewise.

        Raises:
            traitlets.TraitError: if one of them is no such box.
        """
        super().__init__(first=list(first), second=list(second))

    @traitlets.validate("first", "second")
    def _validate_box(self, proposal: dict) -> list[int]:
        box = proposal["value"]
        if len(box) != 4 or not (0 <= box[0] <= box[2] <= SIDE and 0 <= box[1] <= box[3] <= SIDE):
            raise traitlets.TraitError(
                f"expected x1 <= x2 and y1 <= y2, all from 0 to {SIDE}, in "
                f"{proposal['trait'].name}, got {box}"
            )
        return box
