from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from ravl.data import ColumnNames
from ravl.errors import DataError
from ravl.memory import Memory, Row
from ravl.tasks.labels.targets import LabelTargets
from ravl.training.examples import none_labelled, read_labelled, read_tables, remember
from tests.helpers import ColourEncoder
from tests.labelled import random_picture, shades, table

SAYS = LabelTargets("classify").of
PROBE = 1  # picture that an encoder's fingerprint looks at


@pytest.fixture
def shop(empty, tmp_path) -> Memory:
    """A memory of 16 shades."""
    empty.add(shades(tmp_path / "pictures", 16))
    return empty  # type: ignore[no-any-return]


@pytest.fixture
def file(tmp_path):
    """A table of these and eight more, with other labels."""
    examples = [*shades(tmp_path / "pictures", 16), *shades(tmp_path / "pictures", 8, first=100)]
    return table(tmp_path / "told.csv", [replace(e, label=f"very {e.label}") for e in examples])


@pytest.fixture
def scratch(shop, file, tmp_path) -> Iterator[Memory]:
    with read_tables(shop, {"train": file}, tmp_path / "work", None, False) as made:
        yield made


def test_what_the_memory_has_looked_at_is_not_looked_at_again(shop, file, tmp_path, encoder):
    encoder.looked = 0
    with read_tables(shop, {"train": file}, tmp_path / "work", None, False) as scratch:
        assert encoder.looked <= 8 + PROBE
        assert len(scratch) == 24
        assert scratch.info().without_vector == 0
        assert len(read_labelled(scratch, shop, SAYS)) == 24
    encoder.looked = 0
    with read_tables(shop, {"train": file}, tmp_path / "work", None, False) as again:
        assert encoder.looked == 0  # an interrupted run goes on
        assert len(again) == 24


def test_donated_features_are_those_of_a_look_of_ones_own(scratch, tmp_path, shop):
    with Memory.create(tmp_path / "fresh.ravl", ColourEncoder()) as fresh:
        fresh.index(tmp_path / "told.csv", progress=False)
        mine, own = (read_labelled(m, shop, SAYS) for m in (scratch, fresh))
        assert [r.id.partition("/")[2] for r in mine.rows] == [r.id for r in own.rows]
        np.testing.assert_allclose(mine.features, own.features, atol=2e-3)
        np.testing.assert_allclose(scratch.vectors().matrix, fresh.vectors().matrix, atol=2e-3)
        rows = [(r.hash, r.phash, r.width, r.height) for r in fresh]
        assert [(r.hash, r.phash, r.width, r.height) for r in scratch] == rows


def test_ids_begin_with_their_part(shop, file, tmp_path):
    other = table(tmp_path / "test.csv", shades(tmp_path / "tested", 4, first=200))
    tables = {"train": file, "test": other}
    with read_tables(shop, tables, tmp_path / "work", None, False) as scratch:
        parts = [row.id.partition("/")[0] for row in scratch]
        assert (parts.count("train"), parts.count("test")) == (24, 4)


def test_columns_with_names_of_their_own(shop, tmp_path):
    shades(tmp_path / "pictures", 2)
    (tmp_path / "t.csv").write_text(
        "datei,art\npictures/red_000.png,rot\npictures/green_001.png,gruen\n"
    )
    columns = ColumnNames(image="datei", label="art")
    with read_tables(shop, {"train": tmp_path / "t.csv"}, tmp_path / "w", columns, False) as found:
        assert {row.label for row in found} == {"rot", "gruen"}


def test_a_folder_of_class_folders(shop, tmp_path):
    for name in ("apple", "pear"):
        for i in range(3):
            path = tmp_path / "fruit" / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(random_picture(hash(name) % 99 + i))
    with read_tables(shop, {"train": tmp_path / "fruit"}, tmp_path / "w", None, False) as found:
        examples = read_labelled(found, shop, SAYS)
        assert sorted({row.label or "" for row in examples.rows}) == ["apple", "pear"]
        assert len(examples) == 6


def test_the_memorys_own_rows(shop):
    examples = read_labelled(shop, shop, SAYS)
    assert len(examples) == 16
    assert examples.features.shape == (16, 48)
    assert [s.tolist() for s in examples.shown] == [[g] for g in examples.groups]
    assert examples.rejected == []
    some = read_labelled(shop, shop, SAYS, where="label = 'red'")
    assert {row.label for row in some.rows} == {"red"}
    none = read_labelled(shop, shop, LabelTargets("classify", "nothing").of)
    assert len(none) == 0
    assert none.seen_groups().tolist() == []
    assert none.take(np.zeros(0, np.int64)).features.shape[0] == 0


def test_what_the_memory_shows_of_a_table(scratch, shop, tmp_path):
    examples = read_labelled(scratch, shop, SAYS)
    by_hash = {row.hash: row.group for row in shop}
    known = [row.hash in by_hash for row in examples.rows]
    assert known == [True] * 16 + [False] * 8
    for row, groups, old in zip(examples.rows, examples.shown, known, strict=True):
        if old:
            assert by_hash[row.hash] in groups
        else:
            assert groups.tolist() == []


def test_a_retouched_copy_is_recognised_under_another_name(empty, tmp_path):
    for i in range(4):
        (tmp_path / f"mine_{i}.png").write_bytes(random_picture(i))
        (tmp_path / f"theirs_{i}.png").write_bytes(random_picture(i + 2, retouched=True))
    for who in ("mine", "theirs"):
        lines = [f"{who}_{i}.png,x{i % 2}" for i in range(4)]
        (tmp_path / f"{who}.csv").write_text("\n".join(["image,label", *lines]) + "\n")
    empty.index(tmp_path / "mine.csv", progress=False)
    tables = {"test": tmp_path / "theirs.csv"}
    with read_tables(empty, tables, tmp_path / "w", None, False) as scratch:
        examples = read_labelled(scratch, empty, SAYS)
    numbers = {row.id: row.number for row in empty}
    assert [s.tolist() for s in examples.shown] == [
        [numbers["mine_2.png"]],
        [numbers["mine_3.png"]],
        [],
        [],
    ]
    assert examples.seen_groups().tolist() == sorted([numbers["mine_2.png"], numbers["mine_3.png"]])


def test_remembering_tells_old_rows_and_brings_new_ones(scratch, shop, encoder):
    examples = read_labelled(scratch, shop, SAYS)
    encoder.looked = encoder.read = 0
    versions = len(shop.history())
    assert remember(shop, examples, "fit classify") == 24
    assert encoder.looked == encoder.read == 0
    assert len(shop) == 24
    assert {row.label for row in shop} == {f"very {c}" for c in ("red", "green", "blue", "yellow")}
    red = shop.get("red_000.png")
    assert red.texts == ("a red thing",)  # what the table does not say stays
    assert red.columns["number"] == 0
    assert len(shop.history()) == versions + 1
    assert shop.history(limit=1)[0].what == "fit classify"
    assert shop.info().without_vector == 0
    assert shop.search(image=red.path, k=1)[0].id == "red_000.png"
    assert remember(shop, read_labelled(scratch, shop, SAYS), "again") == 0
    assert len(shop.history()) == versions + 1
    shown = read_labelled(scratch, shop, SAYS).shown
    assert all(len(groups) for groups in shown)  # now the memory shows them all


def test_an_id_that_is_another_pictures(shop, tmp_path):
    """The table's red_000.png lies in another folder and shows something else."""
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "red_000.png").write_bytes(random_picture(5))
    (other / "t.csv").write_text("image,label\nred_000.png,strange\n")
    before = shop.get("red_000.png")
    with read_tables(shop, {"train": other / "t.csv"}, tmp_path / "w", None, False) as scratch:
        remember(shop, read_labelled(scratch, shop, SAYS), "x")
    assert shop.get("red_000.png") == before
    assert shop.get("train/red_000.png").label == "strange"


def test_new_near_duplicates_are_marked(shop, tmp_path):
    for i, name in enumerate(("a", "b")):
        (tmp_path / f"{name}.png").write_bytes(random_picture(5, retouched=bool(i)))
    (tmp_path / "t.csv").write_text("image,label\na.png,x\nb.png,x\n")
    with read_tables(shop, {"train": tmp_path / "t.csv"}, tmp_path / "w", None, False) as scratch:
        examples = read_labelled(scratch, shop, SAYS)
        assert len(set(examples.groups.tolist())) == 1
        remember(shop, examples, "x")
    assert (
        shop.get("a.png").duplicate_of == shop.get("b.png").duplicate_of == shop.get("a.png").number
    )


def test_a_damaged_picture_is_set_aside(shop, tmp_path):
    shades(tmp_path / "pictures", 2)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG no picture")
    (tmp_path / "t.csv").write_text(
        "image,label\npictures/red_000.png,x\nbroken.png,y\npictures/green_001.png,z\n"
    )
    with read_tables(shop, {"train": tmp_path / "t.csv"}, tmp_path / "w", None, False) as scratch:
        examples = read_labelled(scratch, shop, SAYS)
    assert len(examples) == 2
    assert len(examples.rejected) == 1
    assert "broken.png" in str(examples.rejected[0])


def test_a_table_that_is_none_leaves_no_file_open(shop, tmp_path):
    with pytest.raises(DataError):
        read_tables(shop, {"train": tmp_path / "gone.csv"}, tmp_path / "w", None, False)


def test_why_there_is_nothing_to_fit_to(shop):
    says = str(none_labelled(shop, "label", None))
    assert "No picture that could be read has a label (own columns: number)" in says
    assert "--data" in says and "--column" in says
    assert "a value in the column 'shop'" in str(none_labelled(shop, "tag", "shop"))


def test_rows_without_a_picture_say_nothing(empty):
    from ravl.data import Example

    empty.add([Example("words", texts=("red",), label="red")])
    assert isinstance(next(iter(empty)), Row)
    assert len(read_labelled(empty, empty, SAYS)) == 0
