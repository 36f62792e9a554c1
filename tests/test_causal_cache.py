"""Causal mask and cache: what goes into the state, what the page computes and counts, how it is used."""

import gzip
import re

import pytest
import torch
from figure_page import assert_refused, says, settle, tap, write_page
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode
from traitlets import TraitError

from utils.layers.transformer import TransformerLanguageModel
from utils.widgets import CausalCache

CHARACTERS = [" ", "\n", *"abcdefghijklmnop"]
PROBE = "([text, masked, start]) => document.querySelector('.cw').parentElement.probe(text, masked, start)"


def language_model(
    seed: int = 0, width: int = 16, heads: int = 2, layers: int = 2
) -> TransformerLanguageModel:
    """Weights that half precision holds exactly; norms and biases that do something."""
    torch.manual_seed(seed)
    model = TransformerLanguageModel(len(CHARACTERS), width, heads, layers, context=24)
    for parameter in model.parameters():
        if parameter.ndim == 1:
            nn.init.normal_(parameter, 0.5, 0.5)
        parameter.data = parameter.data.half().float()
    return model


def causal_cache(seed: int = 0, text: str = "feed a cab", **sizes: int) -> CausalCache:
    return CausalCache.from_model(language_model(seed, **sizes), CHARACTERS, text=text)


def by_torch(model: TransformerLanguageModel, text: str, mask: bool) -> torch.Tensor:
    """Torch's own encoder on the same weights."""
    width, heads = model.embedding.weight.shape[1], model.layers[0].self_attn.heads
    layer = nn.TransformerEncoderLayer(
        width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
    )
    encoder = nn.TransformerEncoder(layer, len(model.layers), enable_nested_tensor=False)
    encoder.layers.load_state_dict(model.layers.state_dict())
    ids = torch.tensor([[CHARACTERS.index(c) for c in text]])
    later = torch.ones(len(text), len(text)).triu(1).bool() if mask else None
    with torch.no_grad():
        x = encoder(model.embedding(ids) + model.position.weight[: len(text)], mask=later)
        return F.linear(model.norm(x), model.embedding.weight)[0]


# Python's side


@pytest.mark.parametrize(("seed", "width", "heads", "layers"), [(0, 16, 2, 2), (1, 12, 3, 1), (2, 8, 1, 3)])
@pytest.mark.parametrize("mask", [True, False])
def test_the_state_holds_the_model(seed, width, heads, layers, mask):
    model = language_model(seed, width, heads, layers)
    figure = CausalCache.from_model(model, CHARACTERS, text="bad\nfig")
    expected = by_torch(model, "bad\nfig", mask)
    torch.testing.assert_close(figure.logits(mask=mask), expected, rtol=1e-4, atol=1e-4)
    assert figure.sizes == [18, width, heads, layers] and figure.prompt == figure.text == "bad\nfig"


def test_the_count_is_torchs():
    figure = causal_cache(width=12, heads=3, layers=3)
    model = language_model(0, 12, 3, 3)
    figure.history = [[10, 10], [1, 11], [4, 12]]
    expected = []
    for new, total in figure.history:
        ids = torch.zeros(1, total, dtype=torch.int64)
        caches = model.step(ids[:, new:])[1] if new < total else None
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model.step(ids[:, :new], caches)
        expected.append(counter.get_total_flops() // 2)
    assert figure.multiply_adds() == expected


def test_the_page_stays_small():
    model = TransformerLanguageModel(75, 64, 4, 2, context=64)
    figure = CausalCache.from_model(model, [chr(40 + i) for i in range(75)], text="HELLO")
    assert len(figure.weights) < 220_000
    assert len(gzip.compress((figure._esm + figure._css).encode())) < 10_000


def test_other_models_and_characters_are_refused():
    with pytest.raises(ValueError, match="at least 20 positions, got Linear"):
        CausalCache.from_model(nn.Linear(2, 2), CHARACTERS)
    with pytest.raises(ValueError, match="at least 20 positions"):
        CausalCache.from_model(TransformerLanguageModel(18, 8, 2, 1, context=19), CHARACTERS)
    for wrong in (CHARACTERS[:-1], [*CHARACTERS[:-1], "ab"]):
        with pytest.raises(ValueError, match="18 single characters"):
            CausalCache.from_model(language_model(), wrong)
    with pytest.raises(TraitError, match="(text|prompt) of 1 to 20 known characters, got 'xyz'"):
        causal_cache(text="xyz")


def test_bad_values_are_refused_and_change_nothing():
    bad = [("text", ""), ("text", "a" * 21), ("previous", "xx"), ("view", [2, 0]), ("view", [0, 2])]
    bad += [("view", [0]), ("history", [[2, 1]]), ("history", [[1, 21]]), ("history", [[1]]), ("mask", 3)]
    assert_refused(causal_cache(), bad)


# In the browser


def guesses(page) -> list[str]:
    return page.locator(".cw-line .cw-still, .cw-line .cw-moved").all_inner_texts()


def moved(page) -> list[bool]:
    nodes = page.locator(".cw-line .cw-still, .cw-line .cw-moved")
    return nodes.evaluate_all("nodes => nodes.map(n => n.classList.contains('cw-moved'))")


def fresh(page) -> list[bool]:
    nodes = page.locator(".cw-line").nth(2).locator(".cw-new, .cw-old")
    return nodes.evaluate_all("nodes => nodes.map(n => n.classList.contains('cw-new'))")


def costs(page) -> list[int]:
    texts = page.locator(".cw-causal td").all_inner_texts()
    return [int(re.sub(r"\D", "", text)) for text in texts]


def text_of(page) -> str:
    cells = page.locator(".cw-line input:visible")
    values = cells.evaluate_all("nodes => nodes.map(n => n.value).join('')")
    return values.replace("␣", " ").replace("↵", "\n")


@pytest.mark.parametrize(("seed", "width", "heads", "layers"), [(0, 16, 2, 2), (1, 12, 3, 1), (2, 8, 1, 3)])
def test_logits_weights_and_products_are_torchs(session, tmp_path, seed, width, heads, layers):
    model = language_model(seed, width, heads, layers)
    figure = CausalCache.from_model(model, CHARACTERS, text="abc")
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    for text, masked, start in [("a", True, 0), ("bad cabbage", True, 0), ("bad cabbage", False, 0),
                                ("bad cabbage", True, 10), ("bad\ncab", True, 3)]:  # fmt: skip
        found = page.evaluate(PROBE, [text, masked, start])
        expected = by_torch(model, text, masked)
        assert (torch.tensor(found["logits"]) - expected).abs().max() < 1e-4 * max(1, expected.abs().max())
        figure.history = [[len(text) - start, len(text)]]
        assert found["products"] == figure.multiply_adds()[0]
        x = model.embedding(torch.tensor([[CHARACTERS.index(c) for c in text]]))
        x = x + model.position.weight[: len(text)]
        allowed = torch.ones(len(text), len(text)).tril().bool() if masked else None
        weights = model.layers[0].step(x, allowed)[1][0]  # (heads, text, text)
        for i, row in enumerate(found["weights"][0]):
            row = torch.tensor(row)  # (heads, i + 1) or (heads, text)
            assert (row - weights[:, i, : row.shape[1]]).abs().max() < 1e-5


def test_steps_write_what_torch_writes_and_count_what_they_compute(session, tmp_path):
    figure = causal_cache(text="feed")
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    text, history = "feed", [[4, 4]]
    for k in range(6):
        if k == 3:
            page.get_by_label("Cache of keys and values").uncheck()
        page.get_by_role("button", name="Next character").click()
        text += CHARACTERS[figure.logits(text)[-1].argmax()]
        history.append([1 if k < 3 else len(text), len(text)])
        settle(page)
        assert text_of(page) == text
        assert fresh(page) == [k >= 3] * (len(text) - 1) + [True]
        figure.history = history
        steps = figure.multiply_adds()
        figure.history = [[total, total] for _, total in history]
        anew = figure.multiply_adds()
        assert costs(page) == [steps[-1], sum(steps), anew[-1], sum(anew)]
    characters = [CHARACTERS[i] for i in figure.logits(text).argmax(dim=1)]
    assert [g.replace("␣", " ").replace("↵", "\n") for g in guesses(page)] == characters


@pytest.mark.parametrize("at", [0, 4, 9])
def test_an_edit_changes_later_predictions_alone_unless_the_mask_is_off(session, tmp_path, at):
    page = session().open(write_page(tmp_path / "p.html", [causal_cache()]))
    assert moved(page) == [False] * 10
    page.locator(".cw-line input").nth(at).focus()
    page.keyboard.type("k")
    settle(page)
    assert text_of(page) == "feed a cab"[:at] + "k" + "feed a cab"[at + 1 :]
    assert moved(page) == fresh(page) == [i >= at for i in range(10)]
    assert f"changes {10 - at} of 10 predictions, the first at character {at + 1}" in page.content()
    page.get_by_label("Causal mask").uncheck()
    settle(page)
    assert moved(page) == fresh(page) == [True] * 10
    assert page.locator(".cw-shut").count() == 0
    page.get_by_role("button", name="Next character").click()
    settle(page)
    assert fresh(page) == [True] * 11, "without the mask no key and no value stays as it was"


def test_by_keyboard(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [causal_cache()]))
    page.get_by_label("Character 1 of 10").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    page.keyboard.type("o")
    settle(page)
    assert text_of(page) == "foed a cab"
    page.keyboard.type("Z")  # not known
    assert text_of(page) == "foed a cab"
    page.keyboard.press("Enter")
    settle(page)
    assert len(text_of(page)) == 11
    says(page, re.compile(r"\. 1 of 11 positions computed\.$"))
    for _ in range(12):
        page.keyboard.press("Enter")
    settle(page)
    assert len(text_of(page)) == 20
    assert page.get_by_role("button", name="Next character").get_attribute("aria-disabled") == "true"
    page.get_by_role("button", name="Start over").focus()
    page.keyboard.press("Enter")
    settle(page)
    assert text_of(page) == "feed a cab" and fresh(page) == [True] * 10


def test_by_finger_and_in_two_views(session, tmp_path):
    figure = causal_cache()
    figure.view = [1, 1]
    address = write_page(tmp_path / "p.html", [figure, figure])
    page = session(has_touch=True, viewport={"width": 375, "height": 900}).open(address)
    tap(page, page.get_by_role("button", name="Next character").first)
    tap(page, page.get_by_label("Causal mask").nth(1))
    page.get_by_label("Attention of").first.select_option("0,1")
    settle(page)
    views = page.locator(".cw-causal")
    shown = "root => [...root.children].filter(node => !node.ariaLive).map(node => node.innerText)"
    assert views.nth(0).evaluate(shown) == views.nth(1).evaluate(shown)  # only the touched view speaks
    assert views.nth(0).locator("svg").inner_html() == views.nth(1).locator("svg").inner_html()
    assert [views.nth(i).locator("select").input_value() for i in (0, 1)] == ["0,1"] * 2
