from __future__ import annotations

from functools import partial

import pytest

from ravl.demo import samples, scenes
from ravl.demo.debian import PackageError
from ravl.demo.run import run
from ravl.errors import DataError
from ravl.memory import Memory
from tests.helpers import make_pictures


@pytest.fixture
def told() -> list[str]:
    return []


def test_own_pictures(tmp_path, told):
    make_pictures(tmp_path / "mine", 5)
    (tmp_path / "mine" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    page = run(tmp_path / "mine", tmp_path / "out", told.append)
    html = page.read_text("utf-8")
    assert "<title>ravl: mine</title>" in html
    assert html.count("<section>") == 9  # five words, three pictures, both together
    assert "broken.jpg" in "\n".join(told)
    assert "5 pictures, 0 texts, 1 set aside" in "\n".join(told)
    run(tmp_path / "mine", tmp_path / "out", told.append)  # a second time from the start
    with Memory.open(tmp_path / "out" / "demo.ravl") as memory:
        assert len(memory) == 5


def test_labels_of_own_pictures_are_searched_for(tmp_path, told):
    for label in ("cat", "dog"):
        make_pictures(tmp_path / "mine" / label, 2)
    html = run(tmp_path / "mine", tmp_path / "out", told.append).read_text("utf-8")
    assert "“cat”" in html
    assert "“a person”" not in html


@pytest.mark.slow
def test_draws_scenes_where_nothing_can_be_fetched(tmp_path, told, monkeypatch):
    def fail():
        raise PackageError("apt-get, a tool of Debian's, is not installed here.")

    monkeypatch.setattr(samples, "fetch", fail)
    monkeypatch.setattr(scenes, "draw", partial(scenes.draw, limit=28))
    page = run(None, tmp_path / "out", told.append)
    assert any("apt-get" in line for line in told)
    html = page.read_text("utf-8")
    assert "A big red house on a green meadow." in html
    seen = html.split("Pictures that the memory has not seen")[1]
    assert seen.count("<section>") == seen.count("People say: ") == 4


def test_a_folder_without_pictures_is_a_sentence(tmp_path, told):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no picture"):
        run(tmp_path / "empty", tmp_path / "out", told.append)
    with pytest.raises(DataError, match="nowhere"):
        run(tmp_path / "nowhere", tmp_path / "out", told.append)


@pytest.mark.slow
def test_the_sample_set(tmp_path, told):
    """As ``make demo`` does it, with real stamps; skipped where they cannot be fetched."""
    try:
        samples.fetch()
    except PackageError as error:
        pytest.skip(str(error))
    html = run(None, tmp_path / "out", told.append).read_text("utf-8")
    for found in (
        "A classical guitar.",
        "A sports car.",
        "一只",
        "A Sumatran tiger.",
        "A raspberry.",
    ):
        assert found in html
    assert html.count("<section>") == 12  # eight searches, four descriptions
    assert "Nothing found." not in html
