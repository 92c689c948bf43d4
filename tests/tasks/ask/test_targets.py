"""Entries as examples of a task: features, targets, keys, and vectors that are read once."""

from __future__ import annotations

import numpy as np
import pytest

from ravl.data import QA, Example
from ravl.memory import Row
from ravl.models.vote import Vote
from ravl.retrieval.datastore import Datastore
from ravl.retrieval.key_projection import KeyProjection
from ravl.tasks.ask.entries import entries_of
from ravl.tasks.ask.keys import AskKeys
from ravl.tasks.ask.targets import WORDS, AnswerTargets, ask_task
from ravl.tasks.ask.vectors import kept_vectors
from ravl.tasks.ask.words import COLUMNS
from ravl.tasks.labels.predictor import LabelPredictor
from ravl.tasks.labels.targets import LabelTargets
from ravl.tasks.labels.votes import LabelMatrix
from tests.helpers import ColourEncoder
from tests.tasks.ask.asked import asked

PEOPLE = QA("how many?", ("2", "two", "three"))


def test_only_answered_questions_are_entries():
    row = Row(1, "a", qa=(PEOPLE, QA("what?", ()), QA("  ", ("x",)), QA("why?", (" ",))))
    entries, owners = entries_of([Row(2, "b"), row])
    assert [e.texts for e in entries] == [("how many?",)]
    assert owners.tolist() == [1]


def test_several_peoples_answers_are_soft_targets():
    task = AnswerTargets("ask", width=48)
    entries, _ = entries_of([Row(1, "a", qa=(PEOPLE, QA("what?", ("cat",))))])
    assert task.of(entries[0]) == ("2", "3")
    np.testing.assert_allclose(
        task.table(entries, ["2", "3"]), np.array([[2 / 3, 1 / 3], [0, 0]]), atol=1e-6
    )
    assert task.truth(entries, ["3", "2"]).tolist() == [1, -1]
    tie, _ = entries_of([Row(1, "a", qa=(QA("how many?", ("8", "7")),))])
    assert task.truth(tie, ["7", "8"]).tolist() == [1]  # the first is the best


def test_linear_features_of_picture_and_question(empty, tmp_path):
    empty.add(asked(tmp_path / "pictures", 16))
    task = ask_task(empty)
    datastore = task.datastore(empty)
    found = task.standard(datastore.features)(datastore.features)
    spread = found.std(0) * np.sqrt(48)
    np.testing.assert_allclose(spread[:48], 1, atol=1e-3)
    np.testing.assert_allclose(spread[48:96], 2, atol=1e-2)
    words = datastore.features[:, 96:]
    assert words.shape == (32, COLUMNS)
    np.testing.assert_allclose(found[:, 96:], WORDS * (words - words.mean(0)), atol=1e-5)
    questions = task.blind().standard(datastore.features[:, 48:])
    assert questions(datastore.features[:, 48:]).shape == (32, 48 + COLUMNS)
    texts, has = task.text_vectors(datastore)
    np.testing.assert_allclose(texts, datastore.features[:, 48:96])
    assert has.all()


def test_keys_as_arrays(empty, tmp_path):
    empty.add(asked(tmp_path / "pictures", 8))
    datastore = ask_task(empty).datastore(empty)
    keys = ask_task(empty).keys(datastore.features)
    again = AskKeys.from_arrays(keys.arrays())
    with pytest.raises(ValueError, match="512 columns of words, not 0"):
        AnswerTargets("ask", width=48).keys_of(keys.arrays())
    assert again.weight == pytest.approx(keys.weight)
    np.testing.assert_allclose(again(datastore.features), keys(datastore.features), atol=1e-6)


def test_targets_as_json():
    ask = AnswerTargets("ask", width=48)
    record = {"task": "ask", "column": None, "generated": False, "width": 48}
    assert ask.to_json() == {**record, "words": 0}
    assert AnswerTargets.from_json({**record, "level": "vote"}) == ask  # a run of before
    worded = AnswerTargets("ask", width=48, words=512)
    assert AnswerTargets.from_json(worded.to_json()) == worded
    for odd in (-1, 10**9):
        with pytest.raises(ValueError, match="columns of words"):
            AnswerTargets.from_json({**record, "words": odd})
    tag = LabelTargets("tag", "keywords", generated=True)
    assert LabelTargets.from_json(tag.to_json()) == tag


def test_texts_are_read_once_and_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("RAVL_CACHE", str(tmp_path))
    encoder = ColourEncoder(turn=7)  # whose vectors no other test has kept
    assert kept_vectors(encoder, []).shape == (0, 48)
    texts = [f"red number {i}" for i in range(100)]
    first = kept_vectors(encoder, texts)
    assert encoder.read >= 100
    count = encoder.read
    np.testing.assert_array_equal(kept_vectors(encoder, texts[:50]), first[:50])
    assert encoder.read == count
    np.testing.assert_allclose(first, encoder.embed_texts(texts), atol=1e-3)
    from ravl import kept_vectors as kept

    monkeypatch.setattr(kept, "_known", {})  # another process
    fresh = ColourEncoder(turn=7)
    np.testing.assert_array_equal(kept_vectors(fresh, texts), first)
    assert fresh.read <= 1  # the fingerprint's probe
    monkeypatch.setattr(kept, "_known", {})
    file = next(tmp_path.glob("questions/*.npz"))
    file.write_bytes(b"broken")
    np.testing.assert_array_equal(kept_vectors(ColourEncoder(turn=7), texts), first)
    with np.load(file) as arrays:
        others = {**arrays, "vectors": -arrays["vectors"]}
    np.savez(file, **others)
    monkeypatch.setattr(kept, "_known", {})
    np.testing.assert_array_equal(kept_vectors(ColourEncoder(turn=7), texts), first)


def test_texts_of_rows_without_a_picture_are_no_entries(empty, tmp_path):
    empty.add(asked(tmp_path / "pictures", 4))
    empty.add([Example("text", texts=("a long text",), qa=(PEOPLE,))])
    assert len(ask_task(empty).datastore(empty)) == 8


@pytest.mark.parametrize(("name", "share"), [("classify", 0.5), ("ask", 0.8)])
def test_rare_answers_that_only_the_memory_knows_count_no_more(name, share):
    """Four of five neighbours say a label with 64 rows, one says a new one with 4."""
    task: LabelTargets = AnswerTargets(width=1) if name == "ask" else LabelTargets(name)
    names = ["known", "new"]
    predictor = LabelPredictor.of_vote(
        task, names, KeyProjection.of(np.eye(2, dtype=np.float32)), Vote(5, 0.1)
    )
    counts = np.array([64, 4], np.float32)
    table = np.array([[1, 0]] * 4 + [[0, 1]], np.float32)
    nothing = np.zeros((5, 1), np.float32)
    rows = Datastore([], nothing, np.zeros(5, np.int64), nothing)
    matrix = LabelMatrix(rows, names, 1, table, np.ones(5, np.float32), counts)
    matrix.__dict__["counts"] = counts
    fair = predictor._fair(np.array([[0.8, 0.2]], np.float32), matrix)
    assert fair[0, 0] == pytest.approx(share, abs=1e-5)
