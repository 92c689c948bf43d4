"""New rows come all or none."""

from __future__ import annotations

import pytest

from ravl.data import Example
from ravl.errors import DataError, PictureError, RowExistsError
from ravl.memory import Memory
from ravl.memory.adding import add_rows
from ravl.store.sqlite.rows import RowTable
from tests.helpers import ColourEncoder, draw
from tests.memory.soundness import is_sound
from tests.serving.helpers import png


def test_rows_with_their_pictures(memory: Memory, encoder: ColourEncoder) -> None:
    red, version = png("red", 100), memory.version
    encoder.looked = 0
    examples = [Example("a", red, ("a red one",), label="red"), Example("b", columns={"n": 1})]
    rows = add_rows(memory, examples)
    assert [(row.id, row.label, dict(row.columns)) for row in rows] == [
        ("a", "red", {}),
        ("b", None, {"n": 1}),
    ]
    assert (encoder.looked, memory.version, memory.history(limit=1)[0].what) == (
        1,
        version + 1,
        "add 2 rows",
    )
    assert memory.picture_bytes("a") == red and rows[0].path is None
    assert memory.search(image=draw(100, "red"), k=1)[0].id == "a"
    is_sound(memory)


def test_none_of_them(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    before, version = {row.id for row in memory}, memory.version
    good = [Example(f"n{i}", png("red", i), (f"note {i}",)) for i in range(20)]
    for bad, error in (
        (Example("x", b"no picture"), PictureError),
        (Example("a\0b"), DataError),
        (Example("n7"), RowExistsError),
        (Example("red_000.png"), RowExistsError),
    ):
        with pytest.raises(error):
            add_rows(memory, [*good, bad])
    put = RowTable.put

    def killed(self: RowTable, version: int, row: object, *rest: object) -> int:
        if getattr(row, "id", "") == "n19":
            raise KeyboardInterrupt
        return put(self, version, row, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(RowTable, "put", killed)
        with pytest.raises(KeyboardInterrupt):
            add_rows(memory, good)
    assert ({row.id for row in memory}, memory.version) == (before, version)
    assert len(add_rows(memory, good)) == 20
