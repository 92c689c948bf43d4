"""The ground: nothing held out is evidence, and no example sees itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravl.errors import DataError
from ravl.memory import Memory
from ravl.models.vote import Vote
from ravl.tasks.fit import fit
from ravl.tasks.labels import votes as evidence
from ravl.tasks.labels.dataset import FitData, Split
from ravl.tasks.labels.fit import LabelRecipe
from ravl.tasks.labels.targets import LabelTargets
from ravl.training.engine import open_data
from ravl.training.evidence_bank import DEEPEST
from ravl.training.fit_settings import FitSettings
from tests.helpers import database_of
from tests.labelled import leak, random_picture, shades, table

NAMES = ("train", "validation", "test")


@contextmanager
def grounded(memory: Memory, work: Path, task: str = "classify", **options: Any) -> Iterator[Any]:
    """The ground of a fit, and notes."""
    sources = {n: options.pop(n) for n in ("data", "validation", "test") if n in options}
    work.mkdir(exist_ok=True)
    recipe = LabelRecipe(task, memory, FitSettings(**options))
    with open_data(recipe, work, progress=False, **sources) as found:
        yield found


@pytest.fixture
def leaky(empty, tmp_path) -> Memory:
    """Sixty motifs with labels drawn by chance, each twice."""
    empty.add(leak(tmp_path / "leak"))
    return empty  # type: ignore[no-any-return]


def vote_accuracy(data: FitData, side: Split) -> float:
    label_matrix = evidence.LabelMatrix.of(data.datastore, data.task, data.labels)
    votes = Vote(8, 0.02, cap=1.0)(side.neighbours, label_matrix.labels, label_matrix.worth)
    return float((votes[:, : len(data.labels)].argmax(1) == data.truth(side)).mean())


def check(data: FitData) -> None:
    """What holds of every ground, by the motifs in the columns of :func:`leak`."""
    held = [r for side in (data.validation, data.test) for r in side.examples.rows]
    shown = {row.columns["motif"] for row in data.datastore.rows}
    assert not shown & {row.columns["motif"] for row in held}
    for name in NAMES:
        side = getattr(data, name)
        for near in (side.neighbours, side.wide):
            for row, line in zip(side.examples.rows, near.positions, strict=True):
                seen = {data.datastore.rows[i].columns["motif"] for i in line if i >= 0}
                assert row.columns["motif"] not in seen
                assert seen


def test_a_memorys_held_out_pictures_are_no_evidence(leaky, tmp_path):
    with grounded(leaky, tmp_path / "w") as (data, _):
        check(data)
        assert len(data.datastore) == len(data.splits.train)  # only what is trained on is left
        for name in NAMES:
            assert vote_accuracy(data, getattr(data, name)) < 0.5


def test_without_knowing_of_near_duplicates_the_leak_shows(leaky, tmp_path):
    """So that these tests would see it: each picture's copy tells its label."""
    with database_of(leaky).transaction() as connection:
        connection.execute("UPDATE rows SET twin = NULL")
    with grounded(leaky, tmp_path / "w") as (data, _):
        for name in NAMES:
            assert vote_accuracy(data, getattr(data, name)) > 0.6
        with pytest.raises(AssertionError):
            check(data)


@pytest.mark.parametrize("remember", [True, False])
def test_a_tables_held_out_pictures_are_no_evidence_under_any_name(empty, tmp_path, remember):
    """The memory has a retouched copy of every picture of the table, with its label."""
    examples = leak(tmp_path / "leak")
    empty.add([e for e in examples if e.id.startswith("copy")])
    firsts = [e for e in examples if e.id.startswith("first")]
    file = table(tmp_path / "t.csv", firsts, motif=[e.columns["motif"] for e in firsts])
    with grounded(empty, tmp_path / "w", data=file, add_to_memory=remember) as (data, _):
        check(data)
        assert len(data.datastore) == len(data.splits.train) * (2 if remember else 1)
        for name in NAMES:
            assert vote_accuracy(data, getattr(data, name)) < 0.5
    assert len(empty) == 60 + (len(data.splits.train) if remember else 0)


def test_left_out_near_duplicates_are_neither_learned_nor_evidence(leaky, tmp_path):
    """The test split is named by a filter that takes one of each pair."""
    where = 'motif < 20 and id starts with "first"'
    with grounded(leaky, tmp_path / "w", test=where) as (data, notes):
        assert len(data.splits.left_out) == 20
        assert "20 pictures are left out of training, since they are near-duplicates" in notes[0]
        check(data)


@pytest.mark.parametrize("model", ["vote", "linear"])
def test_of_labels_drawn_by_chance_nothing_is_learned(leaky, tmp_path, model):
    report: Any = fit("classify", leaky, out=tmp_path / "run", progress=False, model=model)
    for row in ("vote", "with_retrieval"):
        assert report.metrics["rows"][row]["accuracy"]["value"] < 0.55
    with database_of(leaky).transaction() as connection:
        connection.execute("UPDATE rows SET twin = NULL")
    leaking: Any = fit("classify", leaky, out=tmp_path / "leaking", progress=False, model=model)
    assert leaking.metrics["rows"]["with_retrieval"]["accuracy"]["value"] > 0.6


def test_deep_enough_for_whatever_votes(empty, tmp_path):
    empty.add(leak(tmp_path / "leak", motifs=DEEPEST + 60, copies=False))
    with grounded(empty, tmp_path / "w") as (data, _):
        assert data.train.neighbours.positions.shape[1] == min(DEEPEST, len(data.datastore))
    with grounded(empty, tmp_path / "w", k=1000) as (data, _):
        assert data.train.neighbours.positions.shape[1] == len(data.datastore)


def test_rows_that_say_nothing_are_only_in_the_wide_neighbourhood(empty, tmp_path):
    some = shades(tmp_path / "pictures", 40)
    empty.add([replace(e, label=None) if i % 2 else e for i, e in enumerate(some)])
    with grounded(empty, tmp_path / "w") as (data, _):
        near = data.train.neighbours
        assert all(data.datastore.rows[i].label for i in near.positions[near.found])
        wide = data.train.wide
        assert not all(data.datastore.rows[i].label for i in wide.positions[wide.found])
        assert data.train.seen(True) is wide
        assert data.train.seen(False) is near
        check_targets(data)


def check_targets(data: FitData) -> None:
    for name in NAMES:
        side = getattr(data, name)
        own = [data.labels[i] for i in data.truth(side)]
        assert own == [row.label for row in side.examples.rows]


def test_truth_and_classes(empty, tmp_path):
    empty.add(shades(tmp_path / "pictures", 40))
    with grounded(empty, tmp_path / "w") as (data, _):
        check_targets(data)
        targets = np.eye(4)[data.truth(data.test)]
        np.testing.assert_array_equal(data.test.targets, targets)
        some = data.train.take(np.array([2, 0]))
        assert len(some) == 2
        assert some.examples.rows[0] == data.train.examples.rows[2]
        np.testing.assert_array_equal(
            some.neighbours.positions[1], data.train.neighbours.positions[0]
        )
    with grounded(empty, tmp_path / "w", "tag") as (data, _):
        assert data.labels == ["cold", "drawn", "warm"]
        assert data.truth(data.test).shape == (len(data.test), 3)


def test_a_label_that_training_does_not_know(empty, tmp_path):
    some = shades(tmp_path / "pictures", 40)
    empty.add([replace(e, label="novel") if i < 3 else e for i, e in enumerate(some)])
    with grounded(empty, tmp_path / "w", test="number < 8") as (data, _):
        assert "novel" not in data.labels
        assert (data.truth(data.test) == -1).sum() == 3


def test_balanced_weights_and_smoothing_reach_the_loss(empty, tmp_path):
    empty.add(shades(tmp_path / "pictures", 40))
    with grounded(empty, tmp_path / "w", class_weights="balanced", label_smoothing=0.1) as (g, _):
        assert g.loss.weights is not None
        assert g.loss.weights.shape == (4,)
        assert g.loss.smoothing == 0.1


# --- what cannot be fitted -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "changes", "options", "says"),
    [
        ("classify", {"label": "same"}, {}, r"All \d+ training pictures have the label 'same'"),
        ("classify", {"label": None}, {}, "No picture that could be read has a label"),
        ("tag", {"tags": ()}, {}, "No picture that could be read has a tag"),
        ("classify", {}, {"min_examples": 30}, r"have no label that at least 30 pictures have"),
        ("classify", {}, {"column": "none"}, "has a value in the column 'none'"),
        ("classify", {}, {"test": "number >= 0"}, "is left for training"),
        ("classify", {}, {"test": "number > 99"}, "names no labelled picture for test"),
    ],
)
def test_what_cannot_be_fitted_is_a_sentence(empty, tmp_path, task, changes, options, says):
    empty.add([replace(e, **changes) for e in shades(tmp_path / "pictures", 20)])
    with (
        pytest.raises(DataError, match=says),
        grounded(empty, tmp_path / "w", task, **options),
    ):
        pass


def test_an_empty_memory(empty, tmp_path):
    with (
        pytest.raises(DataError, match="No picture that could be read has a label"),
        grounded(empty, tmp_path / "w"),
    ):
        pass


def test_a_table_beside_an_empty_memory_that_shall_not_remember(empty, tmp_path):
    file = table(tmp_path / "t.csv", shades(tmp_path / "pictures", 20))
    with (
        pytest.raises(DataError, match="holds no picture. Bring some in first"),
        grounded(empty, tmp_path / "w", data=file, add_to_memory=False),
    ):
        pass


def test_a_memory_of_nothing_but_held_out_pictures(empty, tmp_path):
    from ravl.data import Example

    (tmp_path / "p.png").write_bytes(random_picture(1))
    empty.add([Example("p", tmp_path / "p.png", label="a")])
    examples = [*shades(tmp_path / "pictures", 20), Example("p", tmp_path / "p.png", label="red")]
    parts = [
        "test" if e.id == "p" else ("val" if i < 4 else "train") for i, e in enumerate(examples)
    ]
    file = table(tmp_path / "t.csv", examples, split=parts)
    with (
        pytest.raises(DataError, match="nothing is left as evidence"),
        grounded(empty, tmp_path / "w", data=file, add_to_memory=False),
    ):
        pass


def test_what_is_refused_leaves_the_memory_alone(empty, tmp_path):
    examples = [replace(e, label="same") for e in shades(tmp_path / "pictures", 20)]
    file = table(tmp_path / "t.csv", examples)
    with (
        pytest.raises(DataError, match="have the label 'same'"),
        grounded(empty, tmp_path / "w", data=file),
    ):
        pass
    assert len(empty) == 0


def test_tables_need_a_training_part(empty, tmp_path):
    file = table(tmp_path / "t.csv", shades(tmp_path / "pictures", 8))
    with (
        pytest.raises(DataError, match="test split is a table, but the training .* --data"),
        grounded(empty, tmp_path / "w", test=file),
    ):
        pass
    with (
        pytest.raises(DataError, match="There is no file .*gone.csv"),
        grounded(empty, tmp_path / "w", test=str(tmp_path / "gone.csv")),
    ):
        pass


def test_a_long_filter_is_no_file_name(empty, tmp_path):
    empty.add(shades(tmp_path / "pictures", 40))
    where = " or ".join(f"number = {i}" for i in range(30))
    assert len(where) > 256
    with grounded(empty, tmp_path / "w", test=where) as (data, _):
        assert len(data.test) >= 20


def test_the_task_is_told_apart_by_column(empty, tmp_path):
    empty.add(shades(tmp_path / "pictures", 40))
    column = LabelTargets("classify", "number")
    assert column.of(next(iter(empty))) == ("0",)
    with (  # each value occurs once
        pytest.raises(DataError, match="No one of 40 labelled pictures is left for validation"),
        grounded(empty, tmp_path / "w", column="number"),
    ):
        pass
