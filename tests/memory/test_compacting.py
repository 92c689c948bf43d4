"""What was deleted leaves the file."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ravl.data import Example
from ravl.errors import RowNotFoundError
from ravl.forgetting import learned_from as runs_that_know
from ravl.memory import Memory
from ravl.memory.compacting import is_cut_off
from ravl.store.sqlite import SqliteStore
from ravl.store.sqlite.sound import STORED
from ravl.tasks.model import Model
from tests.helpers import ColourEncoder, draw, make_examples

SECRET = "Zanzibarquixotic"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    with Memory.create(tmp_path / "shop.ravl", ColourEncoder()) as memory:
        memory.add(make_examples(tmp_path / "pictures"))
        draw(500, "red").save(tmp_path / f"{SECRET}.png")
        example = Example(
            SECRET,
            tmp_path / f"{SECRET}.png",
            (f"{SECRET} told me",),
            f"{SECRET}label",
            (f"{SECRET}tag",),
            columns={"note": f"{SECRET}note"},
            source=SECRET,
        )
        memory.add([example], copy=True)
        memory.update(SECRET, texts=[f"{SECRET} told me more"])
    return tmp_path / "shop.ravl"


def content(path: Path) -> bytes:
    return b"".join(f.read_bytes() for f in path.parent.glob(f"{path.name}*"))


def test_nothing_of_a_deleted_row_is_left(shop: Path):
    with Memory.open(shop, ColourEncoder()) as memory:
        row = memory.get(SECRET)
        vectors = memory.vectors()
        vector = vectors.matrix[np.searchsorted(vectors.keys, row.number)].astype(STORED).tobytes()
        picture = memory.picture_bytes(SECRET)
        memory.delete([SECRET])
        other = memory.history()[1].what
        report = memory.compact()
        assert report.forgotten == 1 and report.after < report.before
        assert memory.history()[0].what == "delete (forgotten)"
        assert other.startswith("update")
    left = content(shop)
    for trace in (SECRET.encode(), SECRET.lower().encode(), vector, picture[200:260]):
        assert trace not in left
    with Memory.open(shop, ColourEncoder()) as memory:
        assert memory.compact().forgotten == 0
        assert len(memory) == 16
        assert memory.search("a red thing", k=3)


def test_an_id_that_is_a_part_of_a_word_spoils_no_history(shop: Path):
    with Memory.open(shop, ColourEncoder()) as memory:
        memory.add([Example("a", texts=("something",))])
        memory.update("a", label="note")
        memory.delete(["a"])
        memory.compact()
        assert [v.what for v in memory.history()[:3]] == [
            "delete (forgotten)",
            "update (forgotten)",
            "index Python",
        ]


def test_a_row_in_the_bin_stays(shop: Path, tmp_path: Path):
    folder = tmp_path / "more"
    folder.mkdir()
    draw(7, "blue").save(folder / "one.png")
    draw(8, "blue").save(folder / "two.png")
    with Memory.open(shop, ColourEncoder()) as memory:
        memory.sync(folder)
        (folder / "one.png").unlink()
        memory.sync()
        memory.compact()
        assert memory.restore() == ["more/one.png"]
        (folder / "two.png").unlink()
        memory.sync(remove_all=True)
        memory.empty_trash()
        memory.compact()
    assert b"two.png" not in content(shop)
    assert b"one.png" in content(shop)


def test_answers_are_those_of_a_memory_that_never_had_the_row(shop: Path, tmp_path: Path):
    never = tmp_path / "never.ravl"
    with Memory.create(never, ColourEncoder()) as memory:
        memory.add(make_examples(tmp_path / "pictures"))
    with Memory.open(shop, ColourEncoder()) as memory:
        memory.delete([SECRET])
        memory.compact()
        queries = [draw(i, colour) for i, colour in enumerate(("red", "blue", "green", "yellow"))]
        with Memory.open(never, ColourEncoder()) as other:
            for query in queries:
                mine, theirs = memory.search(image=query, k=16), other.search(image=query, k=16)
                assert [(h.id, h.score) for h in mine] == [(h.id, h.score) for h in theirs]
            captions = [Model(each).caption(queries) for each in (memory, other)]
            for mine, theirs in zip(*captions, strict=True):
                assert (mine.text, mine.scores) == (theirs.text, theirs.scores)
                assert [e.share for e in mine.evidence] == [e.share for e in theirs.evidence]


def test_a_copy_is_no_larger_than_it_need_be(shop: Path, tmp_path: Path):
    with Memory.open(shop, ColourEncoder()) as memory:
        memory.delete(where="label is not missing")
        memory.compact()
    shutil.copy(shop, tmp_path / "copy.ravl")
    with Memory.open(tmp_path / "copy.ravl", ColourEncoder()) as memory:
        assert len(memory) == 0


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("after", ["forget", "compact"])
def test_forgetting_that_was_cut_off_is_completed(
    shop: Path, monkeypatch: pytest.MonkeyPatch, after: str
):
    """Between its two steps the row is gone, but the file has its bytes."""

    def killed(*_: object) -> None:
        raise Killed

    with Memory.open(shop, ColourEncoder()) as memory:
        other = next(row.id for row in memory.rows())
        with pytest.raises(RowNotFoundError, match="no row 'nobody'"):
            memory.forget([SECRET, "nobody"])
        with monkeypatch.context() as patch:
            patch.setattr(SqliteStore, "compact", killed)
            with pytest.raises(Killed):
                memory.forget([SECRET])
        assert SECRET not in memory and other in memory
        assert not [v for v in memory.history() if SECRET in v.what]
    with Memory.open(shop, ColourEncoder()) as memory:
        assert is_cut_off(memory), "SQLite may not have written over all of it"
        assert runs_that_know(memory, [SECRET], []) == []
        if after == "forget":
            assert memory.forget([SECRET]) == 0
        else:
            memory.compact()
        assert not is_cut_off(memory)
        with pytest.raises(RowNotFoundError):
            memory.forget([SECRET])
    for each in (SECRET.encode(), SECRET.lower().encode()):
        assert each not in content(shop)
