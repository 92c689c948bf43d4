from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ravl.errors import DataError
from ravl.memory import Row
from ravl.training.splits import LEFT_OUT, SPLIT_NAMES, Splits, split


def rows_of(classes, ids=None, columns=None) -> list[Row]:
    return [
        Row(i + 1, ids[i] if ids else f"r{i}", label=name, columns=columns[i] if columns else {})
        for i, name in enumerate(classes)
    ]


def parted(rows, groups=None, source: Any = None, **changes) -> Splits:
    groups = np.array(groups if groups is not None else [r.number for r in rows], np.int64)
    options: dict[str, Any] = {
        "validation": None,
        "test": None,
        "validation_share": 0.2,
        "test_share": 0.3,
        "seed": 0,
    }
    return split(rows, groups, [r.label for r in rows], source, **{**options, **changes})


class Source:
    """A memory whose filters are sets of positions."""

    def __init__(self, rows, **named):
        self._rows, self._named = rows, named

    def rows(self, where):
        return [self._rows[i] for i in self._named[where]]


def sizes(splits: Splits) -> list[int]:
    return [len(getattr(splits, name)) for name in (*SPLIT_NAMES, "left_out")]


def test_drawn_parts_are_stratified():
    classes = ["a"] * 100 + ["b"] * 40 + ["c"] * 10
    rows = rows_of(classes)
    parts = parted(rows)
    assert sizes(parts) == [84, 21, 45, 0]
    for name, shares in (("test", (30, 12, 3)), ("validation", (14, 5.6, 1.4))):
        counts = Counter(classes[i] for i in getattr(parts, name))
        for label, share in zip("abc", shares, strict=True):
            assert counts[label] == pytest.approx(share, abs=1)
    every = np.concatenate([parts.train, parts.validation, parts.test])
    np.testing.assert_array_equal(np.sort(every), np.arange(150))
    assert parts.how == "test: 0.3 of the pictures, drawn; validation: 0.2 of the others, drawn"


def test_the_seed_decides():
    rows = rows_of(["a", "b"] * 30)
    one, again, other = (parted(rows, seed=s).test.tolist() for s in (0, 0, 1))
    assert one == again != other


def test_groups_stay_on_one_side():
    classes = ["a", "b"] * 60
    groups = np.arange(120) // 6  # six pictures each, of both classes
    parts = parted(rows_of(classes), groups)
    sides = [set(groups[getattr(parts, name)]) for name in SPLIT_NAMES]
    for i in range(3):
        for j in range(i):
            assert not sides[i] & sides[j]
    assert sum(map(len, sides)) == 20


def test_every_class_keeps_something_to_learn_from():
    classes = ["a"] * 40 + ["b"] * 2 + ["c"]
    parts = parted(rows_of(classes), test_share=0.5, validation_share=0.5)
    assert {classes[i] for i in parts.train} == {"a", "b", "c"}


def test_a_small_set_has_all_parts():
    parts = parted(rows_of(["a", "b", "a", "b"]))
    assert min(sizes(parts)[:3]) >= 1


def test_many_classes_of_two_still_give_a_test_part():
    classes = [f"c{i // 2}" for i in range(80)]
    parts = parted(rows_of(classes), test_share=0.2, validation_share=0.1)
    assert sizes(parts)[2] == 16
    assert len({classes[i] for i in parts.train}) == 40


def test_a_column_split_decides():
    names = ["train", "Test", "val", "training", "dev"] * 4
    rows = rows_of(["a", "b"] * 10, columns=[{"split": n} for n in names])
    parts = parted(rows)
    assert parts.test.tolist() == [i for i, n in enumerate(names) if n == "Test"]
    assert parts.validation.tolist() == [i for i, n in enumerate(names) if n in ("val", "dev")]
    assert parts.how == ("validation: as the column 'split' says; test: as the column 'split' says")


def test_a_column_with_only_a_test_part_has_validation_drawn():
    names = ["train"] * 15 + ["test"] * 5
    parts = parted(rows_of(["a", "b"] * 10, columns=[{"split": n} for n in names]))
    assert parts.test.tolist() == [15, 16, 17, 18, 19]
    assert len(parts.validation) == 3
    assert "validation: 0.2 of the others, drawn" in parts.how


def test_a_row_without_a_word_does_not_end_a_column_split():
    names = [""] + ["train"] * 11 + [" val "] * 4 + ["TEST"] * 4
    rows = rows_of(["a", "b"] * 10, columns=[{"split": n} if n else {} for n in names])
    parts = parted(rows)
    assert parts.test.tolist() == [16, 17, 18, 19]
    assert parts.validation.tolist() == [12, 13, 14, 15]
    assert 0 in parts.train
    assert parts.how.endswith("1 without a word in this column: for training")


@pytest.mark.parametrize("word", ["tset", "north", 3])
def test_an_unknown_word_in_a_column_split_is_refused_by_name(word):
    names = ["train"] * 14 + [word, word] + ["test"] * 4
    rows = rows_of(["a", "b"] * 10, columns=[{"split": n} for n in names])
    with pytest.raises(DataError, match=f"{word!r} in the row 'r14' .and 1 more such rows"):
        parted(rows)


def test_a_filter_names_one_part_and_the_column_the_other():
    names = ["train"] * 12 + ["test"] * 8
    rows = rows_of(["a", "b"] * 10, columns=[{"split": n} for n in names])
    parts = parted(rows, source=Source(rows, held=range(10, 14)), validation="held")
    assert parts.validation.tolist() == [10, 11, 12, 13]
    assert parts.test.tolist() == [14, 15, 16, 17, 18, 19]
    assert parts.how == "validation: held; test: as the column 'split' says"


@pytest.mark.parametrize("names", [["north", "south"] * 10, ["train"] * 20, ["north", None] * 10])
def test_a_column_split_of_something_else_is_not_followed(names):
    rows = rows_of(["a", "b"] * 10, columns=[{"split": n} if n else {} for n in names])
    assert "drawn" in parted(rows).how
    assert "column" not in parted(rows).how


def test_filters_name_parts():
    rows = rows_of(["a", "b"] * 10)
    source = Source(rows, **{"n > 15": range(16, 20), "n < 3": range(3)})
    parts = parted(rows, source=source, test="n > 15", validation="n < 3")
    assert parts.test.tolist() == [16, 17, 18, 19]
    assert parts.validation.tolist() == [0, 1, 2]
    assert parts.how == "validation: n < 3; test: n > 15"
    parts = parted(rows, source=source, test="n > 15")
    assert parts.test.tolist() == [16, 17, 18, 19]
    assert len(parts.validation) > 0


def test_a_filter_goes_before_the_column():
    rows = rows_of(["a", "b"] * 10, columns=[{"split": "train"}] * 10 + [{"split": "test"}] * 10)
    parts = parted(rows, source=Source(rows, first=range(2)), test="first")
    assert parts.test.tolist() == [0, 1]


def test_tables_of_their_own_are_parts():
    ids = [f"train/{i}" for i in range(12)] + [f"test/{i}" for i in range(4)]
    rows = rows_of(["a", "b"] * 8, ids=ids)
    parts = parted(rows, tables=("train", "test"))
    assert parts.test.tolist() == [12, 13, 14, 15]
    assert parts.how.startswith("test: a table of its own")
    assert "a table" not in parted(rows).how  # a memory's own ids may look like that, too
    assert len(parts.validation) > 0
    assert parts.how.startswith("test: a table of its own; validation: 0.2")


def test_near_duplicates_of_what_is_held_out_are_left_out():
    rows = rows_of(["a", "b"] * 10)
    groups = np.arange(20)
    groups[0] = groups[18]  # training and test
    groups[1] = groups[16]  # training and validation
    groups[17] = groups[19]  # validation and test
    source = Source(rows, v=[16, 17], t=[18, 19])
    parts = parted(rows, groups, source=source, validation="v", test="t")
    assert parts.left_out.tolist() == [0, 1, 17]
    assert parts.validation.tolist() == [16]
    assert parts.test.tolist() == [18, 19]
    held = np.concatenate([parts.validation, parts.test])
    assert not set(groups[parts.train]) & set(groups[held])
    assert LEFT_OUT not in groups


@pytest.mark.parametrize(
    ("count", "changes", "says"),
    [
        (20, {"test": "none"}, "'none' names no labelled picture for test"),
        (20, {"test": "all"}, "No one of 20 labelled pictures is left for training"),
        (20, {"validation_share": 0.0}, "left for validation. Label more, or give"),
        (1, {}, "No one of 1 labelled pictures is left for"),
        (2, {}, "is left for"),
    ],
)
def test_a_part_without_pictures_is_a_sentence(count, changes, says):
    rows = rows_of(["a", "b"] * 10)[:count]
    source = Source(rows, none=[], all=range(count))
    with pytest.raises(DataError, match=says):
        parted(rows, source=source, **changes)


def test_one_group_of_near_duplicates_cannot_be_parted():
    rows = [replace(r, label="a") for r in rows_of(["a"] * 9)]
    with pytest.raises(DataError, match="is left for"):
        parted(rows, [1] * 9)
