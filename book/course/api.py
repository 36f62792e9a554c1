"""The page of the helpers: every public module of utils, found on disk, so that none is forgotten."""

from pathlib import Path

from sphinx.application import Sphinx

PAGE = "chapters/back-matter/api"
MARK = "% course-api"
SECTION = """
## {module}

```{{eval-rst}}
.. automodule:: {module}
   :members:
```
"""


def find_modules(root: Path) -> list[str]:
    """Dotted names of the modules of utils that hold code, packages after the modules beside them."""
    files = sorted((root / "utils").rglob("*.py"), key=lambda path: (len(path.parts), path))
    files = [path for path in files if path.name != "__init__.py" and not path.name.startswith("_")]
    return [".".join(path.relative_to(root).with_suffix("").parts) for path in files]


def insert_modules(app: Sphinx, page: str, source: list[str]) -> None:
    """Put one section for each module where the page has its mark."""
    if page == PAGE:
        sections = "".join(SECTION.format(module=module) for module in find_modules(Path(app.srcdir)))
        source[0] = source[0].replace(MARK, sections)


def setup(app: Sphinx) -> None:
    app.connect("source-read", insert_modules)
