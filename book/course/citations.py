"""References as a reader knows them: author and year, also in the list."""

from collections import Counter
from collections.abc import Iterator

from docutils import nodes
from pybtex.database import Entry
from pybtex.plugin import register_plugin
from pybtex.style.formatting.plain import Style as PlainStyle
from pybtex.style.labels import BaseLabelStyle
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

BRACES = str.maketrans("", "", "{}")  # BibTeX's protection of capitals


def author_year(entry: Entry) -> str:
    """``Kingma and Ba, 2015``; three or more authors become ``et al.``"""
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    names = [" ".join([*person.prelast_names, *person.last_names]).translate(BRACES) for person in people]
    text = f"{names[0]} et al." if len(names) > 2 else " and ".join(names) or entry.key
    return f"{text}, {entry.fields.get('year', 'n.d.')}"


class AuthorYearLabels(BaseLabelStyle):
    """Labels of author and year; works that share both get a, b, c."""

    def format_labels(self, sorted_entries: list[Entry]) -> Iterator[str]:
        """One label for each entry, in order."""
        labels = [author_year(entry) for entry in sorted_entries]
        count, seen = Counter(labels), Counter()
        for label in labels:
            suffix = "abcdefghij"[seen[label]] if count[label] > 1 else ""
            seen[label] += 1
            yield label + suffix


class CourseStyle(PlainStyle):
    """The plain style, sorted by author and year, with labels of author and year."""

    default_label_style = AuthorYearLabels
    default_sorting_style = "author_year_title"


def visit_citation(self: HTML5Translator, node: nodes.citation) -> None:
    self.body.append(self.starttag(node, "div", CLASS="citation"))


def depart_citation(self: HTML5Translator, node: nodes.citation) -> None:
    self.body.append("</div>\n")


def setup(app: Sphinx) -> None:
    # docutils writes the role doc-biblioentry, which ARIA has withdrawn.
    app.add_node(nodes.citation, override=True, html=(visit_citation, depart_citation))
    register_plugin("pybtex.style.formatting", "course", CourseStyle)
