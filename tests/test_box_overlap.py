"""The figure of two boxes: its numbers are torchvision's, by mouse, finger and keyboard."""

import re

import pytest
import torch
import torchvision.ops as ops
from figure_page import assert_refused, drag, says, settle, touch, write_page
from traitlets import TraitError

from utils.widgets import BoxOverlap

FOUND = "() => document.querySelector('.cw-overlap').found"


def page_iou(page) -> float:
    settle(page)
    return page.evaluate(FOUND)["iou"]


def corner(page, name: str):
    return page.get_by_role("slider", name=name, exact=True)


def torch_iou(first: list[int], second: list[int]) -> float:
    boxes = torch.tensor([first, second]).double()
    return ops.box_iou(boxes[:1], boxes[1:]).nan_to_num(0).item()


CASES = [
    ([8, 8, 40, 40], [24, 16, 56, 48]),
    ([0, 0, 32, 32], [32, 0, 64, 32]),  # they touch
    ([0, 0, 64, 64], [16, 16, 48, 48]),  # one inside the other
    ([5, 5, 5, 5], [5, 5, 5, 5]),  # no area
    ([0, 0, 10, 10], [40, 40, 60, 60]),
    ([3, 7, 41, 29], [3, 7, 41, 29]),
]


def test_numbers_are_torchvisions(session, tmp_path):
    for i, (first, second) in enumerate(CASES):
        page = session().open(write_page(tmp_path / f"{i}.html", [BoxOverlap(first, second)]))
        assert page_iou(page) == pytest.approx(torch_iou(first, second))
        assert "NaN" not in page.locator(".cw-overlap").inner_html()
    page = session().open(write_page(tmp_path / "p.html", [BoxOverlap()]))
    assert page.get_by_role("row", name="IoU").locator("td").inner_text() == "384 / 1664 = 0.231"
    assert page.get_by_role("row", name="Union").locator("td").inner_text() == "1024 + 1024 − 384 = 1664"


@pytest.mark.parametrize("box", [[0, 0, 1], [5, 0, 4, 9], [0, 9, 4, 5], [0, 0, 65, 5], [-1, 0, 5, 5]])
def test_refuses_what_is_no_box(box):
    with pytest.raises(TraitError, match="x1 <= x2"):
        BoxOverlap(first=box)
    assert_refused(BoxOverlap(), [("second", box)])


def test_by_keyboard(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [BoxOverlap()]))
    stops = []
    for _ in range(5):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent"))
    assert stops == ["Place of box A", "Size of box A", "Place of box B", "Size of box B", "Start again"]
    corner(page, "Place of box B").focus()
    for key in ("Shift+ArrowLeft", "ArrowLeft", "ArrowDown"):
        page.keyboard.press(key)
    assert page_iou(page) == pytest.approx(torch_iou([8, 8, 40, 40], [13, 17, 45, 49]))
    corner(page, "Size of box B").focus()
    page.keyboard.press("Shift+ArrowUp")
    assert page_iou(page) == pytest.approx(torch_iou([8, 8, 40, 40], [13, 17, 45, 39]))
    says(page, re.compile("IoU 0\\.\\d+"))
    for _ in range(9):
        page.keyboard.press("Shift+ArrowLeft")
    settle(page)
    assert corner(page, "Size of box B").get_attribute("aria-valuetext") == "0 wide, 22 high"
    page.get_by_role("button", name="Start again").click()
    assert page_iou(page) == pytest.approx(384 / 1664)


def test_by_mouse_and_finger(session, tmp_path):
    figure = BoxOverlap()
    address = write_page(tmp_path / "p.html", [figure, figure])
    page = session().open(address)
    before = page_iou(page)
    drag(page, corner(page, "Place of box B").first.locator(".cw-knob"), -40, -20)
    assert page_iou(page) > before
    rows = page.get_by_role("row", name="IoU").locator("td").all_inner_texts()
    assert rows[0] == rows[1], "both views show the same boxes"
    phone = session(has_touch=True, is_mobile=True, viewport={"width": 375, "height": 900}).open(address)
    box = corner(phone, "Size of box A").first.locator(".cw-knob").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch(phone, [(x, y), (x + 10, y + 10), (x + 30, y + 30)])
    assert page_iou(phone) > before
    assert phone.evaluate("scrollY") == 0, "dragging a corner must not scroll the page"
