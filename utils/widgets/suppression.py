"""Suppression: a detector's boxes on some pictures, with the two thresholds that decide what is kept."""

from collections.abc import Sequence

import torch
import traitlets
from torch import Tensor

from utils.boxes import check_boxes
from utils.widgets.base import CourseWidget, read_module, read_style

MOST = 20  # pictures in a figure


class Suppression(CourseWidget):
    """Pictures, the boxes and scores that a detector gave, the true boxes, and sliders for the thresholds.

    Make it with :meth:`from_detections`. Traits: ``pictures`` (bytes, RGB by pixel), their ``side``,
    ``detections`` (for each picture rows x1, y1, x2, y2, score, best first), ``truths`` (corners); and
    what the reader changes: ``chosen``, the picture, ``score``, the least score, and ``threshold`` of NMS.
    """

    _esm = read_module("shared", "suppression")
    _css = read_style("suppression")

    pictures = traitlets.Bytes().tag(sync=True)
    side = traitlets.Int().tag(sync=True)
    detections = traitlets.List().tag(sync=True)
    truths = traitlets.List().tag(sync=True)
    chosen = traitlets.Int().tag(sync=True)
    score = traitlets.CFloat().tag(sync=True)
    threshold = traitlets.CFloat().tag(sync=True)

    @classmethod
    def from_detections(
        cls,
        pictures: Tensor,
        detections: Sequence[tuple[Tensor, Tensor]],
        truths: Sequence[Tensor],
        *,
        score: float = 0.3,
        threshold: float = 0.5,
    ) -> "Suppression":
        """Put pictures and a detector's boxes, before any suppression, into a figure.

        Args:
            pictures: (n, 3, side, side) uint8, at most 20.
            detections: for each picture boxes (k, 4) and scores (k,).
            truths: for each picture the true boxes (m, 4).
            score: boxes of a lower score are not shown, at first.
            threshold: of the suppression, at first.

        Raises:
            ValueError: if the pictures are not square bytes, or there are not as many detections and truths.
            traitlets.TraitError: if a threshold does not lie in [0, 1].
        """
        square = pictures.ndim == 4 and pictures.shape[1] == 3 and pictures.shape[2] == pictures.shape[3]
        if pictures.dtype != torch.uint8 or not square or not 0 < len(pictures) <= MOST:
            got = f"{pictures.dtype} {tuple(pictures.shape)}"
            raise ValueError(f"expected 1 to {MOST} pictures (n, 3, side, side) uint8, got {got}")
        if not len(pictures) == len(detections) == len(truths):
            counts = f"{len(pictures)}, {len(detections)} and {len(truths)}"
            raise ValueError(f"expected detections and true boxes of each picture, got {counts}")
        rows = []
        for boxes, scores in detections:
            best = scores.argsort(descending=True, stable=True)
            found = torch.cat([check_boxes(boxes), scores[:, None].to(boxes)], dim=1)[best]
            rows.append([[round(value, 4) for value in row] for row in found.tolist()])
        return cls(
            pictures=pictures.permute(0, 2, 3, 1).cpu().contiguous().numpy().tobytes(),
            side=pictures.shape[2],
            detections=rows,
            truths=[check_boxes(boxes).tolist() for boxes in truths],
            score=score,
            threshold=threshold,
        )

    @traitlets.validate("score", "threshold")
    def _validate_share(self, proposal: dict) -> float:
        if not 0 <= proposal["value"] <= 1:  # also refuses NaN
            raise traitlets.TraitError(
                f"expected {proposal['trait'].name} in [0, 1], got {proposal['value']}"
            )
        return proposal["value"]

    @traitlets.validate("chosen")
    def _validate_chosen(self, proposal: dict) -> int:
        (detections,) = self.values_with(proposal, "detections")
        if not 0 <= proposal["value"] < max(1, len(detections)):
            raise traitlets.TraitError(
                f"expected chosen to be a picture in 0..{len(detections) - 1}, got {proposal['value']}"
            )
        return proposal["value"]
