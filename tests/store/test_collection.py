"""A memory's encoder: only the network that is asked is loaded and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ravl.errors import EncoderMismatchError
from ravl.memory import Memory
from ravl.retrieval import Query
from tests.helpers import ColourEncoder, draw


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Memory:
    """A memory whose encoder is loaded by its name."""
    monkeypatch.setattr("ravl.store.space.load_encoder", lambda *_, **__: ColourEncoder())
    file = tmp_path / "shop.ravl"
    for i, colour in enumerate(("red", "blue")):
        draw(i, colour).save(tmp_path / f"{colour}.png")
    with Memory.create(file, ColourEncoder()) as made:
        made.index(tmp_path, progress=False)
    return Memory.open(file)


def used(memory: Memory) -> tuple[bool, bool]:
    """Whether the network of pictures was used, and that of texts."""
    encoder = memory.encoder_for()
    assert isinstance(encoder, ColourEncoder)
    return bool(encoder.looked), bool(encoder.read)


def test_a_text_search_loads_no_network_of_pictures(memory: Memory) -> None:
    assert used(memory) == (False, False)
    assert memory.search("red")[0].row.id == "red.png"
    assert used(memory) == (False, True)


def test_a_search_by_a_picture_loads_no_network_of_texts(memory: Memory) -> None:
    memory.search(Query(like="red.png"))
    assert used(memory) == (False, False)
    assert memory.search(draw(1, "blue"))[0].row.id == "blue.png"
    assert used(memory) == (True, False)
    memory.search("red")
    assert used(memory) == (True, True)


@pytest.mark.parametrize("asked", [["texts"], ["pictures"], ["texts", "pictures"]])
def test_each_side_is_compared_before_it_is_used(
    memory: Memory, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    other = {"texts": ColourEncoder(turn=3), "pictures": ColourEncoder(mirror=True)}[asked[-1]]
    monkeypatch.setattr("ravl.store.space.load_encoder", lambda *_, **__: other)
    query: dict[str, Any] = {"texts": "red", "pictures": draw(0, "red")}
    for side in asked[:-1]:  # mirrored pictures, and the same texts
        assert memory.search(query[side])
    with pytest.raises(EncoderMismatchError, match="ravl reembed"):
        memory.search(query[asked[-1]])
    with pytest.raises(EncoderMismatchError):
        _ = memory.encoder
