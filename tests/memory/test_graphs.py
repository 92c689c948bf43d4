"""The approximate index: what it finds, what it follows, and which files of it are believed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ravl.data import Example
from ravl.encoders.base import normalise
from ravl.forgetting.kinds import kind_beside
from ravl.memory import Memory
from ravl.store import graph_file, vectors
from tests.helpers import ColourEncoder, database_of, draw, make_examples

pytest.importorskip("usearch")
D, COUNT = 48, 1500


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAVL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    """Few pictures, and many rows whose vectors are written past the encoder."""
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as made:
        made.add(make_examples(tmp_path / "p", 16))
        fill(made, COUNT)
        yield made


def fill(memory: Memory, count: int, seed: int = 0) -> list[int]:
    """Rows with random vectors in clusters; returns their numbers."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(30, D))
    found = normalise(centres[rng.integers(30, size=count)] + 0.3 * rng.normal(size=(count, D)))
    store = memory.store
    with store.transaction():
        version = store.history.begin("fill")
        connection = database_of(memory).connection
        numbers = []
        for i, vector in enumerate(found):
            sql = (
                "INSERT INTO rows (id, added, changed, columns) VALUES (?, '', '', ?) RETURNING row"
            )
            made = connection.execute(sql, (f"{seed} {i}", f'{{"n": {i}}}')).fetchone()[0]
            connection.execute(
                "INSERT INTO changes (version, row, id, action) VALUES (?, ?, ?, 'add')",
                (version, made, f"{seed} {i}"),
            )
            store.vectors.write("vectors", made, vector)
            store.vectors.write("features", made, vector)
            numbers.append(made)
        connection.execute("INSERT OR IGNORE INTO column_names VALUES ('n')")
    return numbers


def ids(memory: Memory, query: object, **options: object) -> list[str]:
    return [hit.id for hit in memory.search(query, 10, **options)]  # type: ignore[call-overload]


def test_without_an_index_hits_are_exact(memory: Memory) -> None:
    assert memory.search("red").exact
    assert memory.info().graphs == []


def test_finds_nearly_all_and_says_that_it_is_approximate(memory: Memory) -> None:
    built = memory.build_graphs(least=100)
    assert [each.file.name for each in built] == ["m.ravl.graph-pictures", "m.ravl.graph-texts"]
    pictures = built[0]
    assert pictures.used
    assert (pictures.vectors, pictures.later) == (COUNT + 16, 0)
    assert pictures.recall > 0.95
    assert not built[1].used, "few texts: they are all compared"
    found = memory.search("red", mode="dense")
    assert not found.exact
    exact = memory.search("red", mode="dense", exact=True)
    assert exact.exact
    assert len({h.id for h in found} & {h.id for h in exact}) >= 9
    assert {h.id: h.score for h in found}.items() & {h.id: h.score for h in exact}.items()
    assert memory.info().graphs == built
    assert not memory.search("red").exact, "one of the fused rankings is approximate"
    assert memory.search("red", mode="keyword").exact


def test_the_recall_that_is_said_is_the_recall(memory: Memory) -> None:
    said = memory.build_graphs(least=0)[0].recall
    hits = []
    for row in list(memory.rows())[::30]:
        near, true = (ids(memory, None, like=row.id, exact=e) for e in (False, True))
        hits.append(len(set(near) & set(true)) / 10)
    assert np.mean(hits) == pytest.approx(said, abs=0.05)


def test_a_filter_is_exact(memory: Memory) -> None:
    memory.build_graphs(least=0)
    found = memory.search("red", 10, mode="dense", where="n < 200")
    assert found.exact
    assert [h.id for h in found] == ids(memory, "red", mode="dense", where="n < 200", exact=True)


def test_below_the_least_number_all_are_compared(memory: Memory) -> None:
    built = memory.build_graphs(least=COUNT + 17)
    assert not built[0].used
    assert memory.search("red", mode="dense").exact


def test_what_is_added_changed_and_deleted_counts_at_once(memory: Memory, tmp_path: Path) -> None:
    memory.build_graphs(least=0)
    red = draw(999, "red")
    red.save(tmp_path / "new.png")
    memory.add([Example("new.png", tmp_path / "new.png")])
    found = memory.search(red, 10)
    assert not found.exact
    assert found[0].id == "new.png"
    assert found[0].score == pytest.approx(1, abs=1e-3)
    memory.delete(["new.png", found[1].id])
    again = memory.search(red, 10)
    assert not {"new.png", found[1].id} & {hit.id for hit in again}
    assert len(again) == 10
    moved = memory.get("0 7").number
    with memory.store.transaction():
        database_of(memory).connection.execute(
            "INSERT INTO changes (version, row, id, action) VALUES (1, ?, '0 7', 'update')",
            (moved,),
        )
        memory.store.vectors.write("vectors", moved, memory.encoder.embed_texts(["red"])[0])
    assert memory.search("red", 10, mode="dense")[0].id == "0 7"
    later = memory.info().graphs[0].later
    assert later >= 3
    assert memory.build_graphs(least=0)[0].later == 0
    found = memory.search("red", 10, mode="dense")
    assert not found.exact
    assert found[0].id == "0 7"


def test_an_update_finds_what_a_new_index_finds(memory: Memory) -> None:
    memory.build_graphs(least=0)
    memory.delete([f"0 {i}" for i in range(0, 100)])
    fill(memory, 100, seed=1)
    updated = memory.build_graphs(least=0)[0]
    assert updated.vectors == COUNT + 16
    assert updated.recall > 0.95


def test_where_much_is_later_all_are_compared(memory: Memory) -> None:
    memory.build_graphs(least=0)
    fill(memory, 400, seed=2)
    assert memory.search("red", mode="dense").exact


def test_another_process_uses_it(memory: Memory) -> None:
    memory.build_graphs(least=0)
    with Memory.open(memory.path, ColourEncoder()) as other:
        assert not other.search("red", mode="dense").exact


def test_vectors_kept_as_float16_use_it(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "WIDEST", 0)
    with Memory.open(memory.path, ColourEncoder()) as coded:
        assert coded.build_graphs(least=0)[0].recall > 0.95
        found = coded.search("red", mode="dense")
        assert not found.exact
        assert len({h.id for h in found} & set(ids(coded, "red", mode="dense", exact=True))) >= 9


@pytest.mark.parametrize("harm", ["damaged", "missing", "of a stranger", "of an older state"])
def test_a_file_that_is_not_to_be_believed_is_not_read(
    memory: Memory, harm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = memory.build_graphs(least=0)
    file = built[0].file
    if harm == "damaged":
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    elif harm == "missing":
        file.unlink()
    elif harm == "of a stranger":  # who has sent the memory with its files
        monkeypatch.setenv("RAVL_CACHE", str(tmp_path / "another machine"))
    else:
        kept = tmp_path / "kept"
        shutil.copyfile(file, kept)
        fill(memory, 20, seed=3)
        memory.build_graphs(least=0)
        shutil.copyfile(kept, file)

    def refuse(*_: object) -> None:
        raise AssertionError("the file was read")

    monkeypatch.setattr(graph_file, "open_graph", refuse)
    with Memory.open(memory.path, ColourEncoder()) as other:
        assert other.search("red", mode="dense").exact
        assert not other.info().graphs[0].used
    monkeypatch.undo()
    monkeypatch.setenv("RAVL_CACHE", str(tmp_path / "cache"))
    assert memory.build_graphs(least=0)[0].used
    assert not memory.search("red", mode="dense").exact


def test_a_damaged_note_is_no_index(memory: Memory) -> None:
    memory.build_graphs(least=0)
    for note in ("{}", "[]", "no JSON", '{"sha256": "x", "space": "y"}'):
        with memory.store.transaction():
            memory.store.notes.set("graph-pictures", note)
        assert memory.search("red", mode="dense").exact


def test_forgetting_and_compacting_reach_it(memory: Memory) -> None:
    def compacted() -> None:
        memory.delete(["0 4"])
        memory.empty_trash()
        memory.compact()

    for erase in (lambda: memory.forget(["0 3"]), compacted):
        files = [each.file for each in memory.build_graphs(least=0)]
        assert all(kind_beside(f.name, "m.ravl") for f in files), "forgetting does not know it"
        assert all(f.exists() for f in files)
        erase()
        assert not any(f.exists() for f in files)
        assert memory.search("red", mode="dense").exact


def test_removing_it_leaves_nothing(memory: Memory, tmp_path: Path) -> None:
    memory.build_graphs(least=0)
    assert memory.remove_graphs() == 2
    assert memory.remove_graphs() == 0
    assert not list(tmp_path.glob("m.ravl.graph*"))
    assert not list((tmp_path / "cache" / "graphs").iterdir())
    assert memory.search("red", mode="dense").exact
