"""Take the picture of a report's beginning that README shows.

    python -m docs.tools.picture runs/NAME/report.html docs/images/report.png

Needs Chromium.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH, HEIGHT = 1100, 900  # pixels: the answer, its figures and the reasons


def installed() -> str | None:
    """The first browser of this machine that a picture can be taken with; None if it has none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def take(report: Path, picture: Path) -> None:
    """Write the first screen of a report as a PNG file.

    Raises:
        FileNotFoundError: if there is no such report, or no browser.
    """
    browser = installed()
    if browser is None:
        raise FileNotFoundError("no Chromium found: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])  # it may run as root
        page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(report.resolve(strict=True).as_uri())
        page.screenshot(path=picture)


if __name__ == "__main__":
    take(*map(Path, sys.argv[1:3]))
