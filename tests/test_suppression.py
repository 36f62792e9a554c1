"""The figure of non-maximum suppression: what it keeps is what `utils.boxes` keeps."""

import pytest
import torch
from figure_page import assert_refused, says, settle, tap, write_page
from torch import Tensor
from traitlets import TraitError

from utils.boxes import box_iou, mark_hits, nms
from utils.widgets import Suppression

STATE = "() => document.querySelector('.cw-nms').state"


def some_detections(seed: int = 0, pictures: int = 3) -> tuple[Tensor, list, list]:
    """Noise as pictures; true boxes, and around each several that are shifted a little."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (pictures, 3, 64, 64), dtype=torch.uint8, generator=generator)
    detections, truths = [], []
    for i in range(pictures):
        corner = torch.rand(i + 1, 2, generator=generator) * 40
        truth = torch.cat([corner, corner + 10 + 12 * torch.rand(i + 1, 2, generator=generator)], dim=1)
        near = truth.repeat(6, 1) + 3 * torch.randn(6 * (i + 1), 4, generator=generator)
        near[:, 2:] = torch.maximum(near[:, :2], near[:, 2:])
        detections.append((near.round(decimals=2), torch.rand(len(near), generator=generator)))
        truths.append(truth)
    return images, detections, truths


def suppression(seed: int = 0) -> Suppression:
    return Suppression.from_detections(*some_detections(seed))


def expected(detections: list, truths: list, chosen: int, score: float, threshold: float) -> tuple:
    """Scores of the kept boxes, to four decimals, and which are right."""
    boxes, scores = detections[chosen]
    scores = scores.double().round(decimals=4)
    sure = scores >= score - 1e-9
    kept = nms(boxes[sure].double(), scores[sure], threshold)
    right = mark_hits(box_iou(boxes[sure][kept].double(), truths[chosen].double()), 0.5)
    return scores[sure][kept].tolist(), right.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_keeps_what_our_nms_keeps(session, tmp_path, seed):
    _, detections, truths = some_detections(seed)
    page = session().open(write_page(tmp_path / "p.html", [suppression(seed)]))
    for chosen in range(3):
        for score in (5, 50):
            page.get_by_label("Least score").fill(str(score))
            for threshold in (0, 30, 55, 100):
                page.get_by_label("NMS threshold").fill(str(threshold))
                settle(page)
                state = page.evaluate(STATE)
                scores, right = expected(detections, truths, chosen, score / 100, threshold / 100)
                assert [box[4] for box in state["kept"]] == pytest.approx(scores, abs=1e-4)
                assert state["right"] == right
                found = page.get_by_role("row", name="Digits found").locator("td").inner_text()
                assert found == f"{sum(right)} of {len(truths[chosen])}"
        page.get_by_role("button", name="Next picture").click()
        settle(page)
    assert page.locator("figcaption").inner_text() == "Picture 1 of 3", "after the last comes the first"


def test_by_keyboard_and_finger(session, tmp_path):
    address = write_page(tmp_path / "p.html", [suppression()])
    page = session().open(address)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "range"
    page.keyboard.press("End")
    settle(page)
    assert page.get_by_label("NMS threshold").get_attribute("aria-valuetext") == "1.00"
    rows = [page.get_by_role("row", name=name) for name in ("Kept", "Boxes")]
    kept, before = (row.locator("td").inner_text() for row in rows)
    assert kept == before, "at 1 nothing is dropped"
    says(page, f"{kept} of {before} boxes kept, 1 of 1 digits found, {int(kept) - 1} false alarms.")
    phone = session(has_touch=True, is_mobile=True, viewport={"width": 375, "height": 900}).open(address)
    tap(phone, phone.get_by_role("button", name="Next picture"))
    assert phone.locator("figcaption").inner_text() == "Picture 2 of 3"


def test_refuses():
    images, detections, truths = some_detections()
    with pytest.raises(ValueError, match="uint8"):
        Suppression.from_detections(images.float(), detections, truths)
    with pytest.raises(ValueError, match="of each picture"):
        Suppression.from_detections(images, detections[:2], truths)
    with pytest.raises(ValueError, match="x1 <= x2"):
        Suppression.from_detections(images, [(-boxes, s) for boxes, s in detections], truths)
    with pytest.raises(TraitError, match="threshold in"):
        Suppression.from_detections(images, detections, truths, threshold=1.5)
    assert_refused(suppression(), [("chosen", 3), ("score", -1), ("threshold", float("nan"))])
