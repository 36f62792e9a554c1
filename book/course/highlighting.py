"""Colours for the code of notebooks, which is Python with IPython's ``!`` and ``%`` lines."""

from typing import ClassVar

from docutils import nodes
from ipython_pygments_lexers import IPython3Lexer
from pygments.lexer import bygroups, using
from pygments.lexers.shell import BashLexer
from pygments.token import Operator, Whitespace
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

TEST_MARK = "# NBVAL_CHECK_OUTPUT\n"


class NotebookLexer(IPython3Lexer):
    """IPython's lexer, with ``!`` commands that go on after a backslash at the end of a line."""

    tokens: ClassVar = {
        **IPython3Lexer.tokens,
        "root": [
            (r"^(\s*)(!)((?:.*\\\n)*.*\n)", bygroups(Whitespace, Operator, using(BashLexer))),
            *IPython3Lexer.tokens["root"],
        ],
    }


class DropTestMarks(SphinxPostTransform):
    """A line that speaks to the test tool, and not to the reader, stays out of the pages."""

    default_priority = 900

    def run(self) -> None:
        for block in self.document.findall(nodes.literal_block):
            text = block.astext()
            if TEST_MARK in text:
                block.children[:] = [nodes.Text(text.replace(TEST_MARK, ""))]
                block.rawsource = block.astext()


def setup(app: Sphinx) -> None:
    app.add_post_transform(DropTestMarks)
    app.add_lexer("python", NotebookLexer)
