"""Transposed convolution: its state from Python's side, its numbers and its handling in a real browser."""

import numpy as np
import pytest
import torch
from figure_page import assert_refused, freeze, says, settle, tap, write_page
from torch.nn import functional as F
from traitlets import TraitError

from utils.widgets import TransposedConvolution
from utils.widgets.transposed_convolution import ZERO_TO_THREE

LAST = 10_000  # beyond every place: the figure stands on the last
MODES = ("stamp", "window")


def random_settings(seed: int) -> dict:
    """A picture, a kernel and options, all within the figure's ranges."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(-9, 10, rng.integers(1, 4, 2)).tolist()
    kernel = rng.integers(-9, 10, rng.integers(1, 5, 2)).tolist()
    stride, padding = rng.integers([1, 0], [4, 3]).tolist()
    return dict(picture=picture, kernel=kernel, stride=stride, padding=padding)


def by_torch(settings: dict) -> np.ndarray | None:
    """What F.conv_transpose2d makes of the settings, or None where the padding leaves nothing."""
    picture, kernel = (torch.tensor(settings[name], dtype=torch.float64) for name in ("picture", "kernel"))
    padding = min(settings["padding"], *(side - 1 for side in kernel.shape))
    sides = [
        (n - 1) * settings["stride"] + k - 2 * padding
        for n, k in zip(picture.shape, kernel.shape, strict=True)
    ]
    if min(sides) < 1:
        return None
    options = dict(stride=settings["stride"], padding=padding)
    return F.conv_transpose2d(picture[None, None], kernel[None, None], **options)[0, 0].numpy()


def number(text: str) -> float:
    return float(text.replace("\u2212", "-"))


def output_shown(figure) -> list[float]:
    """What stands in the cells of the output that the padding keeps."""
    texts = figure.locator("figure").nth(1).locator("text.cw-kept").all_text_contents()
    return [number(text) for text in texts if text]


# From Python's side


def test_it_starts_with_the_example_by_hand():
    figure = TransposedConvolution()
    assert figure.picture == figure.kernel == [list(row) for row in ZERO_TO_THREE]
    assert (figure.stride, figure.padding, figure.position, figure.mode) == (1, 0, 0, "stamp")


def test_it_takes_arrays_and_tensors():
    figure = TransposedConvolution(np.eye(3), torch.ones(2, 4), padding=2)
    assert figure.picture == np.eye(3).tolist() and figure.kernel == [[1] * 4] * 2


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"picture": [[1, 2], [3]]}, "expected picture of 1 to 3 rows and columns"),
        ({"picture": [[1] * 4] * 4}, "expected picture of 1 to 3"),
        ({"picture": []}, "expected picture of 1 to 3"),
        ({"kernel": [[1] * 5]}, "expected kernel of 1 to 4"),
        ({"kernel": [[10]]}, r"numbers in \[-9, 9\] in kernel"),
        ({"kernel": [[float("nan")]]}, "kernel to be finite"),
        ({"padding": 3}, r"padding in \[0, 2\], got 3"),
        ({"stride": 0}, r"stride in \[1, 3\], got 0"),
        ({"position": -1}, "position in"),
        ({"mode": "both"}, "both"),
    ],
)
def test_it_refuses(arguments, words):
    with pytest.raises(TraitError, match=words):
        TransposedConvolution(**arguments)


def test_it_keeps_its_value_when_a_bad_one_is_refused():
    assert_refused(TransposedConvolution(), [("stride", 7), ("kernel", [[1], [1, 2]]), ("mode", "x")])
    with pytest.raises(TypeError):
        TransposedConvolution(groups=2)


# In the browser


@pytest.mark.parametrize("mode", MODES)
def test_outputs_are_those_of_torch(session, tmp_path, mode):
    """Forty random settings in one page, each at the last stamp or place."""
    settings = [random_settings(seed) for seed in range(40)]
    figures = [TransposedConvolution(**one, position=LAST, mode=mode) for one in settings]
    page = session().open(write_page(tmp_path / "p.html", figures))
    fitting = 0
    for i, one in enumerate(settings):
        figure, expected = page.locator(".cw-stamp").nth(i), by_torch(one)
        if expected is None:
            assert output_shown(figure) == []
            continue
        fitting += 1
        if mode == "window":
            assert output_shown(figure) == expected.ravel().tolist()
            words = figure.locator(".cw-terms").first.inner_text()
            terms, result = words.split(": ", 1)[1].rsplit(" = ", 1)
            products = [] if terms == "only zeros" else terms.split(" + ")
            pairs = [[number(part.strip("()")) for part in term.split("·")] for term in products]
            assert sum(x * weight for x, weight in pairs) == number(result) == expected[-1, -1]
        else:  # where the stride leaves gaps no stamp comes, and nothing is written
            cells = figure.locator("figure").nth(1).locator("text.cw-kept").all_text_contents()
            assert [number(text or "0") for text in cells] == expected.ravel().tolist()
        sizes = figure.locator(".cw-terms").nth(1).inner_text()
        found = [int(part.split(" = ")[1]) for part in sizes.split("; ")]
        assert found == list(expected.shape[: len(found)])
    assert fitting > 25


def test_fractions_are_those_of_torch(session, tmp_path):
    rng = np.random.default_rng(0)
    one = dict(picture=rng.uniform(-9, 9, (3, 3)).tolist(), kernel=rng.uniform(-1, 1, (4, 4)).tolist())
    one |= dict(stride=2, padding=1)
    figures = [TransposedConvolution(**one, position=LAST, mode=mode) for mode in MODES]
    page = session().open(write_page(tmp_path / "p.html", figures))
    for i in range(2):
        shown = output_shown(page.locator(".cw-stamp").nth(i))
        assert shown == pytest.approx(by_torch(one).ravel().tolist(), abs=0.0501)


def test_the_stamps_of_the_example(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [TransposedConvolution()]))
    cells = page.locator(".cw-places .cw-cell")
    assert output_shown(page) == [0, 0, 0, 0]
    for at, expected in enumerate(([0, 0, 0, 0], [0, 0, 1, 0, 2, 3], [0, 0, 1, 0, 4, 3, 4, 6],
                                   [0, 0, 1, 0, 4, 6, 4, 12, 9])):  # fmt: skip
        cells.nth(at).click()
        settle(page)
        assert output_shown(page) == expected
    page.get_by_role("button", name="With a window").click()
    settle(page)
    assert output_shown(page) == [0]
    page.locator(".cw-places .cw-cell").nth(4).click()
    settle(page)
    assert output_shown(page) == [0, 0, 1, 0, 4]
    assert "0·3 + 1·2 + 2·1 + 3·0 = 4" in page.locator(".cw-terms").first.inner_text()


def test_stride_and_padding_by_keyboard(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [TransposedConvolution(position=LAST)]))
    expected = dict(picture=ZERO_TO_THREE, kernel=ZERO_TO_THREE, stride=1, padding=0)
    for name in ("stride", "padding"):
        page.get_by_label(name.capitalize(), exact=True).focus()
        page.keyboard.press("ArrowRight")
        settle(page)
        expected[name] += 1
        assert output_shown(page) == by_torch(expected).ravel().tolist()
    page.get_by_label("Padding", exact=True).press("ArrowRight")
    settle(page)
    assert output_shown(page) == by_torch(expected).ravel().tolist(), "a kernel of two bears a padding of one"


def test_places_by_keyboard(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [TransposedConvolution(stride=2)]))
    place = page.get_by_label("Number of the input that stamps")
    place.focus()
    for key, text in [
        ("ArrowRight", "1 stamps rows 1 to 2, columns 3 to 4"),
        ("ArrowDown", "3 stamps rows 3 to 4, columns 3 to 4"),
        ("ArrowLeft", "2 stamps rows 3 to 4, columns 1 to 2"),
        ("ArrowLeft", "2 stamps rows 3 to 4, columns 1 to 2"),
        ("Home", "0 stamps rows 1 to 2, columns 1 to 2"),
        ("ArrowUp", "0 stamps rows 1 to 2, columns 1 to 2"),
        ("End", "3 stamps rows 3 to 4, columns 3 to 4"),
    ]:
        page.keyboard.press(key)
        settle(page)
        assert place.get_attribute("aria-valuetext") == text
    says(page, "Output 4 by 4; 3 stamps rows 3 to 4, columns 3 to 4")
    page.get_by_role("button", name="With a window").click()
    settle(page)
    place = page.get_by_label("Place of the window")
    place.press("End")
    settle(page)
    assert place.get_attribute("aria-valuetext") == "row 4, column 4: 9"
    page.get_by_label("Place", exact=True).fill("11")
    settle(page)
    assert place.get_attribute("aria-valuetext") == "row 3, column 3: 0"


def test_places_by_finger(session, tmp_path):
    address = write_page(tmp_path / "p.html", [TransposedConvolution()])
    phone = session(has_touch=True, is_mobile=True, viewport={"width": 375, "height": 1300}).open(address)
    tap(phone, phone.locator(".cw-places .cw-cell").nth(3))
    assert output_shown(phone) == [0, 0, 1, 0, 4, 6, 4, 12, 9]


def test_kernels_are_chosen_and_typed(session, tmp_path):
    figure = TransposedConvolution([[1, 1], [1, 1]], position=LAST, stride=2)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    choice, setting = page.get_by_label("Kernel", exact=True), dict(picture=[[1, 1], [1, 1]], stride=2)
    bilinear = (np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 16).tolist()
    kernels = {
        "four ones": [[1] * 2] * 2,
        "nine ones": [[1] * 3] * 3,
        "1 to 9": np.arange(1, 10).reshape(3, 3).tolist(),
        "bilinear, for stride 2": bilinear,
        "0 to 3": ZERO_TO_THREE,
    }
    for name, kernel in kernels.items():
        choice.select_option(name)
        settle(page)
        expected = by_torch(setting | dict(kernel=kernel, padding=0)).ravel().tolist()
        assert output_shown(page) == pytest.approx(expected, abs=0.051), name
    corner = page.get_by_label("Weight in row 1, column 1")
    corner.fill("-5")
    settle(page)
    typed = dict(kernel=[[-5, 1], [2, 3]], padding=0)
    assert output_shown(page) == by_torch(setting | typed).ravel().tolist()
    assert choice.input_value() == "your own"
    for refused in ("12", ""):
        corner.fill(refused)
        settle(page)
        assert output_shown(page) == by_torch(setting | typed).ravel().tolist()
    corner.blur()
    assert corner.input_value() == "-5", "what was refused is taken back"


def test_play_goes_through_the_places_and_stops(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [TransposedConvolution()]))
    freeze(page)
    play = page.get_by_role("button", name="Play")
    play.click()
    page.clock.run_for(1000)
    assert len(output_shown(page)) == 6 and page.get_by_role("button", name="Pause").count() == 1
    page.clock.run_for(3000)
    assert len(output_shown(page)) == 9 and play.count() == 1, "at the last number it stops"
    play.click()
    page.clock.run_for(50)
    assert len(output_shown(page)) == 4, "and begins again"
    page.locator(".cw-places .cw-cell").nth(2).click()
    page.clock.run_for(5000)
    assert len(output_shown(page)) == 8, "a reader who chooses a number ends the playing"


def test_less_motion_means_one_place_a_press(session, tmp_path):
    figure = TransposedConvolution(stride=2)
    page = session(reduced_motion="reduce").open(write_page(tmp_path / "p.html", [figure]))
    freeze(page)
    step, seen = page.get_by_role("button", name="Next place"), []
    for _ in range(5):
        seen.append(len(output_shown(page)))
        step.click()
        page.clock.run_for(50)
    page.clock.run_for(5000)
    assert seen == [4, 8, 12, 16, 4] and len(output_shown(page)) == 8


def test_two_views_stay_in_step(session, tmp_path):
    figure = TransposedConvolution()
    page = session().open(write_page(tmp_path / "p.html", [figure, figure]))
    one, other = (page.locator(".cw-stamp").nth(i) for i in (0, 1))
    one.locator(".cw-places .cw-cell").nth(3).click()
    other.get_by_label("Padding", exact=True).fill("1")
    settle(page)
    assert output_shown(one) == output_shown(other) == [4]


@pytest.mark.parametrize("mode", MODES)
def test_it_fits_a_phone(session, tmp_path, mode):
    figure = TransposedConvolution(
        [[-9] * 3] * 3, [[-9] * 4] * 4, stride=3, padding=1, position=LAST, mode=mode
    )
    page = session(viewport={"width": 343, "height": 1200}).open(write_page(tmp_path / "p.html", [figure]))
    wide = page.evaluate("""[...document.querySelectorAll('.cw-stamp, .cw-stamp *')]
        .filter(e => e.clientWidth && e.scrollWidth > e.clientWidth
            && !e.matches('input, select, .cw-hidden'))
        .map(e => e.className + e.textContent)""")
    assert wide == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 343
