"""The documentation as a site: it builds strictly, holds every page, and asks nothing of another host."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from docs.pages import ROOT

DOCS = ROOT / "docs"

pytestmark = pytest.mark.xdist_group("site")  # one worker builds it once for all of them
pytest.importorskip("mkdocs", reason="the site is built by the `docs` group of dependencies")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make docs` does: a dead link or anchor ends it."""
    folder = tmp_path_factory.mktemp("site")
    build = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stderr
    return folder


class Loads(HTMLParser):
    """What a browser loads by itself when it shows a page; a link that a person follows is none."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and (name in ("src", "srcset", "poster", "data") or (tag == "link" and name == "href")):
                self.urls.append(value)


def test_site_has_every_page_in_its_menu(site: Path) -> None:
    menu = (site / "index.html").read_text("utf-8")

    for page in DOCS.glob("*.md"):
        assert (site / f"{page.stem}.html").exists()
        assert f'href="{page.stem}.html"' in menu or page.stem == "index", f"{page.name} is not in the menu"


def test_site_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        loads = Loads()
        loads.feed(page.read_text("utf-8"))
        assert len(loads.urls) > 3
        assert [url for url in loads.urls if re.match(r"(https?:)?//", url)] == [], page.name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", sheet.read_text("utf-8")), sheet.name


def test_site_shows_blocks_and_tables_as_the_pages_mean_them(site: Path) -> None:
    for page in site.glob("*.html"):
        assert "```" not in page.read_text("utf-8"), f"{page.name} shows a fence"
    assert "<code>a || true</code>" in (site / "conditions.html").read_text("utf-8")
    assert "../engine" not in (site / "audit.html").read_text("utf-8")
