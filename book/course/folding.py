"""Folded boxes as plain ``<details>``: no script; opened by mouse, keyboard and the browser's search."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.writers.html5 import HTML5Translator

# sphinx-exercise wraps every text in a section with the same id; an id may stand once on a page.
REPEATED_IDS = {"exercise-content", "solution-content"}


def class_names(node: nodes.Element) -> list[str]:
    """The classes of a node, one a name (sphinx-exercise joins some of them with blanks)."""
    return " ".join(node.get("classes", [])).split()


class folded(nodes.General, nodes.Element):
    """A box that is closed at first."""


class folded_title(nodes.General, nodes.TextElement):
    """The line of a folded box that is always seen."""


class FoldDropdowns(SphinxPostTransform):
    """Turn every admonition, exercise or solution of class ``dropdown`` into a folded box."""

    default_priority = 900  # after references and sphinx-exercise's titles are resolved
    formats = ("html",)

    def run(self) -> None:
        for section in list(self.document.findall(nodes.section)):
            if set(section["ids"]) & REPEATED_IDS:
                section["ids"] = []  # else they pass to the first child
                section.replace_self(section.children)
        for box in list(self.document.findall(nodes.Admonition)):
            if "dropdown" in class_names(box):
                box.replace_self(self.fold(box))

    def fold(self, box: nodes.Element) -> folded:
        """The folded form of an admonition, with its ids, classes and children."""
        classes = [name for name in class_names(box) if name != "dropdown"]
        if type(box).__name__ not in ("admonition", "solution_node"):
            classes.append(type(box).__name__)
        new = folded("", ids=box["ids"], names=box.get("names", []), classes=classes)
        children = list(box.children)
        if children and isinstance(children[0], nodes.title):
            title = folded_title("", children.pop(0).astext())  # no link: a click opens the box
        else:
            title = folded_title("", type(box).__name__.capitalize())
        new.extend([title, *children])
        return new


def visit_folded(self: HTML5Translator, node: folded) -> None:
    self.body.append(self.starttag(node, "details", CLASS="folded"))


def depart_folded(self: HTML5Translator, node: folded) -> None:
    self.body.append("</details>\n")


def visit_folded_title(self: HTML5Translator, node: folded_title) -> None:
    self.body.append(self.starttag(node, "summary", ""))


def depart_folded_title(self: HTML5Translator, node: folded_title) -> None:
    self.body.append("</summary>\n")


def setup(app: Sphinx) -> None:
    app.add_node(folded, html=(visit_folded, depart_folded))
    app.add_node(folded_title, html=(visit_folded_title, depart_folded_title))
    app.add_post_transform(FoldDropdowns)
