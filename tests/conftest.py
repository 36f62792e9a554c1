"""Fixtures shared by the tests of the pages: the built book, and a real browser."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# The sandbox needs a user other than root; the rest keeps Chromium from calling home by itself.
BROWSER_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """Path of a Chromium on this machine, or None. ``COURSE_CHROMIUM`` names one explicitly."""
    named = os.environ.get("COURSE_CHROMIUM")
    if named:
        return named
    found = (shutil.which(name) for name in BROWSERS)
    return next((path for path in found if path), None)


def build_book(source: Path, output: Path) -> Path:
    """Build the book in ``source`` with warnings as errors; return the folder of its pages.

    Raises:
        AssertionError: if the build fails; the message ends with the build's own last lines.
    """
    command = [
        *(sys.executable, "-c", "from jupyter_book.cli.main import main; main()"),
        *("build", "--all", "-W", "-n", "--keep-going"),
        *("--path-output", str(output), str(source)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=source)
    lines = (done.stdout + done.stderr).splitlines()
    faults = [line for line in lines if "WARNING" in line or "ERROR" in line]
    assert done.returncode == 0, "the book does not build:\n" + "\n".join(faults[:40] + lines[-15:])
    return output / "_build" / "html"


@pytest.fixture(scope="session")
def built_book(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Folder of the HTML pages, built once from the working tree, also when pytest has several workers."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    pages = shared / "book" / "_build" / "html"
    with FileLock(shared / "book.lock"):
        done = shared / "book" / "done"
        if not done.exists():
            build_book(ROOT, shared / "book")
            done.touch()
    return pages


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """A headless Chromium; tests that ask for it are skipped, with the reason, where there is none."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium): pages are not tested")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=list(BROWSER_ARGUMENTS))
        yield chromium
        chromium.close()


class Session:
    """A page that keeps what went wrong on it, and every address it asked for."""

    def __init__(self, browser, **options):
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.faults, self.requests = [], []
        self.page.on("console", self.listen)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def listen(self, message):
        if message.type in ("error", "warning"):
            self.faults.append(message.text)

    def open(self, address: str, ready: str = ".cw"):
        self.page.goto(address)
        self.page.wait_for_selector(ready)
        return self.page


@pytest.fixture
def session(browser):
    """Opens sessions; at the end no page may have logged an error or asked another host."""
    made = []

    def start(**options) -> Session:
        made.append(Session(browser, **{"viewport": {"width": 732, "height": 900}} | options))
        return made[-1]

    yield start
    for one in made:
        one.context.close()
        assert one.faults == [], "the console must show no error"
        assert all(re.match("file:|blob:|data:", url) for url in one.requests), one.requests
