"""Sliding window: its state from Python's side, its numbers and its handling in a real browser."""

import numpy as np
import pytest
import torch
from figure_page import assert_refused, freeze, says, settle, tap, touch, write_page
from torch.nn import functional as F
from traitlets import TraitError

from utils.widgets import SlidingWindow
from utils.widgets.sliding_window import NUMBERS, ONE_TO_NINE


def random_settings(seed: int) -> dict:
    """A picture, a kernel and options, all within the figure's ranges."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(-9, 10, rng.integers(2, 8, 2)).tolist()
    kernel = rng.integers(-9, 10, rng.integers(1, 4, 2)).tolist()
    padding, stride, dilation = rng.integers([0, 1, 1], [3, 4, 4]).tolist()
    return dict(picture=picture, kernel=kernel, padding=padding, stride=stride, dilation=dilation)


def random_stack(seed: int) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    shape = (rng.integers(1, 6), 3)
    return np.minimum(
        rng.integers(1, 6, shape), rng.choice([[5, 2, 1], [5, 1, 2], [3, 2, 5]], shape[0])
    ).tolist()


def by_torch(settings: dict) -> np.ndarray | None:
    """What F.conv2d makes of the settings, or None where the window fits nowhere."""
    picture, kernel = (torch.tensor(settings[name], dtype=torch.float64) for name in ("picture", "kernel"))
    options = {name: settings[name] for name in ("padding", "stride", "dilation")}
    try:
        return F.conv2d(picture[None, None], kernel[None, None], **options)[0, 0].numpy()
    except RuntimeError:
        return None


def measured(layers: list[list[int]]) -> tuple[int, int]:
    """Extent of the pixels whose gradient is not zero, and how many they are, for one output."""
    x = torch.ones(1, 1, 1200, dtype=torch.float64, requires_grad=True)
    y = x
    for kernel, stride, dilation in layers:
        y = F.conv1d(y, torch.ones(1, 1, kernel, dtype=torch.float64), stride=stride, dilation=dilation)
    y[0, 0, 0].backward()
    places = x.grad[0, 0].nonzero()
    return (places.max() - places.min()).item() + 1, len(places)


def number(text: str) -> float:
    return float(text.replace("\u2212", "-"))


def output_shown(figure) -> list[float]:
    texts = figure.locator(".cw-places text").all_text_contents()
    return [number(text) for text in texts if text]


# From Python's side


def test_it_starts_with_the_notes_example():
    figure = SlidingWindow()
    assert figure.picture == [list(row) for row in NUMBERS] and figure.kernel == [
        list(row) for row in ONE_TO_NINE
    ]
    assert (figure.padding, figure.stride, figure.dilation, figure.position) == (0, 1, 1, 0)
    assert (figure.mode, figure.layers) == ("window", [[3, 1, 1]] * 3)


def test_it_takes_arrays_and_tensors():
    figure = SlidingWindow(np.eye(4), torch.ones(2, 3), padding=2)
    assert figure.picture == np.eye(4).tolist() and figure.kernel == [[1, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"picture": [[1, 2], [3]]}, "expected picture of 2 to 7 rows and columns"),
        ({"picture": [[1] * 8] * 8}, "expected picture of 2 to 7"),
        ({"picture": []}, "expected picture of 2 to 7"),
        ({"kernel": [[1] * 4]}, "expected kernel of 1 to 3"),
        ({"kernel": [[10]]}, r"numbers in \[-9, 9\] in kernel"),
        ({"kernel": [[float("nan")]]}, "kernel to be finite"),
        ({"padding": 3}, r"padding in \[0, 2\], got 3"),
        ({"padding": -1}, "padding in"),
        ({"stride": 0}, r"stride in \[1, 3\], got 0"),
        ({"dilation": 4}, "dilation in"),
        ({"position": -1}, "position in"),
        ({"mode": "both"}, "both"),
        ({"layers": []}, "1 to 5 layers"),
        ({"layers": [[3, 1]]}, "1 to 5 layers of kernel, stride, dilation"),
        ({"layers": [[6, 1, 1]]}, "kernels in 1..5"),
        ({"layers": [[3, 3, 1]]}, "strides in 1..2"),
        ({"layers": [[3, 1, 0]]}, "dilations in 1..9"),
    ],
)
def test_it_refuses(arguments, words):
    with pytest.raises(TraitError, match=words):
        SlidingWindow(**arguments)


def test_it_keeps_its_value_when_a_bad_one_is_refused():
    figure = SlidingWindow()
    assert_refused(
        figure, [("stride", 7), ("kernel", [[1], [1, 2]]), ("mode", "x"), ("layers", [[1, 1, 10]])]
    )
    with pytest.raises(TypeError):
        SlidingWindow(groups=2)


# In the browser


def test_outputs_are_those_of_torch(session, tmp_path):
    """Forty random settings in one page, each with the window on the last place."""
    settings = [random_settings(seed) for seed in range(40)]
    figures = [SlidingWindow(**one, position=1000) for one in settings]
    page = session().open(write_page(tmp_path / "p.html", figures))
    fitting = 0
    for i, one in enumerate(settings):
        figure, expected = page.locator(".cw-slide").nth(i), by_torch(one)
        if expected is None:
            assert (
                output_shown(figure) == [] and "no output" in figure.locator(".cw-terms").first.inner_text()
            )
            continue
        fitting += 1
        assert output_shown(figure) == expected.ravel().tolist()
        terms, result = figure.locator(".cw-terms").first.inner_text().rsplit(" = ", 1)
        products = [[number(part.strip("()")) for part in term.split("·")] for term in terms.split(" + ")]
        assert len(products) == np.size(one["kernel"])
        assert sum(x * weight for x, weight in products) == number(result) == expected[-1, -1]
        sizes = figure.locator(".cw-terms").nth(1).inner_text()
        found = [int(part.split(" = ")[1]) for part in sizes.split("; ")]
        assert found == list(expected.shape[: len(found)])
    assert fitting > 25


def test_fractions_are_those_of_torch(session, tmp_path):
    rng = np.random.default_rng(0)
    one = dict(picture=rng.uniform(-9, 9, (6, 6)).tolist(), kernel=rng.uniform(-1, 1, (3, 3)).tolist())
    one |= dict(padding=1, stride=1, dilation=1)
    page = session().open(write_page(tmp_path / "p.html", [SlidingWindow(**one, position=1000)]))
    assert output_shown(page) == pytest.approx(by_torch(one).ravel().tolist(), abs=0.0501)


def test_receptive_fields_are_those_of_the_gradient(session, tmp_path):
    stacks = [random_stack(seed) for seed in range(40)]
    figures = [SlidingWindow(mode="field", layers=stack) for stack in stacks]
    page = session().open(write_page(tmp_path / "p.html", figures))
    sparse = 0
    for i, stack in enumerate(stacks):
        figure = page.locator(".cw-slide").nth(i)
        field, seen = measured(stack)
        formula, holes = figure.locator(".cw-terms:visible").all_inner_texts()
        assert int(formula.rsplit(" = ", 1)[1]) == field
        assert eval(formula.split(" = ")[1].replace("·", "*")) == field, "the terms that are written out"
        column = [int(text) for text in figure.locator("td:last-child").all_inner_texts()]
        assert column == [measured(stack[: n + 1])[0] for n in range(len(stack))]
        if seen < field:
            sparse += 1
            assert f"only {seen} of {field}" in holes
        else:
            assert "every one of them" in holes
        drawn = figure.locator(".cw-block").last.get_attribute("d").count("M")
        assert drawn == seen, "the lowest row holds one mark for each input pixel that is seen"
    assert 5 < sparse < 35, "stacks with holes and stacks without"


def test_padding_stride_and_dilation_by_keyboard(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [SlidingWindow(position=1000)]))
    padding, stride, dilation = (
        page.get_by_label(name, exact=True) for name in ("Padding", "Stride", "Dilation")
    )
    expected = dict(picture=NUMBERS, kernel=ONE_TO_NINE, padding=0, stride=1, dilation=1)
    for slider, name in [(padding, "padding"), (stride, "stride"), (dilation, "dilation")]:
        slider.focus()
        page.keyboard.press("ArrowRight")
        settle(page)
        expected[name] += 1
        assert output_shown(page) == by_torch(expected).ravel().tolist()
    padding.fill("0")
    dilation.fill("3")
    settle(page)
    assert output_shown(page) == [] and page.locator(".cw-span").count() == 0
    assert page.get_by_label("Place of the window").get_attribute("aria-valuetext") == "no place"
    for key in ("ArrowRight", "End", "Home"):
        page.get_by_label("Place of the window").press(key)
    padding.fill("1")
    settle(page)
    assert output_shown(page) == [by_torch(expected | dict(dilation=3))[0, 0]]


def test_places_by_keyboard(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [SlidingWindow()]))
    place = page.get_by_label("Place of the window")
    place.focus()
    for key, text in [
        ("ArrowRight", "row 1, column 2: 295"),
        ("ArrowDown", "row 2, column 2: 282"),
        ("ArrowLeft", "row 2, column 1: 259"),
        ("ArrowLeft", "row 2, column 1: 259"),
        ("ArrowUp", "row 1, column 1: 211"),
        ("ArrowUp", "row 1, column 1: 211"),
        ("End", "row 3, column 3: 169"),
        ("Home", "row 1, column 1: 211"),
    ]:
        page.keyboard.press(key)
        settle(page)
        assert place.get_attribute("aria-valuetext") == text
        assert page.locator("[aria-label^='Picture of 5 by 5']").get_attribute("aria-label").endswith(text)
    says(page, "Output 3 by 3; row 1, column 1: 211")
    page.get_by_label("Place", exact=True).fill("6")
    settle(page)
    assert output_shown(page) == [211, 295, 262, 259, 282, 214]


def test_places_by_mouse_and_finger(session, tmp_path):
    address = write_page(tmp_path / "p.html", [SlidingWindow()])
    page = session().open(address)
    cells = page.locator(".cw-places .cw-cell")
    cells.nth(7).click()
    settle(page)
    assert output_shown(page)[-1] == 253 and len(output_shown(page)) == 8
    boxes = [cells.nth(i).bounding_box() for i in (0, 4)]
    (x0, y0), (x1, y1) = [(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in boxes]
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move(x1, y1, steps=6)
    page.mouse.up()
    settle(page)
    assert len(output_shown(page)) == 5, "the window follows a mouse that is held down"

    phone = session(has_touch=True, is_mobile=True, viewport={"width": 375, "height": 1100}).open(address)
    cell = phone.locator(".cw-places .cw-cell").nth(5)
    tap(phone, cell)
    assert len(output_shown(phone)) == 6
    box = cell.bounding_box()
    touch(phone, [(box["x"] + 5, box["y"] + 5)])
    assert len(output_shown(phone)) == 6


def test_kernels_are_chosen_and_typed(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [SlidingWindow(position=1000)]))
    choice = page.get_by_label("Kernel", exact=True)
    sobel = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    laplace = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
    sharpen = (-np.array(laplace) + np.eye(3) * np.array([0, 1, 0])).tolist()
    kernels = {
        "identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
        "edge, left to right": sobel,
        "edge, top to bottom": np.transpose(sobel).tolist(),
        "edge, all directions": laplace,
        "sharpen": sharpen,
        "1 to 9": ONE_TO_NINE,
    }
    setting = dict(picture=NUMBERS, padding=0, stride=1, dilation=1)
    for name, kernel in kernels.items():
        choice.select_option(name)
        settle(page)
        assert output_shown(page) == by_torch(setting | dict(kernel=kernel)).ravel().tolist(), name
    choice.select_option("blur")
    settle(page)
    blur = by_torch(setting | dict(kernel=[[1 / 9] * 3] * 3))
    assert output_shown(page) == pytest.approx(blur.ravel().tolist(), abs=0.0501)
    choice.select_option("1 to 9")
    middle = page.get_by_label("Weight in row 2, column 2")
    middle.fill("-5")
    settle(page)
    typed = [[1, 2, 3], [4, -5, 6], [7, 8, 9]]
    assert output_shown(page) == by_torch(setting | dict(kernel=typed)).ravel().tolist()
    assert choice.input_value() == "your own"
    for refused in ("12", ""):
        middle.fill(refused)
        settle(page)
        assert output_shown(page) == by_torch(setting | dict(kernel=typed)).ravel().tolist()
    middle.blur()
    assert middle.input_value() == "-5", "what was refused is taken back"


def test_layers_are_added_changed_and_removed(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [SlidingWindow()]))
    page.get_by_role("button", name="Receptive field").click()
    settle(page)
    assert page.get_by_label("Padding", exact=True).is_hidden()
    layers = [[3, 1, 1]] * 3
    more, less = (page.get_by_role("button", name=name) for name in ("Add a layer", "Remove the last"))
    page.get_by_label("Stride of layer 1").select_option("2")
    layers[0] = [3, 2, 1]
    for _ in range(3):  # one more than there is room for
        more.click(force=True)
        settle(page)
    layers += [[3, 1, 1]] * 2
    assert more.get_attribute("aria-disabled") == "true"
    page.get_by_label("Dilation of layer 5").select_option("4")
    page.get_by_label("Kernel of layer 2").select_option("5")
    settle(page)
    layers[4], layers[1] = [3, 1, 4], [5, 1, 1]
    shown = [int(text) for text in page.locator("td:last-child").all_inner_texts()]
    assert shown == [measured(layers[: n + 1])[0] for n in range(5)]
    for _ in range(5):
        less.click(force=True)
        settle(page)
    assert page.locator("tbody tr").count() == 1 and less.get_attribute("aria-disabled") == "true"
    says(page, "Receptive field 3")
    page.get_by_role("button", name="Sliding window").click()
    settle(page)
    assert output_shown(page) == [211]


def test_play_goes_through_the_places_and_stops(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [SlidingWindow(stride=2)]))
    freeze(page)
    play = page.get_by_role("button", name="Play")
    play.click()
    page.clock.run_for(900)
    assert len(output_shown(page)) == 2 and page.get_by_role("button", name="Pause").count() == 1
    page.clock.run_for(2000)
    assert len(output_shown(page)) == 4 and play.count() == 1, "at the last place it stops"
    play.click()
    page.clock.run_for(50)
    assert len(output_shown(page)) == 1, "and begins again"
    page.locator(".cw-places .cw-cell").nth(2).click()
    page.clock.run_for(5000)
    assert len(output_shown(page)) == 3, "a reader who chooses a place ends the playing"


def test_less_motion_means_one_place_a_press(session, tmp_path):
    page = session(reduced_motion="reduce").open(write_page(tmp_path / "p.html", [SlidingWindow(stride=2)]))
    freeze(page)
    step = page.get_by_role("button", name="Next place")
    seen = []
    for _ in range(5):
        seen.append(len(output_shown(page)))
        step.click()
        page.clock.run_for(50)
    page.clock.run_for(5000)
    assert seen == [1, 2, 3, 4, 1] and len(output_shown(page)) == 2


def test_two_views_stay_in_step(session, tmp_path):
    figure = SlidingWindow()
    page = session().open(write_page(tmp_path / "p.html", [figure, figure]))
    one, other = (page.locator(".cw-slide").nth(i) for i in (0, 1))
    one.locator(".cw-places .cw-cell").nth(4).click()
    other.get_by_label("Padding", exact=True).fill("1")
    settle(page)
    assert output_shown(one) == output_shown(other) == [91, 168, 224, 215, 127]


@pytest.mark.parametrize("mode", ["window", "field"])
def test_it_fits_a_phone(session, tmp_path, mode):
    layers = [[5, 2, 9]] * 5
    figure = SlidingWindow([[-9] * 7] * 7, [[-9] * 3] * 3, padding=2, position=1000, mode=mode, layers=layers)
    page = session(viewport={"width": 343, "height": 900}).open(write_page(tmp_path / "p.html", [figure]))
    wide = page.evaluate("""[...document.querySelectorAll('.cw-slide, .cw-slide *')]
        .filter(e => e.clientWidth && e.scrollWidth > e.clientWidth
            && !e.matches('input, select, .cw-hidden'))
        .map(e => e.className + e.textContent)""")
    assert wide == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 343
