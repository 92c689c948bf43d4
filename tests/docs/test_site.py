"""The site as it is built: no warning, nothing from elsewhere, links that lead somewhere."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT

# Sphinx needs a minute for all pages: `make docs` builds them, and `make test-slow` looks at them.
pytestmark = pytest.mark.slow

LOADS = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}


class Found(HTMLParser):
    """Ids, links, and what a page loads."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loads, self.language = set(), [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id":
                self.ids.add(value)
            elif (tag, name) == ("a", "href"):
                self.links.append(value)
            elif (tag, name) in LOADS:
                self.loads.append(value)
            elif (tag, name) == ("html", "lang"):
                self.language = value


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """All built pages by their path."""
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-E", "-W", "--keep-going", "-q", str(DOCS), str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return out, {p: Found(p.read_text("utf-8")) for p in out.rglob("*.html")}


def test_every_page_is_built(site):
    out, pages = site
    built = {p.relative_to(out).with_suffix("").as_posix() for p in pages}
    assert {p.relative_to(DOCS).with_suffix("").as_posix() for p in PAGES} <= built


def test_links_lead_somewhere(site):
    out, pages = site
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or not link:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                broken.append((path.name, link))
            elif (name := unquote(parts.fragment)) and target.suffix == ".html":
                known = pages[out / target.relative_to(out.resolve())].ids
                if name not in known:
                    broken.append((path.name, link))
    assert not broken


def test_nothing_is_loaded_from_elsewhere(site):
    out, pages = site
    for path, page in pages.items():
        for load in page.loads:
            parts = urlsplit(load)
            assert not parts.netloc, f"{path.name} loads {load}"
            assert parts.scheme in ("", "data")
    for style in out.rglob("*.css"):
        assert "url(http" not in style.read_text("utf-8").replace("'", "").replace('"', "")


def test_pages_say_their_language(site):
    _, pages = site
    for path, page in pages.items():
        assert page.language == ("zh-CN" if path.parent.name == "zh" else "en")


def test_the_api_has_its_anchors(site):
    out, pages = site
    python = pages[out / "reference" / "python.html"]
    assert {"ravl.Memory", "ravl.Memory.search", "ravl.fit"} <= python.ids
