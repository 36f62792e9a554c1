"""Numbers in the text that nothing in the chapter prints or states: they may be of an older run.

    python scripts/prose_numbers.py                       every notebook of _toc.yml
    python scripts/prose_numbers.py convnets/convolution  the ones named

For each chapter: the numbers in prose, captions and alt texts that no output shows, rounded as the text does
(0.9783 bears 97.8 % and 98 %, and 106,186 bears 106,000), and no code states. It is a list to look through,
not a test: a year, or a sum that the text does itself, is on it too. Formulas, code in the text and single
digits are passed over.
"""

import argparse
import re
import sys
from collections.abc import Iterator

from execute import find
from nbformat import NotebookNode
from notebooks import chapter_name, code_cells, output_texts, read

NUMBER = re.compile(r"(?<![\w.,\\])(?<!e-)[-−]?\d[\d,]*(?:\.\d+)?(?![\w}])")  # as written for people
PLAIN = re.compile(r"\d[\d,_]*(?:\.\d+)?(?:e[-+]?\d+)?")  # as printed by programs
PASSED_OVER = re.compile(
    r"^([`:~]{3,}).*?^\1[ \t]*$|\$\$.*?\$\$|\$[^$]*\$|\{[\w-]+\}`[^`]*`|`[^`]*`|\]\([^)]*\)", re.M | re.S
)
BOXES = re.compile(
    r"^(`{3,})\{(admonition|exercise|solution|note|tip)\}[^\n]*\n((?::[^\n]*\n)*)(.*?)^\1[ \t]*$", re.M | re.S
)


def value_of(number: str) -> tuple[float, int]:
    """A number as people write it, without its sign, and its decimals; below zero for round thousands."""
    text = number.replace(",", "").lstrip("-−")
    if "." not in text and float(text) >= 1000:
        return float(text), len(text.rstrip("0")) - len(text)
    return float(text), len(text.partition(".")[2])


def stands_in(number: str, pool: set[float]) -> bool:
    """Whether a number of the pool, as it is or as a percentage, is this one when rounded to its decimals."""
    value, decimals = value_of(number)
    half = 0.5 * 10.0**-decimals * (1 + 1e-9)
    return any(abs(known * scale - value) <= half for known in pool for scale in (1, 100, 0.01))


def known_numbers(notebook: NotebookNode) -> set[float]:
    """The numbers that code states and outputs show."""
    texts = [cell.source for cell in code_cells(notebook)]
    texts += [text for cell in code_cells(notebook) for out in cell.outputs for text in output_texts(out)
              if not text.startswith("<?xml")]  # fmt: skip
    return {float(found.replace(",", "").replace("_", "")) for text in texts for found in PLAIN.findall(text)}


def texts_of(cell: NotebookNode) -> Iterator[str]:
    """What a reader reads in a cell beside code and outputs."""
    if cell.cell_type == "markdown":
        text = BOXES.sub(r"\4", cell.source)
        yield PASSED_OVER.sub(" ", text)
    mystnb = cell.metadata.get("mystnb", {})
    yield mystnb.get("figure", {}).get("caption", "")
    yield mystnb.get("image", {}).get("alt", "")


def unborne(notebook: NotebookNode) -> Iterator[tuple[int, list[str], str]]:
    """(number of the cell, numbers, sentence) wherever the text has numbers that nothing else in it bears."""
    pool = known_numbers(notebook)
    for place, cell in enumerate(notebook.cells, 1):
        for text in texts_of(cell):
            for sentence in re.split(r"(?<=[.!?:])\s+(?=\S)", text):
                found = [n for n in NUMBER.findall(sentence) if len(n.lstrip("-−")) > 1]
                if missing := [n for n in found if not stands_in(n.rstrip(","), pool)]:
                    yield place, missing, " ".join(sentence.split())


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("names", nargs="*", metavar="name", help="such as foundations/linear-model")
    try:
        paths = find(parser.parse_args().names)
    except FileNotFoundError as error:
        sys.exit(f"numbers: {error}")
    for path in paths:
        for place, missing, sentence in unborne(read(path)):
            print(f"{chapter_name(path)}, cell {place}: {', '.join(missing)} | {sentence[:160]}")


if __name__ == "__main__":
    main()
