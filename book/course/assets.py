"""What the pages load: everything from the course itself, and only what the page needs."""

import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError

BOOK = Path(__file__).resolve().parents[1]
MATHEMATICS = 'class="math'
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
VIEW_SCRIPT = re.compile(rf'<script type="{re.escape(WIDGET_VIEW)}">.*?</script>', re.S)
NO_SCRIPT = (
    '<noscript><p class="widget-note">This figure is interactive and needs JavaScript. '
    "The text goes on without it.</p></noscript>"
)
# Of 24 MB of MathJax the pages use one script and the fonts.
MATHJAX_FILES = ("tex-chtml.js", "output/chtml/fonts/woff-v2/*.woff")
MATHJAX_OPTIONS = {
    "options": {"enableMenu": False},  # the menu would load more of MathJax, which is not copied
    "chtml": {"displayAlign": "center"},
}
# Icons are drawn in style.css; the theme's icon font and scripts go, as do maps for its developers.
UNUSED = ("scripts/fontawesome.js*", "vendor/fontawesome", "**/*.map", "images/logo_[djl]*", "sbt-webpack*")
ICON_RULE = re.compile(r"@font-face\{[^}]*Font ?Awesome[^}]*\}|(?<=[}/])\.fa[^{}]*\{[^{}]*\}")


def mathjax_folder() -> Path:
    """Where the package sphinx-mathjax-offline keeps MathJax.

    Raises:
        ExtensionError: if the package is not installed.
    """
    spec = find_spec("sphinx-mathjax-offline")
    if spec is None or spec.origin is None:
        raise ExtensionError("expected the package sphinx-mathjax-offline: run `make setup`")
    return Path(spec.origin).parent / "static" / "mathjax"


def configure_assets(app: Sphinx, config: Config) -> None:
    """Add the course's templates, styles and MathJax's place to Sphinx's configuration."""
    config.templates_path.insert(0, str(BOOK / "templates"))
    config.html_static_path.append(str(BOOK / "static"))
    config.mathjax_path = "mathjax/tex-chtml.js"
    config.mathjax3_config = MATHJAX_OPTIONS
    app.add_css_file("style.css", priority=900)
    app.add_js_file("page.js", loading_method="defer")


def choose_scripts(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree) -> None:
    """Load MathJax on pages with mathematics, and the loader on pages with interactive figures."""
    body = context.get("body", "")
    if WIDGET_VIEW in body:
        app.add_js_file("widgets.js", loading_method="defer")
        context["body"] = VIEW_SCRIPT.sub(lambda script: script[0] + NO_SCRIPT, body)
    if MATHEMATICS not in body:  # Sphinx counts the pages below a page as its own
        files = context["script_files"]
        files[:] = [file for file in files if "mathjax" not in str(getattr(file, "filename", file))]


def clear_corner_cells(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree) -> None:
    """The empty corner of a pandas table is no heading of anything."""
    if "body" in context:
        context["body"] = context["body"].replace("<th></th>", "<td></td>")


def copy_mathjax(static: Path) -> None:
    """Copy the few files of MathJax that the pages use into the folder of static files."""
    source = mathjax_folder()
    for pattern in MATHJAX_FILES:
        for file in source.glob(pattern):
            target = static / "mathjax" / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


def lighten(static: Path) -> None:
    """Remove what no page loads, and the icon font's rules from the theme's style sheet."""
    for pattern in UNUSED:
        for path in list(static.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    sheet = static / "styles" / "pydata-sphinx-theme.css"
    sheet.write_text(ICON_RULE.sub("", sheet.read_text(encoding="utf8")), encoding="utf8")


def finish_assets(app: Sphinx, exception: Exception | None) -> None:
    """Put the static files in order once all pages are written."""
    if exception is None and app.builder.format == "html":
        static = Path(app.outdir) / "_static"
        copy_mathjax(static)
        lighten(static)


def setup(app: Sphinx) -> None:
    app.connect("config-inited", configure_assets, priority=900)
    app.connect("html-page-context", choose_scripts, priority=900)
    app.connect("html-page-context", clear_corner_cells)
    app.connect("build-finished", finish_assets, priority=900)
