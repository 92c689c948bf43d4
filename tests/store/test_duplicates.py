from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ravl.data import Example
from ravl.memory import Memory
from ravl.store import duplicates
from ravl.store.duplicates import compare_pictures, groups_like, mark_duplicates
from ravl.store.row import Computed, Row
from ravl.store.sqlite import picture_lookup
from ravl.store.sqlite.schema import check_schema
from tests.helpers import draw, shared_set


@pytest.fixture
def originals(tmp_path):
    for i, colour in enumerate(("red", "green", "blue")):
        draw(i, colour, (320, 240)).save(tmp_path / f"{i}.png")
    return tmp_path


def add(memory: Memory, *paths):
    return memory.add([Example(p.name, p) for p in paths])


def test_a_resized_copy_is_found(empty, originals):
    picture = Image.open(originals / "1.png")
    picture.resize((160, 120)).save(originals / "small.jpg", quality=70)
    report = add(empty, *sorted(originals.glob("*.*")))
    assert report.duplicates.groups == [("1.png", "small.jpg")]
    assert report.duplicates.pictures == 1
    assert empty.get("small.jpg").duplicate_of == empty.get("1.png").number
    assert empty.get("0.png").duplicate_of is None
    assert empty.info().near_duplicates == 1


def test_later_copies_join_the_group(empty, originals):
    add(empty, *sorted(originals.glob("*.png")))
    (originals / "copy.png").write_bytes((originals / "2.png").read_bytes())
    assert add(empty, originals / "copy.png").duplicates.groups == [("2.png", "copy.png")]
    Image.open(originals / "2.png").save(originals / "third.jpg")
    assert add(empty, originals / "third.jpg").duplicates.groups == [
        ("2.png", "copy.png", "third.jpg")
    ]
    assert add(empty, originals / "third.jpg").duplicates.groups == []


def test_deleting_the_first_of_a_group(empty, originals):
    for name in ("a", "b", "c"):
        (originals / f"{name}.png").write_bytes((originals / "2.png").read_bytes())
    add(empty, *(originals / f"{name}.png" for name in ("a", "b", "c")))
    empty.delete(["a.png"])
    assert (
        empty.get("b.png").duplicate_of
        == empty.get("c.png").duplicate_of
        == empty.get("b.png").number
    )
    hits = empty.search(originals / "2.png", collapse=True)
    assert len(hits) == 1


def test_a_picture_that_changes_leaves_its_group(empty, originals):
    (originals / "copy.png").write_bytes((originals / "2.png").read_bytes())
    add(empty, originals / "2.png", originals / "copy.png")
    draw(50, "yellow", (320, 240)).save(originals / "copy.png")
    add(empty, originals / "copy.png")
    assert empty.get("copy.png").duplicate_of is None


def test_finds_the_known_duplicate_of_flickr8k(tmp_path, builtin):
    folder = shared_set("flickr8k") / "images"
    names = ["2851198725_37b6027625.jpg", "3050606344_af711c726c.jpg", "1000268201_693b08cb0e.jpg"]
    with Memory.create(tmp_path / "f.ravl", builtin) as memory:
        report = add(memory, *(folder / name for name in names))
        assert report.duplicates.groups == [tuple(names[:2])]


# --- pictures from elsewhere -----------------------------------------------------------------


def like(memory: Memory, other: Memory) -> dict[str, list[int]]:
    """For each row of another memory the groups of this one that show it."""
    rows = sorted(other, key=lambda row: row.number)
    vectors = other.vectors()
    matrix = vectors.matrix[[list(vectors.keys).index(row.number) for row in rows]]
    with memory.snapshot():
        found = groups_like(memory.store, rows, matrix.astype("float32"))
    return {row.id: groups.tolist() for row, groups in zip(rows, found, strict=True)}


@pytest.fixture
def other(tmp_path, encoder):
    with Memory.create(tmp_path / "other.ravl", encoder) as made:
        yield made


def test_groups_that_show_pictures_from_elsewhere(empty, other, originals):
    add(empty, *sorted(originals.glob("*.png")))
    (originals / "same.png").write_bytes((originals / "0.png").read_bytes())
    Image.open(originals / "1.png").resize((160, 120)).save(originals / "small.jpg", quality=70)
    draw(50, "yellow", (320, 240)).save(originals / "new.png")
    add(other, *(originals / n for n in ("same.png", "small.jpg", "new.png")))
    found = like(empty, other)
    assert found == {
        "same.png": [empty.get("0.png").number],
        "small.jpg": [empty.get("1.png").number],
        "new.png": [],
    }


def test_a_group_is_named_by_its_first_row(empty, other, originals):
    (originals / "copy.png").write_bytes((originals / "2.png").read_bytes())
    add(empty, originals / "copy.png", originals / "0.png", originals / "2.png")
    add(other, originals / "2.png")
    assert like(empty, other) == {"2.png": [empty.get("copy.png").duplicate_of]}


def test_nothing_is_like_pictures_in_an_empty_memory(empty, other, originals):
    add(other, originals / "0.png", originals / "1.png")
    assert like(empty, other) == {"0.png": [], "1.png": []}
    with empty.snapshot():
        assert groups_like(empty.store, [], other.vectors().matrix[:0]) == []


@pytest.fixture
def many(empty, monkeypatch):
    """Stores rows with given hashes and vectors, and compares them by the index and by all."""
    monkeypatch.setattr(picture_lookup, "MANY", 1)
    monkeypatch.setattr(duplicates, "_chance", lambda _: 0.1)  # else of the pictures so far
    return empty.store


def _put(store, random, count: int, version: int = 0) -> None:
    dimension = store.spaces.state().dimension
    with store.transaction():
        version = store.history.begin("put")
        start = store.rows.count()
        for i in range(start, start + count):
            motif = np.random.default_rng(int(random.integers(12)))
            phash = int(motif.integers(-(2**63), 2**63))
            for _ in range(int(random.integers(8))):
                phash ^= 1 << int(random.integers(63))
            vector = motif.normal(size=dimension) + 0.3 * random.normal(size=dimension)
            vector = (vector / np.linalg.norm(vector)).astype(np.float32)
            row = Row(0, f"{i}.png", hash=f"{i:064x}", width=1, height=1, phash=phash)
            store.rows.put(version, row, Computed(vector=vector, feature=np.ones(4, np.float32)))


def _groups_of_all(store) -> set[tuple[str, ...]]:
    """Connected near-duplicates, by comparing every picture with every other."""
    rows = list(store.rows.iterate())
    vectors = store.vectors.read("vectors", [row.number for row in rows])
    chance = duplicates._chance(list(vectors.values()))
    first = {row.number: row.number for row in rows}
    for a in rows:
        for b in rows:
            apart = ((a.phash ^ b.phash) & 2**64 - 1).bit_count()
            if b.number < a.number and apart <= duplicates.MOST_BITS:
                one, other = vectors[a.number], vectors[b.number]
                if duplicates._related(one, other, chance, apart):
                    low, high = sorted((first[a.number], first[b.number]))
                    first = {row: low if g == high else g for row, g in first.items()}
    groups: dict[int, list[str]] = {}
    for row in rows:
        groups.setdefault(first[row.number], []).append(row.id)
    return {tuple(its) for its in groups.values() if len(its) > 1}


def _groups(store) -> set[tuple[str, ...]]:
    groups: dict[int, list[str]] = {}
    for row in store.rows.iterate():
        groups.setdefault(row.group, []).append(row.id)
    return {tuple(its) for its in groups.values() if len(its) > 1}


@pytest.mark.parametrize("few", [0, 1000])
@pytest.mark.parametrize("outside", [False, True])
def test_finds_the_groups_that_comparing_all_finds(many, monkeypatch, few, outside):
    monkeypatch.setattr(duplicates, "FEW", few)
    random = np.random.default_rng(0)
    for count in (30, 10, 1, 1, 20):
        _put(many, random, count)
        compared = compare_pictures(many) if outside else None
        if outside:
            _put(many, random, 3)  # by another process, while pictures were compared
        with many.transaction():
            mark_duplicates(many, compared)
        assert _groups(many) == _groups_of_all(many)


def test_equal_hashes_are_compared_with_the_nearest_alone(many, monkeypatch):
    monkeypatch.setattr(duplicates, "FEW", 0)
    hashes = np.array([5] * 200 + [4] * 40 + [-1], np.int64)
    fresh = np.ones(len(hashes), bool)
    found = {a: others for a, others, _ in duplicates._nearest(hashes, np.arange(241), fresh)}
    assert all(b < a for a, others in found.items() for b in others)
    assert found[150] == list(range(32))
    assert found[239] == list(range(200, 232))
    assert 240 not in found


def test_an_index_of_hashes_is_made_once_there_are_many_rows(many, monkeypatch):
    monkeypatch.setattr(picture_lookup, "MANY", 50)
    random = np.random.default_rng(0)
    connection = many.database.connection
    for count, there in ((10, False), (40, False), (1, True)):
        _put(many, random, count)
        with many.transaction():
            mark_duplicates(many)
        assert picture_lookup.has_indices(connection) is there or count == 40
    check_schema(connection, many.path, strict=True)
    plan = connection.execute(
        "EXPLAIN QUERY PLAN SELECT row FROM rows WHERE phash IS NOT NULL "
        "AND (phash >> 16) & 65535 IN (1, 2)"
    ).fetchall()
    assert "rows_by_band_1" in str(plan)
