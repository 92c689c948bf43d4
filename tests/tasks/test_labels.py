from __future__ import annotations

import numpy as np
import pytest

from ravl.memory import Row
from ravl.tasks.labels.task import LabelTask


def row(**fields) -> Row:
    return Row(1, "x", **fields)


CASES = [
    (LabelTask("classify"), row(label="red", tags=("a",)), ("red",)),
    (LabelTask("classify"), row(tags=("a",)), ()),
    (LabelTask("classify"), row(label=""), ()),
    (LabelTask("tag"), row(label="red", tags=("a", "b")), ("a", "b")),
    (LabelTask("tag"), row(label="red"), ()),
    (LabelTask("classify", "shop"), row(label="red", columns={"shop": "north"}), ("north",)),
    (LabelTask("classify", "year"), row(columns={"year": 1999}), ("1999",)),
    (LabelTask("classify", "year"), row(columns={"year": 0}), ("0",)),
    (LabelTask("classify", "shop"), row(label="red"), ()),
    (LabelTask("classify", "shop"), row(columns={"shop": ""}), ()),
    (LabelTask("tag", "words"), row(columns={"words": "new; sale"}), ("new", "sale")),
]


@pytest.mark.parametrize(("task", "said", "names"), CASES)
def test_what_a_row_says(task, said, names):
    assert task.of(said) == names


def test_kinds():
    assert LabelTask("classify").exclusive
    assert not LabelTask("tag").exclusive
    assert [LabelTask("classify").noun, LabelTask("tag").noun] == ["label", "tag"]


def test_names_and_how_many_say_them():
    rows = [row(tags=("b", "a")), row(tags=("b",)), row(tags=("c", "c"))]
    assert LabelTask("tag").names(rows) == ["a", "b", "c"]
    assert LabelTask("tag").names(rows, fewest=2) == ["b"]  # twice in one row is once


def test_the_table_of_what_rows_say():
    rows = [row(tags=("b", "a")), row(), row(tags=("b", "other"))]
    table = LabelTask("tag").table(rows, ["a", "b"])
    np.testing.assert_array_equal(table, [[1, 1], [0, 0], [0, 1]])
    assert table.dtype == np.float32
