"""Colours for the code of notebooks, which is Python with IPython's ``!`` and ``%`` lines."""

from typing import ClassVar

from ipython_pygments_lexers import IPython3Lexer
from pygments.lexer import bygroups, using
from pygments.lexers.shell import BashLexer
from pygments.token import Operator, Whitespace
from sphinx.application import Sphinx


class NotebookLexer(IPython3Lexer):
    """IPython's lexer, with ``!`` commands that go on after a backslash at the end of a line."""

    tokens: ClassVar = {
        **IPython3Lexer.tokens,
        "root": [
            (r"^(\s*)(!)((?:.*\\\n)*.*\n)", bygroups(Whitespace, Operator, using(BashLexer))),
            *IPython3Lexer.tokens["root"],
        ],
    }


def setup(app: Sphinx) -> None:
    app.add_lexer("python", NotebookLexer)
