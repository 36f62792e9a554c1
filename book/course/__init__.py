"""The course's own Sphinx extension: what Jupyter Book and its theme do not give, or give too much of."""

from sphinx.application import Sphinx

from course import api, assets, citations, folding, highlighting, launch, results


def setup(app: Sphinx) -> dict[str, bool]:
    """Register every part of the extension."""
    app.add_config_value("comments_config", {}, "html")  # Jupyter Book sets it also when nothing reads it
    for part in (launch, assets, citations, folding, highlighting, results, api):
        part.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
