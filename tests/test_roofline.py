"""The roofline figure: what it refuses, and whether its numbers follow from the formulas."""

import re

import pytest
import torch
from figure_page import assert_refused, says, settle, touch, write_page
from torch.utils.flop_counter import FlopCounterMode
from traitlets import TraitError

from utils.widgets import Roofline
from utils.widgets.roofline import MACHINES

SMALL = [{"name": "one", "bandwidth": 10, "fp32": 50, "bf16": 40},
         {"name": "two", "bandwidth": 1000, "fp32": 10_000, "bf16": 80_000}]  # fmt: skip
FOUND = "() => document.querySelector('.cw-roofline').found"


def expected(figure: Roofline) -> dict:
    """Operations as PyTorch counts them, bytes from the tensors themselves."""
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[figure.precision]
    with torch.device("meta"):
        x = torch.empty(figure.batch, figure.width, dtype=dtype)
        weights = torch.empty(figure.width, figure.width, dtype=dtype)
        with FlopCounterMode(display=False) as counter:
            y = x @ weights
    operations, size = counter.get_total_flops(), sum(t.numel() * t.element_size() for t in (x, weights, y))
    rates = [min(m[figure.precision], operations / size * m["bandwidth"]) for m in figure.machines]
    return {"operations": operations, "bytes": size, "rates": rates}


def check(page, figure: Roofline) -> dict:
    settle(page)
    found, wanted = page.evaluate(FOUND), expected(figure)
    layer, limits = found["layer"], found["limits"]
    assert (layer["operations"], layer["bytes"]) == (wanted["operations"], wanted["bytes"])
    assert layer["intensity"] == pytest.approx(wanted["operations"] / wanted["bytes"])
    for limit, rate, machine in zip(limits, wanted["rates"], figure.machines, strict=True):
        peak = machine[figure.precision]
        assert limit["rate"] == pytest.approx(rate) and limit["share"] == pytest.approx(rate / peak)
        assert limit["seconds"] == pytest.approx(wanted["operations"] / (rate * 1e9))
        assert limit["memory"] == (layer["intensity"] < peak / machine["bandwidth"])
    return found


def test_starts_with_a_layer_under_two_roofs():
    figure = Roofline()
    assert (figure.batch, figure.width, figure.precision) == (16, 1024, "fp32")
    assert figure.machines == [dict(machine) for machine in MACHINES]


def test_refuses_what_it_cannot_show():
    bad = [("batch", 0), ("batch", 48), ("batch", 8192), ("width", 8), ("precision", "fp8")]
    bad += [("machines", SMALL[:1]), ("machines", [SMALL[0], {"name": "x"}])]
    bad += [("machines", [SMALL[0], SMALL[1] | {"fp32": float("nan")}])]
    for name, value in bad:
        with pytest.raises(TraitError):
            Roofline(**{name: value})
    assert_refused(Roofline(), bad)
    with pytest.raises(TraitError, match="batch to be a power of two in"):
        Roofline(batch=100)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_numbers_are_those_of_the_formulas(session, tmp_path, precision):
    for number, (batch, width) in enumerate([(1, 16), (16, 1024), (4096, 8192), (512, 64)]):
        figure = Roofline(SMALL, batch=batch, width=width, precision=precision)
        page = session().open(write_page(tmp_path / f"{number}.html", [figure]))
        check(page, figure)
        assert "NaN" not in page.locator(".cw-roofline").inner_html()


def test_the_dots_lie_on_the_roofs(session, tmp_path):
    figure = Roofline(SMALL, batch=8, width=256)
    page = session().open(write_page(tmp_path / "p.html", [figure]))
    found = check(page, figure)
    roof, dot = (page.locator(f".cw-{kind}-one").get_attribute("d") for kind in ("roof", "dot"))
    (_, _), (corner, top), (_, _) = [tuple(map(float, p)) for p in re.findall(r"(-?[\d.]+) (-?[\d.]+)", roof)]
    ((x, y),) = [tuple(map(float, p)) for p in re.findall(r"(-?[\d.]+) (-?[\d.]+)", dot)]
    memory = found["limits"][0]["memory"]
    assert (x < corner and y > top) if memory else (x >= corner and y == pytest.approx(top, abs=0.1))


def test_by_keyboard(session, tmp_path):
    page = session().open(write_page(tmp_path / "p.html", [Roofline(SMALL, batch=16, width=64)]))
    page.get_by_label("Batch size").press("ArrowRight")
    page.get_by_label("Width").press("ArrowLeft")
    page.get_by_label("Precision").select_option("bf16")
    check(page, Roofline(SMALL, batch=32, width=32, precision="bf16"))
    assert page.locator(".cw-value").all_inner_texts() == ["32", "32"]
    says(page, re.compile(r"operations a byte\. one: at best 40 GFLOP/s, limited by arithmetic\. two: "))
    page.get_by_label("Batch size").press("Home")
    check(page, Roofline(SMALL, batch=1, width=32, precision="bf16"))


def test_by_finger(session, tmp_path):
    page = session(has_touch=True, is_mobile=True, viewport={"width": 375, "height": 900}).open(
        write_page(tmp_path / "p.html", [Roofline(SMALL, batch=1)])
    )
    box = page.get_by_label("Batch size").bounding_box()
    y, ends = box["y"] + box["height"] / 2, (box["x"] + 8, box["x"] + box["width"] - 2)
    touch(page, [(ends[0], y), (sum(ends) / 2, y), (ends[1], y)])
    assert int(page.locator(".cw-value").first.inner_text()) > 500
