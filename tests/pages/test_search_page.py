"""The page of search results: one file that needs nothing else, and trusts nothing in it."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from ravl.data import Example
from ravl.memory import Memory
from ravl.pages.search_page import Section, search_page
from ravl.retrieval import Hits, Query
from tests.helpers import draw

EVIL = """<script>alert(1)</script> "quoted" 'single' <img src=x onerror=alert(2)> & co"""


class Page(HTMLParser):
    """What a browser makes of a page.

    Args:
        html: the page.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(memory: Memory, *queries: Query, title: str = "Search", note: str = "") -> str:
    sections = [Section(query, memory.search(query, k=4), note) for query in queries]
    return search_page(memory, sections, title)


def heading(memory: Memory, query: Query) -> str:
    found = re.search(r"<h2>(.*?)</h2>", page(memory, query), re.DOTALL)
    assert found
    return found[1].strip()


def test_the_page_is_one_file_without_scripts(memory):
    html = page(memory, Query("a red picture"), Query(like="blue_002.png"))
    assert not re.search(r"https?:|<script|<link|<iframe|@import|url\(|href=|srcset=", html)
    assert all(
        (image["src"] or "").startswith("data:image/jpeg;") for image in Page(html).all("img")
    )
    (policy,) = [m["content"] for m in Page(html).all("meta") if "http-equiv" in m]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert len(Page(html).all("section")) == 2


def test_pictures_are_small_jpegs_with_a_description(memory, tmp_path):
    for i, size in enumerate([(1500, 40), (900, 1200), (20, 10)]):
        draw(i, "red", size).save(tmp_path / f"{i}.png")
        memory.add([Example(f"large {i}", tmp_path / f"{i}.png")])
    images = Page(page(memory, Query("red", like="large 1"), Query(like="large 0"))).all("img")
    assert len(images) == 10  # 2 queries with a picture, each with 4 hits
    for image in images:
        assert image["alt"]
        data = base64.b64decode((image["src"] or "").partition(",")[2], validate=True)
        picture = Image.open(io.BytesIO(data))
        picture.load()
        assert picture.format == "JPEG"
        assert max(picture.size) <= 320
        assert len(data) < 60_000


def test_html_in_what_users_wrote_is_only_text(memory, tmp_path):
    evil = {"texts": [EVIL, EVIL + "2"], "label": EVIL, "tags": [EVIL]}
    memory.update("red_000.png", **evil)
    query = Query(EVIL, image=tmp_path / "pictures" / "red_000.png")
    html = page(memory, query, title=EVIL, note=EVIL)
    assert "<script" not in html
    read = Page(html)
    assert not read.all("script")
    assert len(read.all("img")) == 5
    assert all(set(image) == {"src", "alt"} for image in read.all("img"))
    assert EVIL in [image["alt"] for image in read.all("img")]
    assert read.text.count(" ".join(EVIL.split())) >= 6  # title twice, query, note, texts, label


@pytest.mark.parametrize("gone", ["deleted", "damaged", "never there"])
def test_a_missing_picture_is_said(memory, tmp_path, gone):
    id, path = "red_000.png", tmp_path / "pictures" / "red_000.png"
    if gone == "never there":
        id = "text only"
        memory.add([Example(id, texts=("knowledge",))])
    elif gone == "deleted":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:100])
    hits = memory.search("knowledge number 0", k=1, mode="keyword", where=f'id = "{id}"')
    read = Page(search_page(memory, [Section(Query("words"), hits)], "Search"))
    assert "no picture" in read.text
    assert not read.all("img")
    assert len(read.all("li")) == 1


def test_titles_say_what_was_asked(memory, tmp_path):
    image = tmp_path / "pictures" / "blue_002.png"
    assert heading(memory, Query("a red picture")) == "“a red picture”"
    assert heading(memory, Query(image=image)) == "This picture"
    assert heading(memory, Query(image=draw(1, "blue"))) == "This picture"
    assert heading(memory, Query(like="blue_002.png")) == "This picture"
    assert heading(memory, Query("in red", image=str(image))) == "“in red” and this picture"


def test_nothing_found(memory):
    read = Page(search_page(memory, [Section(Query("zzz"), Hits())], "Search"))
    assert read.text.endswith("“zzz” Nothing found.")
    assert "16 rows, 32 texts, encoder colour (48 dimensions)" in read.text


def test_chinese(memory):
    memory.update("red_000.png", texts=["一件红格子衬衫"], label="衬衫")
    html = page(memory, Query("红格子衬衫"), title="搜索")
    assert '<meta charset="utf-8">' in html
    read = Page(html.encode().decode("utf-8"))
    for words in ("“红格子衬衫”", "一件红格子衬衫", "衬衫", "搜索"):
        assert words in read.text
    assert "一件红格子衬衫" in [image["alt"] for image in read.all("img")]


def test_a_page_says_why_each_hit_is_there(memory):
    read = Page(page(memory, Query("a red picture"), note="Words and similarity."))
    assert "Words and similarity." in read.text
    hits = memory.search("a red picture", k=4)
    for hit in hits:
        assert f"{hit.score:.3f}" in read.text
        for name, found in hit.by.items():
            assert f"{name} #{found.rank}" in read.text


def test_the_text_that_was_found_is_shown(memory):
    hits = memory.search("number 3", k=1, target="texts")
    read = Page(search_page(memory, [Section(Query("number 3"), hits)], "Search"))
    assert f"{hits[0].score:.3f} number 3" in read.text
