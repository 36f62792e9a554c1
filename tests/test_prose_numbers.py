"""Which numbers of the text an editor must see after a run, and which are borne by an output or by code."""

import sys
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
from prose_numbers import stands_in, unborne  # noqa: E402


def found_in(text: str, printed: str = "", code: str = "", **mystnb: dict) -> list[str]:
    """The numbers that are listed for a text beside a cell with this code and output."""
    outputs = [new_output("stream", text=printed)] if printed else []
    cells = [new_markdown_cell(text), new_code_cell(code, outputs=outputs, metadata={"mystnb": mystnb})]
    return [number for _, numbers, _ in unborne(new_notebook(cells=cells)) for number in numbers]


@pytest.mark.parametrize(
    ("text", "printed", "listed"),
    [
        ("It reads 97.8 % of them.", "accuracy 0.9783", []),
        ("It reads 98 %.", "accuracy 0.9783", []),
        ("It reads 97.9 %.", "accuracy 0.9783", ["97.9"]),
        ("It has 106,186 weights, about 106,000.", "106186", []),
        ("It has 107,000 weights.", "106,186", ["107,000"]),
        ("The loss falls to −2.31.", "loss -2.309", []),
        ("Formulas $x = 3.14$ and `lr=0.25` and {cite:p}`he2016` speak for themselves.", "", []),
        ("Nine of 3 are passed over.", "", []),
        ("In three runs 12.5, in one 13.75.", "12.5", ["13.75"]),
        ("Layer3 has no number of its own, 1e-16 neither.", "", []),
    ],
)
def test_a_number_is_listed_if_nothing_bears_it(text: str, printed: str, listed: list[str]) -> None:
    assert found_in(text, printed) == listed


def test_code_captions_alt_texts_and_exercises_count() -> None:
    assert found_in("At a rate of 0.25 it diverges.", code="lr = 0.25") == []
    assert found_in("", printed="0.5", figure={"caption": "It ends at 0.57."}) == ["0.57"]
    assert found_in("", printed="0.5", image={"alt": "A line from 0.5 to 0.75."}) == ["0.75"]
    assert found_in("```{exercise}\n:label: ex-17\nAt which rate, 0.125 or 0.5?\n```", "0.5") == ["0.125"]
    assert found_in("```\n9 9 0.77\n```\nNo more.") == []


def test_rounding_is_to_the_digits_of_the_text() -> None:
    assert stands_in("0.98", {0.9751}) and not stands_in("0.98", {0.9749})
    assert stands_in("12,300", {12_345.0}) and not stands_in("12,400", {12_345.0})
    assert not stands_in("120", {118.0})
