from __future__ import annotations

import numpy as np
import pytest

from ravl.memory import Row
from ravl.tasks.labels.targets import LabelTargets


def row(**fields) -> Row:
    return Row(1, "x", **fields)


CASES = [
    (LabelTargets("classify"), row(label="red", tags=("a",)), ("red",)),
    (LabelTargets("classify"), row(tags=("a",)), ()),
    (LabelTargets("classify"), row(label=""), ()),
    (LabelTargets("tag"), row(label="red", tags=("a", "b")), ("a", "b")),
    (LabelTargets("tag"), row(label="red"), ()),
    (LabelTargets("classify", "shop"), row(label="red", columns={"shop": "north"}), ("north",)),
    (LabelTargets("classify", "year"), row(columns={"year": 1999}), ("1999",)),
    (LabelTargets("classify", "year"), row(columns={"year": 0}), ("0",)),
    (LabelTargets("classify", "shop"), row(label="red"), ()),
    (LabelTargets("classify", "shop"), row(columns={"shop": ""}), ()),
    (LabelTargets("tag", "words"), row(columns={"words": "new; sale"}), ("new", "sale")),
]


@pytest.mark.parametrize(("task", "said", "names"), CASES)
def test_what_a_row_says(task, said, names):
    assert task.of(said) == names


def test_kinds():
    assert LabelTargets("classify").exclusive
    assert not LabelTargets("tag").exclusive
    assert [LabelTargets("classify").noun, LabelTargets("tag").noun] == ["label", "tag"]


def test_names_and_how_many_say_them():
    rows = [row(tags=("b", "a")), row(tags=("b",)), row(tags=("c", "c"))]
    assert LabelTargets("tag").names(rows) == ["a", "b", "c"]
    assert LabelTargets("tag").names(rows, fewest=2) == ["b"]  # twice in one row is once


def test_the_table_of_what_rows_say():
    rows = [row(tags=("b", "a")), row(), row(tags=("b", "other"))]
    table = LabelTargets("tag").table(rows, ["a", "b"])
    np.testing.assert_array_equal(table, [[1, 1], [0, 0], [0, 1]])
    assert table.dtype == np.float32
