"""One definition: what a chapter derives and later chapters import from utils.layers is the same code.

Compared are the syntax trees, without docstrings and annotations. Where a chapter defines a name more than
once, plain and then with options, its last definition counts.
"""

import ast
import difflib
import sys
from pathlib import Path

import pytest
from test_chapters import OLD_SHAPE

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
from address import after_setup  # noqa: E402
from notebooks import chapter_name, read, toc_notebooks  # noqa: E402

# Where each class and function of utils.layers is derived; those of a chapter that is not yet re-made, or not
# yet written, wait for it.
HOMES = {
    "BasicBlock": "convnets/resnet",
    "BasicConv2d": "convnets/googlenet",
    "Inception": "convnets/googlenet",
    "ResNet": "convnets/resnet",
    "conv3x3": "convnets/resnet",
    "mlp": "training/multilayer-perceptron",
    "RecurrentLanguageModel": "sequences/recurrent-networks",
    "Encoder": "sequences/sequence-to-sequence",
    "Decoder": "sequences/sequence-to-sequence",
    "RecurrentTranslator": "sequences/sequence-to-sequence",
    "AttentionTranslator": "attention/attention-seq2seq",  # not yet written
    "masked_softmax": "attention/attention",
    "scaled_dot_product_attention": "attention/attention",
    "AdditiveAttention": "attention/attention",
    "MultiHeadAttention": "attention/self-attention",
    "padding_mask": "attention/self-attention",
    "causal_mask": "attention/self-attention",
    "sinusoidal_positions": "attention/self-attention",
    "EncoderLayer": "attention/transformer",
    "DecoderLayer": "attention/transformer",
    "extend": "attention/transformer",
    "PositionalEmbedding": "attention/transformer",
    "Transformer": "attention/transformer",
    "TransformerTranslator": "attention/transformer",
    "TransformerLanguageModel": "attention/transformer",
    "BertEncoder": "attention/bert-pretraining",
    "BertForPreTraining": "attention/bert-pretraining",
    "draw_weights": "attention/bert-pretraining",
    "from_hugging_face": "attention/bert-pretraining",
}

Definition = ast.FunctionDef | ast.ClassDef


def definitions(source: str) -> dict[str, Definition]:
    """The functions and classes at the top of a module or cell; the last of each name."""
    return {node.name: node for node in ast.parse(source).body if isinstance(node, Definition)}


class Bare(ast.NodeTransformer):
    """Take docstrings and annotations out of a definition."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str):
                node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """``x: int = 1`` is ``x = 1``; a bare ``x: int`` says nothing."""
        plain = ast.Assign([node.target], node.value) if node.value else ast.Pass()
        return ast.fix_missing_locations(ast.copy_location(plain, node))


def bare(node: Definition) -> list[str]:
    """The lines of a definition without docstrings and annotations, formatted alike."""
    return ast.unparse(Bare().visit(ast.parse(ast.unparse(node)).body[0])).splitlines()


def differences(chapter: str, module: str) -> list[str]:
    """For each definition that both sources have and that differs: its name and the lines that differ."""
    ours, theirs, found = definitions(chapter), definitions(module), []
    for name in ours.keys() & theirs.keys():
        lines = difflib.unified_diff(
            bare(ours[name]), bare(theirs[name]), "chapter", "utils", lineterm="", n=1
        )
        if text := "\n".join(lines):
            found.append(f"{name}:\n{text}")
    return sorted(found)


def chapter_source(name: str) -> str:
    """All code of a chapter that is not inside a solution, without the lines that only IPython reads."""
    inside, sources = False, []
    for cell in read(ROOT / "chapters" / f"{name}.ipynb").cells:
        if cell.cell_type == "markdown":
            starts, ends = cell.source.count("{solution-start}"), cell.source.count("{solution-end}")
            inside = inside + starts - ends > 0
        elif not inside:
            sources.append(cell.source)
    return "\n".join([after_setup(sources[0]), *sources[1:]])


MODULES = sorted(path for path in (ROOT / "utils" / "layers").glob("*.py") if path.stem != "__init__")
READY = {chapter_name(path) for path in toc_notebooks()} - OLD_SHAPE
DERIVED = [(name, home) for name, home in HOMES.items() if home in READY]


def test_every_layer_has_a_chapter_that_derives_it() -> None:
    names = {name: path.name for path in MODULES for name in definitions(path.read_text(encoding="utf-8"))}
    public = {name: file for name, file in names.items() if not name.startswith("_")}
    assert {name: file for name, file in public.items() if name not in HOMES} == {}, "say where it is derived"
    assert HOMES.keys() - public.keys() == set(), "no longer in utils.layers"


@pytest.mark.parametrize("home", sorted({home for _, home in DERIVED}))
def test_chapter_and_utils_hold_the_same_code(home: str) -> None:
    source, modules = chapter_source(home), [path.read_text(encoding="utf-8") for path in MODULES]
    missing = {name for name, place in DERIVED if place == home} - definitions(source).keys()
    assert not missing, f"{home} does not show {sorted(missing)}"
    found = [difference for module in modules for difference in differences(source, module)]
    assert not found, f"chapters/{home}.ipynb and utils.layers differ in\n" + "\n".join(found)


# The comparison itself.

MODULE = '''
class Layer(nn.Module):
    """A layer."""

    def __init__(self, width: int, rate: float = 0.1) -> None:
        """Its sizes."""
        super().__init__()
        self.width: int = width

    def forward(self, x: Tensor) -> Tensor:
        """(n, width) -> (n, width)"""
        return x * self.width
'''
CELL = """
class Layer(nn.Module):
    def __init__(self, width, rate=0.1):
        super().__init__()
        self.width = width  # how wide

    def forward(self, x):  # (n, width) -> (n, width)
        return x * self.width
"""


def test_docstrings_annotations_and_comments_make_no_difference() -> None:
    assert differences(CELL, MODULE) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x * self.width", "self.width * x"),
        ("rate=0.1", "rate=0.2"),
        ("(nn.Module)", ""),
        ("forward", "step"),
    ],
)
def test_every_other_difference_is_named(old: str, new: str) -> None:
    (found,) = differences(CELL.replace(old, new), MODULE)
    assert found.startswith("Layer:\n--- chapter\n+++ utils") and new.strip("()") in found


def test_the_last_definition_of_a_chapter_counts() -> None:
    assert differences(CELL.replace("x * self", "x + self") + CELL, MODULE) == []
    assert len(differences(CELL + CELL.replace("x * self", "x + self"), MODULE)) == 1
