"""Latent space, from Python's side and in the browser: what it makes and judges is torch's."""

import re

import numpy as np
import pytest
import torch
from figure_page import assert_refused, centre, settle, touch, write_page
from torch import Tensor, nn

from utils.widgets import LatentSpace

SIZE = 6


def networks(seed: int = 0, channels: int = 3) -> tuple[nn.Sequential, nn.Sequential]:
    """A generator and a discriminator of the chapter's shape, with weights that float16 holds exactly."""
    torch.manual_seed(seed)
    generator = nn.Sequential(
        nn.Linear(SIZE, 2 * channels * 49, bias=False),
        nn.Unflatten(1, (2 * channels, 7, 7)),
        nn.BatchNorm2d(2 * channels),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * channels, channels, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.ConvTranspose2d(channels, 1, 4, stride=2, padding=1),
        nn.Sigmoid(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, channels, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(2 * channels * 49, 1),
    )
    with torch.no_grad():
        for parameter in [*generator.parameters(), *discriminator.parameters()]:
            parameter.copy_(parameter.half())
        for layer in generator:
            if isinstance(layer, nn.BatchNorm2d):  # a factor and a term that float16 holds
                layer.eps = 0.0
                layer.running_var.fill_(4.0)
                layer.running_mean.fill_(0.5)
                layer.weight.fill_(3.0)
                layer.bias.fill_(0.25)
    return generator.eval(), discriminator.eval()


def latent_space(seed: int = 0) -> LatentSpace:
    corners = torch.randn(4, SIZE, generator=torch.Generator().manual_seed(seed))
    return LatentSpace.from_models(*networks(seed), corners)


def mixed(corners: Tensor, u: float, v: float) -> Tensor:
    """The code at a place: shares of the corners, over the length of the shares."""
    shares = torch.tensor([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v], dtype=torch.float64)
    return shares @ corners.double() / shares.norm()


def board(page):
    return page.get_by_role("slider", name="Place on the map")


def point_of(page) -> tuple[int, int]:
    settle(page)
    words = board(page).get_attribute("aria-valuetext")
    return tuple(int(number) for number in re.findall(r"\d+", words))


def said(page) -> float:
    """The discriminator's verdict as it stands on the page, in per cent."""
    settle(page)
    return float(re.search(r"\d+", page.locator(".cw-verdict strong").inner_text())[0])


@pytest.mark.parametrize("seed, channels", [(0, 3), (1, 1), (2, 5)])
def test_makes_and_judges_as_torch_does(session, tmp_path, seed, channels):
    generator, discriminator = networks(seed, channels)
    corners = torch.randn(4, SIZE)
    figure = LatentSpace.from_models(generator, discriminator, corners, (0.25, 0.5))
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    codes = torch.randn(5, SIZE, dtype=torch.float64)
    script = "codes => codes.map(c => document.querySelector('.cw-latent').parentElement.make(c))"
    got = torch.tensor(page.evaluate(script, codes.tolist()), dtype=torch.float64)  # (5, 785)
    with torch.no_grad():
        pictures = generator.double()(codes)
        logits = discriminator.double()(pictures)
    assert torch.allclose(got[:, :784], pictures.flatten(1), atol=2e-5)
    assert torch.allclose(got[:, 784:], logits, atol=1e-4 * max(1.0, logits.abs().max().item()))
    place = page.evaluate("() => document.querySelector('.cw-latent').parentElement.mix([0.25, 0.5])")
    assert torch.allclose(torch.tensor(place, dtype=torch.float64), mixed(corners, 0.25, 0.5), atol=1e-6)
    with torch.no_grad():
        verdict = discriminator(generator(mixed(corners, 0.25, 0.5)[None])).sigmoid().item()
    assert said(page) == pytest.approx(100 * verdict, abs=1.1)


def test_a_mixed_code_is_as_long_as_a_random_one():
    corners = torch.randn(4, 4000, generator=torch.Generator().manual_seed(0))
    for u, v in [(0, 0), (0.5, 0.5), (0.2, 0.9)]:
        assert mixed(corners, u, v).square().mean().item() == pytest.approx(1, abs=0.1)


def test_by_keyboard(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [latent_space()]))
    assert point_of(page) == (50, 50)
    board(page).focus()
    for key in ("ArrowRight", "Shift+ArrowDown", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    assert point_of(page) == (48, 60)
    for _ in range(6):
        page.keyboard.press("Shift+ArrowUp")
    assert point_of(page) == (48, 0), "stops at the edge"
    for _ in range(7):
        page.keyboard.press("Shift+ArrowRight")
    assert point_of(page) == (100, 0)
    page.get_by_role("button", name="Start again").click()
    assert point_of(page) == (50, 50)


def test_four_new_codes_and_back(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [latent_space()]))
    corner = "() => document.querySelector('.cw-latent').parentElement.mix([0, 0])"
    before, map_before = page.evaluate(corner), page.locator("canvas").first.evaluate("c => c.toDataURL()")
    page.get_by_role("button", name="Four new codes").click()
    settle(page)
    after = page.evaluate(corner)
    assert before != after and np.isfinite(after).all()
    assert page.locator("canvas").first.evaluate("c => c.toDataURL()") != map_before
    page.get_by_role("button", name="Start again").click()
    settle(page)
    assert page.evaluate(corner) == before
    assert page.locator("canvas").first.evaluate("c => c.toDataURL()") == map_before


def test_by_mouse_and_by_finger(session, tmp_path):
    address = write_page(tmp_path / "p.html", [latent_space()])
    page = session().open(address)
    box = board(page).locator("canvas").bounding_box()
    page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.75 * box["height"])
    assert point_of(page) == (25, 75)
    page = session(has_touch=True, is_mobile=True, viewport={"width": 375, "height": 900}).open(address)
    x, y = centre(board(page).locator("canvas"))
    touch(page, [(x, y), (x + 20, y + 30), (x + 40, y + 60)])
    right, down = point_of(page)
    assert right > 55 and down > 60
    assert page.evaluate("scrollY") == 0, "dragging on the map must not scroll the page"


def test_from_python():
    figure = latent_space()
    figure.point = (0.1, 1)
    assert figure.point == [0.1, 1]
    assert_refused(
        figure,
        [
            ("point", [0.5]),
            ("point", [0.5, 1.2]),
            ("point", [float("nan"), 0]),
            ("corners", [[0.0] * SIZE] * 3),
            ("corners", [[0.0] * SIZE] * 3 + [[0.0]]),
            ("corners", [[float("inf")] * SIZE] * 4),
        ],
    )


def test_leaves_the_models_alone():
    generator, discriminator = networks()
    generator.train()
    before = [parameter.clone() for parameter in generator.parameters()]
    LatentSpace.from_models(generator, discriminator, torch.zeros(4, SIZE))
    assert generator.training
    assert all(map(torch.equal, before, generator.parameters()))


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda g, d: (g.append(nn.Tanh()), d), "got Tanh"),
        (lambda g, d: (g, nn.Sequential(nn.Conv2d(1, 1, (3, 4)))), "got Conv2d"),
        (lambda g, d: (g, nn.Sequential(nn.Conv2d(1, 1, 3, padding="same"))), "got Conv2d"),
        (lambda g, d: (g, nn.Sequential(nn.Conv2d(2, 2, 3, groups=2))), "got Conv2d"),
        (lambda g, d: (g, nn.Sequential(nn.Conv2d(1, 1, 3, dilation=2))), "got Conv2d"),
        (lambda g, d: (nn.Sequential(nn.Linear(5, 784)), d), "corners"),
    ],
)
def test_refuses(change, words):
    with pytest.raises(ValueError, match=words):
        LatentSpace.from_models(*change(*networks()), torch.zeros(4, SIZE))
