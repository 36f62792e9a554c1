"""Inception block, from Python's side and in the browser: its counts are those of torch's layers."""

import re

import pytest
import torch
from figure_page import assert_refused, says, settle, write_page
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.googlenet import Inception
from traitlets import TraitError

from utils.widgets import InceptionBlockCost

NAMES = ["1×1 path", "3×3: reduce", "3×3: out", "5×5: reduce", "5×5: out", "Pooling: out"]
BLOCKS = [
    ((64, 96, 128, 16, 32, 32), 192, 28),
    ((128, 128, 192, 32, 96, 64), 256, 28),
    ((384, 192, 384, 48, 128, 128), 832, 7),
    ((4, 4, 8, 4, 12, 4), 4, 2),
]


def torch_counts(channels, inside: int, side: int) -> tuple[list[list[int]], list[int], int]:
    """Weights of the four paths with reductions and without, multiplications of both, channels out."""
    with torch.device("meta"):
        block = Inception(inside, *channels)  # whose third path has windows of 3×3
        block.branch3[1].conv = nn.Conv2d(channels[3], channels[4], 5, padding=2, bias=False)
        x = torch.zeros(1, inside, side, side)
        windows = ((1, 0, channels[0]), (3, 1, channels[2]), (5, 2, channels[4]), (1, 0, channels[5]))
        plain = [nn.Conv2d(inside, out, size, padding=p, bias=False) for size, p, out in windows]
    weights = [
        [sum(p.numel() for p in path.parameters() if p.ndim == 4) for path in paths]
        for paths in ((block.branch1, block.branch2, block.branch3, block.branch4), plain)
    ]
    work, maps = [], []
    for run in (lambda: block.eval()(x), lambda: [layer(x) for layer in plain]):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            maps.append(run())
        work.append(counter.get_total_flops() // 2)
    return weights, work, maps[0].shape[1]


def shown(page, row: str) -> list[str]:
    return page.get_by_role("row", name=re.compile(f"^{row}")).locator("td").all_inner_texts()


def check(page, channels, inside: int, side: int) -> None:
    settle(page)
    weights, work, out = torch_counts(channels, inside, side)
    names = "1×1 [0-9]", "3×3 [0-9]", "5×5 [0-9]", "Pooling"
    for name, with_, without in zip(names, *weights, strict=True):
        assert shown(page, name) == [f"{with_:,}", f"{without:,}"]
    assert shown(page, "Weights [0-9]") == [f"{sum(column):,}" for column in weights]
    expected = [f"{n / 1e6:.1f} M" if n >= 50_000 else f"{n:,}" for n in work]
    assert shown(page, "Multiplications") == expected
    help_text = page.locator(".cw-help").inner_text()
    assert help_text.startswith(f"{inside} channels in, {out} out, {side} × {side} places.")
    assert f"{sum(weights[1]) / sum(weights[0]):.1f} times the work" in help_text


def test_starts_with_googlenets_first_block():
    figure = InceptionBlockCost()
    assert (figure.channels, figure.in_channels, figure.side) == ([64, 96, 128, 16, 32, 32], 192, 28)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"channels": (64, 96, 128)}, "six multiples of 4"),
        ({"channels": (64, 96, 128, 16, 32, 33)}, "six multiples of 4"),
        ({"channels": (0, 96, 128, 16, 32, 32)}, "six multiples of 4"),
        ({"channels": (388, 96, 128, 16, 32, 32)}, "at most 384"),
        ({"in_channels": 64}, "reductions to at most"),
        ({"in_channels": 0}, "in_channels 4 to 1024"),
        ({"in_channels": 194}, "in steps of 4"),
        ({"side": 0}, "a side of 1 to 224"),
    ],
)
def test_refuses(arguments, words):
    with pytest.raises(TraitError, match=words):
        InceptionBlockCost(**arguments)


def test_keeps_its_value_when_a_bad_one_is_refused():
    assert_refused(InceptionBlockCost(), [("channels", [4]), ("in_channels", 8), ("side", 1000)])


@given(st.lists(st.integers(1, 96), min_size=6, max_size=6), st.integers(96, 256))
def test_takes_any_block(quarters, inside):
    channels = [4 * q for q in quarters]
    assert InceptionBlockCost(channels, in_channels=4 * inside).channels == channels


@pytest.mark.parametrize("block", BLOCKS)
def test_counts_equal_torchs(session, tmp_path, block):
    channels, inside, side = block
    figure = InceptionBlockCost(channels, in_channels=inside, side=side)
    check(session().open(write_page(tmp_path / "p.html", [figure])), channels, inside, side)


def test_sliders_move_every_number(session, tmp_path):
    page, channels = session().open(write_page(tmp_path / "p.html", [InceptionBlockCost()])), []
    for name, value in zip(NAMES, (20, 192, 384, 4, 200, 100), strict=True):
        page.get_by_label(name, exact=True).fill(str(value))
        channels.append(value)
    check(page, channels, 192, 28)
    bars = page.evaluate("[...document.querySelectorAll('.cw-out, .cw-mid')].map(e => e.getBBox().height)")
    expected = [20, 192, 384, 4, 200, 100]
    assert [b / bars[2] for b in bars] == pytest.approx([n / 384 for n in expected], rel=0.01)
    page.get_by_role("button", name="Start again").click()
    check(page, (64, 96, 128, 16, 32, 32), 192, 28)


def test_by_keyboard(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [InceptionBlockCost()]))
    page.get_by_label("5×5: reduce", exact=True).focus()
    page.keyboard.press("ArrowRight")
    check(page, (64, 96, 128, 20, 32, 32), 192, 28)
    says(page, re.compile("256 channels out, 167,296 weights, without reductions 393,216"))
    page.keyboard.press("End")
    check(page, (64, 96, 128, 192, 32, 32), 192, 28)
