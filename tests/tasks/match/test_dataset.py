from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ravl.data import Example
from ravl.errors import DataError
from ravl.memory import Memory
from ravl.runs.row_texts import TextTargets, readable
from ravl.tasks.match import dataset as match_ground
from ravl.tasks.match.batches import CANDIDATES, PairBatches, TrainingExamples
from ravl.tasks.match.dataset import MatchFitData, check, prepare, sample_pairs
from ravl.tasks.match.levels import Unseen
from ravl.tasks.match.task import MatchTask
from ravl.training.dual_encoder.example_pairs import read_texts
from ravl.training.dual_encoder.pairs import pairs_of
from ravl.training.examples import read_labelled
from ravl.training.fit_settings import FitSettings
from ravl.training.neighbour_noise import EpochSampler, RetrievalNoise
from ravl.training.splits import split
from tests.helpers import ColourEncoder, draw, make_examples
from tests.training.painted import TEST, VALIDATION, paint

TASK = TextTargets()


def ground_of(memory: Memory, **settings: object) -> MatchFitData:
    examples = read_labelled(memory, memory, lambda row: readable(TASK, memory.encoder, row))
    parts = split(
        examples.rows,
        examples.groups,
        [""] * len(examples),
        memory,
        validation=VALIDATION,
        test=TEST,
        validation_share=0.2,
        test_share=0.2,
        seed=0,
    )
    check(TASK, memory.encoder, examples, parts)
    return prepare(memory, TASK, FitSettings(**settings), examples, parts)  # type: ignore[arg-type]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory.create(tmp_path / "painted.ravl", ColourEncoder()) as made:
        made.add(paint(tmp_path / "pictures", 40))
        yield made


def test_held_out_pairs_are_balanced_and_false_ones_are_false(memory: Memory) -> None:
    data = ground_of(memory)
    for side, part in ((data.validation, "validation"), (data.test, "test")):
        chosen = getattr(data.splits, part)
        assert side.targets.mean() == pytest.approx(0.5, abs=0.02)
        pairs, asked = data.pairs, side.asked
        own = {i: {pairs.texts[t] for t in pairs.which[pairs.owners == i]} for i in chosen}
        ids = {data.examples.rows[i].id: i for i in chosen}
        for row, text, true in zip(side.rows, asked.text, side.targets, strict=True):
            assert (asked.texts[text] in own[ids[row.id]]) == bool(true)
        true = side.targets == 1
        texts = np.bincount(asked.text[true]), np.bincount(asked.text[~true])
        np.testing.assert_array_equal(*texts)  # no text is more often false than true


def test_pairs_are_the_same_for_the_same_seed(memory: Memory) -> None:
    data = ground_of(memory)
    one, same, other = (
        sample_pairs(data.pairs, data.splits.test, seed, "test") for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one[1], same[1])
    assert (one[1] != other[1]).any()


def test_many_pairs_are_a_sample(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match_ground, "MOST", 10)
    assert len(ground_of(memory).test) == 10


def test_near_duplicates_get_no_text_of_each_other(tmp_path: Path) -> None:
    painted = paint(tmp_path / "pictures", 12)
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add(painted)
        examples = read_labelled(memory, memory, lambda row: readable(TASK, memory.encoder, row))
        pairs, _ = read_texts(TASK, memory.encoder, examples)
    pairs = replace(pairs, groups=pairs.groups // 4)  # as if they were near-duplicates
    picture, text, targets = sample_pairs(pairs, np.arange(12), 0, "test")
    theirs = {(g, t) for g, t in zip(pairs.groups[pairs.owners], pairs.which, strict=True)}
    for p, t, true in zip(picture, text, targets, strict=True):
        assert ((pairs.groups[p], t) in theirs) == bool(true)


def test_nothing_that_is_held_out_is_evidence(memory: Memory) -> None:
    data = ground_of(memory)
    held = {data.examples.rows[i].id for i in (*data.splits.validation, *data.splits.test)}
    assert held
    assert not held & {row.id for row in data.datastore.rows}


def batches(data: MatchFitData) -> PairBatches:
    """Without any disturbance: the nearest are read."""
    pairs, chosen = data.pairs, data.splits.train
    starts = np.searchsorted(pairs.owners[pairs_of(pairs, chosen)], chosen)
    texts = np.split(pairs.which[pairs_of(pairs, chosen)], starts[1:])
    seen = data.base.project(pairs.features[chosen])
    unseen = Unseen(np.zeros(len(chosen), np.int64), seen, np.stack([data.vectors] * 2))
    lesson = TrainingExamples(data, seen, texts, pairs.groups[chosen], unseen, [])
    order = EpochSampler(np.arange(len(chosen)), 0)
    return PairBatches(lesson, None, 4, RetrievalNoise(0, 0, pool=1), order, 0)


def said_by(data: MatchFitData, positions: np.ndarray) -> set[str]:
    return {t for p in positions.ravel() if p >= 0 for t in data.datastore.rows[p].texts}


def test_a_training_pair_does_not_find_its_own_text(tmp_path: Path) -> None:
    """A planted leak: a picture that is much like another and says the very same."""
    examples = paint(tmp_path / "pictures", 40)
    victim = examples[1]  # in training
    leak = tmp_path / "pictures" / "leak.png"
    draw(1, str(victim.label)).save(leak)
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add(
            [
                *examples,
                Example(id="leak", picture=leak, texts=victim.texts, columns={"part": "train"}),
            ]
        )
        data = ground_of(memory)
        drawn = batches(data)
        rows = [data.examples.rows[i].id for i in data.splits.train]
        chosen = np.array([rows.index(victim.id), *range(6)])
        datastore = [row.id for row in data.datastore.rows]
        assert datastore.index("leak") in data.neighbours.positions[chosen[0]]  # it would be found
        random = np.random.default_rng(0)
        texts, there = drawn.candidates(chosen, random)
        found = drawn.neighbours(chosen, texts, random)
        assert datastore.index("leak") not in found.positions[0]
        for line, its in zip(found.positions, texts, strict=True):
            assert not said_by(data, line) & {data.pairs.texts[t] for t in its}
        open_door = replace(data, text_owners=[np.zeros(0, np.int64)] * len(data.text_owners))
        found = batches(open_door).neighbours(chosen, texts, random)
        assert said_by(data, found.positions[0]) & set(victim.texts)  # the test would see it


def test_a_training_picture_does_not_find_itself(memory: Memory) -> None:
    data = ground_of(memory)
    drawn = batches(data)
    chosen = np.arange(len(data.splits.train))
    texts, _ = drawn.candidates(chosen, np.random.default_rng(0))
    found = drawn.neighbours(chosen, texts, np.random.default_rng(0))
    for i, line in zip(data.splits.train, found.positions, strict=True):
        assert data.examples.rows[i].id not in {data.datastore.rows[p].id for p in line if p >= 0}


def test_wrong_texts_in_training_are_other_pictures(memory: Memory) -> None:
    data = ground_of(memory)
    drawn = batches(data)
    chosen = np.arange(len(data.splits.train))
    texts, there = drawn.candidates(chosen, np.random.default_rng(0))
    assert texts.shape == there.shape == (len(chosen), CANDIDATES)
    assert there.all()
    for picture, line in zip(data.splits.train, texts, strict=True):
        own = set(data.pairs.which[data.pairs.owners == picture].tolist())
        assert [int(t) in own for t in line] == [True] + [False] * (CANDIDATES - 1)
    drawn._lesson.unseen.fold[::2] = 1  # of another fold: seen by the encoder that scores it
    texts, there = drawn.candidates(chosen, np.random.default_rng(0))
    fold = drawn._lesson.unseen.fold
    for i, line in enumerate(texts):
        for text in line[there[i]]:
            theirs = data.pairs.owners[data.pairs.which == text]
            assert fold[np.searchsorted(data.splits.train, theirs)] == fold[i]
    _, there = drawn.candidates(chosen[:1], np.random.default_rng(0))
    assert there.tolist() == [[True, False, False]]  # a batch of one has no other text


# --- what cannot be fitted -----------------------------------------------------------------


def refused(tmp_path: Path, examples: list[Example], **how: object) -> str:
    with (
        Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory,
        pytest.raises(DataError) as caught,
    ):
        memory.add(examples)
        MatchTask().fit(memory, tmp_path / "run", FitSettings(model="vote", **how))  # type: ignore[arg-type]
    return str(caught.value)


def test_a_memory_without_texts(tmp_path: Path) -> None:
    examples = [replace(e, texts=()) for e in make_examples(tmp_path / "p")]
    message = refused(tmp_path, examples)
    assert "0 pictures in" in message
    assert "--data" in message and "caption" in message


def test_a_column_that_nobody_has(tmp_path: Path) -> None:
    assert "in the column 'title'" in refused(
        tmp_path, make_examples(tmp_path / "p"), column="title"
    )


def test_too_few_pictures(tmp_path: Path) -> None:
    message = refused(tmp_path, make_examples(tmp_path / "p", 7))
    assert "7 pictures" in message and "at least 8" in message


def test_pictures_that_all_say_the_same(tmp_path: Path) -> None:
    examples = [replace(e, texts=("a picture",)) for e in make_examples(tmp_path / "p")]
    message = refused(tmp_path, examples)
    assert "training pictures have one text, 'a picture'" in message
    assert not (tmp_path / "run").exists()


def test_a_part_whose_pictures_all_say_the_same(tmp_path: Path) -> None:
    examples = [
        replace(e, texts=("a picture",)) if e.columns["part"] == "test" else e
        for e in paint(tmp_path / "p", 20)
    ]
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add(examples)
        with pytest.raises(DataError, match="8 pictures of the test split have the same texts"):
            ground_of(memory)


def test_a_part_of_one_picture(tmp_path: Path) -> None:
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add(make_examples(tmp_path / "p"))
        with pytest.raises(DataError, match="it takes two for a false pair"):
            MatchTask().fit(memory, tmp_path / "run", FitSettings(model="vote"), test="price = 3")


def test_eight_pictures_are_enough(tmp_path: Path) -> None:
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        memory.add(make_examples(tmp_path / "p", 8))
        report = MatchTask().fit(
            memory, tmp_path / "run", FitSettings(model="vote"), progress=False
        )
    assert report.chosen == "vote"
    assert {"zero_shot", "vote", "with_retrieval"} == set(report.metrics["rows"])
