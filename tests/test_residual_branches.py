"""The residual network with switches: what goes into its state, what the page computes, how it is used."""

import gzip
import re

import numpy as np
import pytest
import torch
from figure_page import freeze, says, settle, touch, write_page
from torch import nn
from torch.nn import functional as F
from traitlets import TraitError

from utils.data import standardize_rgb
from utils.layers.convnets import ResNet
from utils.widgets import ResidualBranches

PICTURES = 24


def trained_looking(blocks: tuple, widths: tuple, seed: int) -> ResNet:
    """A network whose batch norms do something, with weights that half precision holds exactly."""
    torch.manual_seed(seed)
    model = ResNet(blocks, widths, 10).eval()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.3, 1.2)
            nn.init.normal_(layer.bias, std=0.2)
            nn.init.normal_(layer.running_mean, std=0.2)
            nn.init.uniform_(layer.running_var, 0.5, 2)
    return model


def pictures(count: int = PICTURES, side: int = 32, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (count, 3, 4, 4), dtype=np.uint8)
    return F.interpolate(torch.from_numpy(small), size=(side, side + 3))  # patches, not square


def residual_branches(seed: int = 0, blocks: tuple = (2, 3), widths: tuple = (8, 16)) -> ResidualBranches:
    model = trained_looking(blocks, widths, seed)
    return ResidualBranches.from_model(model, pictures(seed=seed), torch.arange(PICTURES) % 10)


def by_blocks(model: ResNet, x: torch.Tensor, on: list[bool]) -> torch.Tensor:
    """Torch's own blocks, the branch of each multiplied by one or by zero."""
    x = model.maxpool(model.bn1(model.conv1(x)).relu())
    for block, is_on in zip(model.blocks(), on, strict=True):
        x = F.relu(block.branch(x) * float(is_on) + (block.downsample(x) if block.downsample else x))
    return model.fc(x.mean(dim=(2, 3)))


def patterns(count: int, length: int) -> list[list[bool]]:
    rng = np.random.default_rng(1)
    return [[True] * length, [False] * length] + (rng.random((count, length)) < 0.6).tolist()


# Python's side


@pytest.mark.parametrize(("blocks", "widths"), [((3, 3, 3), (16, 16, 32)), ((1, 2), (5, 7)), ((2,), (4,))])
@torch.no_grad()
def test_the_state_holds_the_network(blocks, widths):
    model = trained_looking(blocks, widths, 0)
    shown = pictures()
    figure = ResidualBranches.from_model(model, shown, [0] * PICTURES)
    for on in patterns(5, sum(blocks)):
        expected = by_blocks(model, standardize_rgb(shown), on)
        assert (figure.logits(on) - expected).abs().max() < 0.02 * expected.abs().max(), "half precision"
    assert figure.on == [True] * sum(blocks) and figure.chosen == 0
    assert torch.equal(figure.logits(), figure.logits([True] * sum(blocks)))


def test_folding_is_exact():
    torch.manual_seed(0)
    model = trained_looking((2, 2), (4, 8), 3).double()
    figure = ResidualBranches.from_model(model, pictures(), [0] * PICTURES)
    stem = figure.layers["stem"]
    assert (stem["kernel"], stem["stride"], stem["padding"]) == ([7, 7], 2, [3, 3])
    count = len(figure.weights) // 2
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert count == sum(c.weight.numel() + c.out_channels for c in convolutions) + 90
    numbers = np.frombuffer(figure.weights, dtype="<f2")
    scale = model.bn1.weight / (model.bn1.running_var + model.bn1.eps).sqrt()
    first = (model.conv1.weight * scale[:, None, None, None]).detach().ravel().numpy()
    assert np.array_equal(numbers[: len(first)], first.astype("f4").astype("<f2"))


def test_the_model_is_left_as_it_is():
    model = trained_looking((1,), (4,), 0).double().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ResidualBranches.from_model(model, pictures(3), [1, 2, 3]).logits([False])
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_page_of_the_chapters_size_stays_small():
    model, shown = trained_looking((3, 3, 3), (16, 16, 32), 0), pictures(50, 32)[..., :32].contiguous()
    figure = ResidualBranches.from_model(model, shown, [0] * 50)
    assert len(figure.weights) + len(figure.pictures) < 330_000
    packed = len(gzip.compress((figure._esm + figure._css).encode()))
    assert packed < 10_000


def test_other_models_and_pictures_are_refused():
    model, shown = trained_looking((1,), (4,), 0), pictures(2)
    with pytest.raises(ValueError, match="expected a ResNet with shortcuts, got Linear"):
        ResidualBranches.from_model(nn.Linear(3, 10), shown, [1, 2])
    with pytest.raises(ValueError, match="with shortcuts, got ResNet"):
        ResidualBranches.from_model(ResNet((1,), (4,), 10, shortcut=False), shown, [1, 2])
    with pytest.raises(ValueError, match="ten classes, got 7"):
        ResidualBranches.from_model(ResNet((1,), (4,), 7), shown, [1, 2])
    for wrong in (shown.float(), shown[0], shown[:0], shown.repeat(51, 1, 1, 1)):
        with pytest.raises(ValueError, match="1 to 100 pictures"):
            ResidualBranches.from_model(model, wrong, [1] * len(wrong))
    for labels in ([1], [1, 10], [1, -1]):
        with pytest.raises(TraitError, match="a label in 0..9 for each of 2 pictures"):
            ResidualBranches.from_model(model, shown, labels)
    with pytest.raises(TraitError, match="three stds above 0"):
        ResidualBranches.from_model(model, shown, [1, 2], std=(1, 1, 0))


def test_bad_values_are_refused_and_change_nothing():
    figure = residual_branches()
    for name, value, words in [
        ("on", [True], "5 switches, got 1"),
        ("on", [1, 2], None),
        ("chosen", PICTURES, r"picture in 0..23, got 24"),
        ("chosen", -1, "got -1"),
        ("std", [1, 1], "three means"),
        ("mean", [1, 1, float("nan")], "finite"),
    ]:
        before = getattr(figure, name)
        with pytest.raises(TraitError, match=words):
            setattr(figure, name, value)
        assert getattr(figure, name) == before
    figure.on = [False] * 5
    figure.chosen = 7
    assert (figure.on, figure.chosen) == ([False] * 5, 7)


# In the browser


def settled(page) -> None:
    page.wait_for_function("!document.querySelector('.cw-score[aria-busy]')")


def score(page) -> int:
    settled(page)
    return int(page.locator(".cw-score strong").first.inner_text())


def right(figure: ResidualBranches, on: list[bool]) -> int:
    return int((figure.logits(on).argmax(dim=1) == torch.tensor(figure.labels)).sum())


@pytest.mark.parametrize(
    ("seed", "blocks", "widths"), [(0, (3, 3, 3), (16, 16, 32)), (1, (2, 3), (8, 16)), (2, (1, 1), (3, 5))]
)
def test_logits_are_torchs_for_any_switches(session, tmp_path, seed, blocks, widths):
    figure = residual_branches(seed, blocks, widths)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    for on in patterns(6, sum(blocks)):
        found = page.evaluate("on => document.querySelector('.cw').parentElement.logits(on)", on)
        expected = figure.logits(on)
        assert (torch.tensor(found) - expected).abs().max() < 1e-4 * max(1, expected.abs().max())


def test_answers_and_score_follow_the_switches(session, tmp_path):
    figure = residual_branches(1)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    boxes = page.locator(".cw-branch input")
    assert boxes.count() == 5
    on = [True] * 5
    assert score(page) == right(figure, on)
    for k in (1, 3, 0, 1, 4, 2):  # off, and one of them on again
        boxes.nth(k).click()
        on[k] = not on[k]
        assert score(page) == right(figure, on)
        assert [boxes.nth(i).is_checked() for i in range(5)] == on
        said = [int(re.search(r"\d", text)[0]) for text in page.locator(".cw-thumbs span").all_inner_texts()]
        answers = figure.logits(on).argmax(dim=1).tolist()
        assert said == answers
        wrong = [a != label for a, label in zip(answers, figure.labels, strict=True)]
        assert page.locator(".cw-thumbs .cw-wrong").count() == sum(wrong)
    assert page.locator(".cw-seen-dot").count() == 7


def test_the_chosen_picture_shows_its_probabilities(session, tmp_path):
    figure = residual_branches(2)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    settled(page)
    page.locator(".cw-thumbs button").nth(5).click()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    settle(page)
    assert (
        page.locator(".cw-thumbs [aria-pressed=true]").get_attribute("aria-label").startswith("Picture 17,")
    )
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    shares = torch.softmax(figure.logits()[16], dim=0)
    for digit, share in enumerate(page.locator(".cw-bars .cw-share").all_inner_texts()):
        value = float(re.sub(r"[^\d.]", "", share)) / 100
        assert value == pytest.approx(shares[digit].item(), abs=0.011)
    assert f"This is a {figure.labels[16]}" in page.locator(".cw-answer").inner_text()


def test_buttons_switch_all_and_one_by_one(session, tmp_path):
    figure = residual_branches(0)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    page.get_by_role("button", name="All off").click()
    assert score(page) == right(figure, [False] * 5)
    page.get_by_role("button", name="All on").click()
    assert score(page) == right(figure, [True] * 5)
    freeze(page)
    left, play = page.locator(".cw-branch input:checked"), page.get_by_role("button", name="Off one by one")
    play.click()
    page.clock.run_for(1000)
    assert left.count() == 3, "one at once, one after a pause"
    page.get_by_role("button", name="Stop").click()
    assert score(page) == right(figure, [True] * 3 + [False] * 2)
    page.clock.run_for(5000)
    assert left.count() == 3, "stopped"
    play.click()
    page.clock.run_for(5000)
    assert left.count() == 0 and play.count() == 1
    says(page, re.compile("^5 branches off"))


def test_keyboard_and_finger_switch(session, tmp_path):
    page = session(has_touch=True).open(write_page(tmp_path / "p.html", [residual_branches()]))
    settled(page)
    page.get_by_role("checkbox", name="Branch 2", exact=True).focus()
    page.keyboard.press("Space")
    assert not page.locator(".cw-branch input").nth(1).is_checked()
    box = page.locator(".cw-branch svg").nth(3).bounding_box()  # the picture of a branch is its label
    touch(page, [(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)])
    assert not page.locator(".cw-branch input").nth(3).is_checked()


def test_views_stay_in_step_and_start_as_python_left_them(session, tmp_path):
    figure = residual_branches(1)
    figure.on, figure.chosen = [True, False, True, True, False], 3
    page = session().open(write_page(tmp_path / "p.html", [figure, figure]))
    boxes = page.locator(".cw-branch input")
    assert [boxes.nth(i).is_checked() for i in range(10)] == figure.on * 2
    assert score(page) == right(figure, figure.on)
    boxes.nth(9).click()
    settled(page)
    assert boxes.nth(4).is_checked()
    assert (
        page.locator(".cw-score strong").all_inner_texts()
        == [str(right(figure, [True, False, True, True, True]))] * 2
    )


def test_the_page_stays_responsive_while_it_computes(session, tmp_path):
    model = trained_looking((3, 3, 3), (16, 16, 32), 0)
    figure = ResidualBranches.from_model(model, pictures(100), [0] * 100)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    settled(page)
    turns = page.evaluate(
        """async () => {
          let turns = 0;
          const score = document.querySelector('.cw-score');
          document.querySelector('.cw-branch input').click();
          while (score.getAttribute('aria-busy')) {
            await new Promise((done) => setTimeout(done, 0));
            turns += 1;
          }
          return turns;
        }"""
    )
    assert turns >= 5, f"the page could react {turns} times while it computed 100 pictures"
