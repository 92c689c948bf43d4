"""No vector that is not finite or not of length 1 is used, whoever reads it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from ravl.data import Example
from ravl.errors import MemoryFileError, PictureError
from ravl.memory import Memory
from ravl.retrieval.live import Live
from ravl.sharing.pull import pull
from ravl.sharing.push import push
from ravl.store.space import KINDS, Kind
from ravl.store.sqlite.sound import is_sound
from tests.helpers import ColourEncoder, make_examples

WIDTH = 48


def blob(values: object) -> bytes:
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float16).tobytes()


UNIT = np.eye(WIDTH)[0]
BAD: dict[str, object] = {
    "long": blob(50 * UNIT),
    "not a number": blob(UNIT * np.nan),
    "infinite": blob(UNIT * np.float64(7e4)),
    "a little long": blob(1.1 * UNIT),
    "short": blob(0.5 * UNIT),
    "cut": blob(UNIT)[:-2],
    "odd": blob(UNIT)[:-1],
    "empty": b"",
    "wide": blob(np.eye(2 * WIDTH)[0]),
}
FINITE = ("long", "a little long", "short")  # features may have any length


def search_text(memory: Memory) -> object:
    return memory.search("red", 20)


def texts(memory: Memory) -> object:
    return memory.vectors("text_vectors")


def live(memory: Memory) -> object:
    return Live(memory).view()


def merged(memory: Memory) -> object:
    with Memory.create(memory.path.with_name("other.ravl"), ColourEncoder()) as other:
        try:
            return other.merge(memory)
        finally:
            assert len(other) == 0


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    with Memory.create(tmp_path / "shop.ravl", ColourEncoder()) as memory:
        memory.add(make_examples(tmp_path / "pictures"))
    return tmp_path / "shop.ravl"


def spoil(path: Path, kind: Kind, value: object) -> None:
    with closing(sqlite3.connect(path)) as database:
        key = database.execute(f"SELECT max(key) FROM {kind}_1").fetchone()[0]
        database.execute(f"UPDATE {kind}_1 SET vector = ? WHERE key = ?", (value, key))
        database.execute(
            "INSERT INTO changes (version, row, id, action) SELECT max(version), "
            f"{key >> (16 if kind == 'text_vectors' else 0)}, id, 'update' FROM changes"
        )
        database.commit()


READERS: dict[Kind, tuple[Callable[[Memory], object], ...]] = {
    "vectors": (search_text, merged),
    "text_vectors": (texts, merged),
    "features": (live, merged),
}


@pytest.mark.parametrize("how", BAD)
@pytest.mark.parametrize("kind", KINDS)
def test_no_bad_vector_is_read_or_merged(kind: Kind, how: str, shop: Path) -> None:
    if kind == "features" and how in FINITE:
        return
    spoil(shop, kind, BAD[how])
    with Memory.open(shop, ColourEncoder()) as memory:
        for read in READERS[kind]:
            with pytest.raises(MemoryFileError, match=r"shop\.ravl cannot be used: .*\b1 "):
                read(memory)
        memory.delete(memory.store.rows.get([16])[16].id)
        for read in (search_text, texts, live):  # without that row it is as good as before
            read(memory)


@pytest.mark.parametrize("kind", KINDS)
def test_no_bad_vector_is_followed(kind: Kind, shop: Path) -> None:
    with Memory.open(shop, ColourEncoder()) as memory:
        view = Live(memory)
        view.view(), search_text(memory), texts(memory)
        spoil(shop, kind, BAD["not a number"])
        with pytest.raises(MemoryFileError, match=r"shop\.ravl cannot be used: 1 "):
            view.view() if kind == "features" else READERS[kind][0](memory)


@pytest.mark.parametrize("kind", KINDS)
def test_no_bad_vector_is_pulled(kind: Kind, shop: Path, tmp_path: Path) -> None:
    spoil(shop, kind, BAD["not a number"])
    push(shop, tmp_path / "place", progress=False)
    with pytest.raises(MemoryFileError, match=f"1 {kind.replace('_', ' ')}"):
        pull(tmp_path / "place", tmp_path / "pulled")
    assert not list(tmp_path.glob("pulled*"))


def test_what_encoders_make_is_sound() -> None:
    random = np.random.default_rng(0).normal(size=(200, 512))
    unit = (random / np.linalg.norm(random, axis=1, keepdims=True)).astype(np.float16)
    assert is_sound(unit, "vectors").all()
    assert is_sound(np.zeros((2, 8), np.float16), "text_vectors").all()
    assert is_sound(100 * unit, "features").all()


def test_a_damaged_copy_of_a_picture_is_not_shown(tmp_path: Path) -> None:
    """Each byte of it, as for pictures that are files of their own."""
    picture = make_examples(tmp_path / "pictures", 1)[0].picture
    assert isinstance(picture, Path)
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add([Example("a.png", picture.read_bytes())])
        data = memory.picture_bytes("a.png")
        for place in range(0, len(data), max(1, len(data) // 40)):
            flipped = bytearray(data)
            flipped[place] ^= 1
            with closing(sqlite3.connect(memory.path)) as database:
                database.execute("UPDATE pictures SET bytes = ?", (bytes(flipped),))
                database.commit()
            with pytest.raises(PictureError, match="The copy of 'a.png' in .* is damaged"):
                memory.picture("a.png")
