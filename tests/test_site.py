"""The API reference is complete; the built site needs no other host.

`make docs` builds the site. Then it runs these tests with the folder of the site in the
environment variable NEUROCONTEXT_SITE.
"""

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import sklearn_neurocontext

ROOT = Path(__file__).parents[1]
SITE = os.environ.get("NEUROCONTEXT_SITE")
needs_site = pytest.mark.skipif(not SITE, reason="`make docs` sets NEUROCONTEXT_SITE")
SUBPACKAGES = [name for name in sklearn_neurocontext._SUBPACKAGES if name != "cli"]
# Attributes that make a browser load something when it opens a page.
LOADED = {"link": "href", "script": "src", "img": "src", "iframe": "src"}


class _Page(HTMLParser):
    """Addresses and ids in a page: `links`, `loaded` and `ids`."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loaded, self.ids = [], [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids.add(attrs.get("id"))
        if tag == "a":
            self.links.append(attrs.get("href"))
        self.loaded.append(attrs.get(LOADED.get(tag)))


@pytest.fixture(scope="module")
def pages():
    """Return the built pages by their paths."""
    return {path: _Page(path) for path in Path(SITE).resolve().rglob("*.html")}


def test_reference_lists_the_public_subpackages():
    text = (ROOT / "docs" / "api" / "index.md").read_text()
    listed = re.findall(r"^   (\w+)$", text, flags=re.MULTILINE)
    assert sorted(listed) == sorted(SUBPACKAGES)


@needs_site
@pytest.mark.parametrize("subpackage", SUBPACKAGES)
def test_reference_documents_each_public_name(subpackage, pages):
    folder = Path(SITE).resolve() / "api" / "generated"
    for name in getattr(sklearn_neurocontext, subpackage).__all__:
        full = f"sklearn_neurocontext.{subpackage}.{name}"
        assert full in pages[folder / f"{full}.html"].ids


@needs_site
def test_pages_load_nothing_from_other_hosts(pages):
    for path, page in pages.items():
        remote = [url for url in page.loaded if url and re.match(r"(\w+:)?//", url)]
        assert not remote, path
    for path in Path(SITE).rglob("*.css"):
        assert not re.search(r"(url\(|@import)\W*(https?:)?//", path.read_text()), path


@needs_site
def test_links_inside_the_site_have_a_target(pages):
    for path, page in pages.items():
        for url in filter(None, page.links):
            parts = urlsplit(url)
            if parts.scheme or parts.netloc:
                continue
            target = path
            if parts.path:
                target = (path.parent / unquote(parts.path)).resolve()
            assert target.exists(), f"{path}: {url}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].ids, f"{path}: {url}"
