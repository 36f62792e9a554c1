"""Each entry of the errata names its place in the notes, runs a check, and gives the correction."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
from notebooks import read  # noqa: E402

PLACE = re.compile(r"^\*Notes [A-E], \S")


def test_each_entry_has_a_place_a_check_and_a_correction() -> None:
    cells = read(ROOT / "chapters" / "back-matter" / "errata.ipynb").cells
    entries = [i for i, cell in enumerate(cells) if cell.source.startswith("### ")]
    assert entries
    for i in entries:
        claim, check, correction = cells[i : i + 3]
        title, _, text = claim.source.partition("\n\n")
        assert PLACE.match(text), f"{title!r} does not begin with its place, such as *Notes A, §2 ...*"
        assert "\n### " not in claim.source, f"{title!r} has another entry in its cell"
        assert "check" in check.metadata.get("tags", []), f"{title!r} is not followed by a check"
        assert correction.cell_type == "markdown" and not correction.source.startswith("#"), title
    titles = [cells[i].source.partition("\n")[0] for i in entries]
    assert len(titles) == len(set(titles))


def test_every_check_belongs_to_an_entry() -> None:
    cells = read(ROOT / "chapters" / "back-matter" / "errata.ipynb").cells
    for before, cell in zip(cells, cells[1:], strict=False):
        if "check" in cell.metadata.get("tags", []):
            assert before.source.startswith("### "), cell.source[:80]
