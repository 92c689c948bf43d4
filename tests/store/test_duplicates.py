from __future__ import annotations

import pytest
from PIL import Image

from ravl.data import Example
from ravl.memory import Memory
from ravl.store.duplicates import groups_like
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
