"""Buttons that lead to the repository, to Binder and to Colab: all from one address, none without it."""

from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config


def configure_buttons(app: Sphinx, config: Config) -> None:
    """Show the buttons if ``repository.url`` of _config.yml is set; the theme fails on an empty one."""
    options = config.html_theme_options
    options["use_repository_button"] = bool(options.get("repository_url"))
    if not options.get("repository_url"):
        options["launch_buttons"] = {}


def drop_needless_downloads(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree) -> None:
    """A notebook is worth downloading; the source of a text page is not."""
    if page in app.env.all_docs and str(app.env.doc2path(page)).endswith(".ipynb"):
        return
    buttons = context.get("header_buttons", [])
    context["header_buttons"] = [button for button in buttons if button.get("label") != "download-buttons"]


def setup(app: Sphinx) -> None:
    app.connect("config-inited", configure_buttons, priority=100)
    app.connect("html-page-context", drop_needless_downloads, priority=900)
