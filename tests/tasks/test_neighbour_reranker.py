from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ravl.errors import DataError
from ravl.memory import Memory
from ravl.retrieval.datastore import Datastore, Neighbours, read_datastore
from ravl.runs.run import Run, open_run
from ravl.tasks.neighbour_reranker import NeighbourReranker
from tests.helpers import ColourEncoder
from tests.training.painted_texts import strips, strips_memory


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = strips_memory(tmp_path_factory.mktemp("strips"), 40)
    with Memory.open(folder / "strips.ravl", ColourEncoder()) as memory:
        copy = strips(folder / "pictures", 40)[1]
        memory.add([replace(copy, id="copy.png", texts=("blue above, a copy",))])
    return folder


@pytest.fixture
def memory(made: Path) -> Iterator[Memory]:
    with Memory.open(made / "strips.ravl", ColourEncoder()) as opened:
        yield opened


@pytest.fixture
def look(made: Path, memory: Memory) -> NeighbourReranker:
    return NeighbourReranker.open(made / "match", memory, 1.0)


@pytest.fixture
def datastore(memory: Memory) -> Datastore:
    return read_datastore(memory)


def test_neighbours_whose_texts_fit_come_first(
    look: NeighbourReranker, datastore: Datastore
) -> None:
    queries = np.flatnonzero([bool(row.texts) for row in datastore.rows])
    own = [datastore.groups[[i]] for i in queries]
    near = datastore.neighbours(datastore.keys[queries], 30, own)
    row_texts = look.row_texts(datastore)
    labels = np.array([row.label for row in datastore.rows])

    def right(found: Neighbours) -> float:
        return float((labels[found.positions[:, :5]] == labels[queries][:, None]).mean())

    again = look(datastore.features[queries], row_texts, near, own)
    assert right(again) > right(near) + 0.05
    same = [set(line) for line in again.positions]
    assert same == [set(line) for line in near.positions]


def test_a_picture_and_its_copies_say_nothing_about_it(
    look: NeighbourReranker, datastore: Datastore
) -> None:
    """Hidden rows are as good as gone."""
    i = next(i for i, row in enumerate(datastore.rows) if row.id == "001.png")
    own = datastore.groups[[i]]
    gone = datastore.groups == own[0]
    assert gone.sum() == 2  # the copy has the same group
    near = datastore.neighbours(datastore.keys[[i]], 20, [own])
    assert not gone[near.positions].any()
    hidden, _ = look.logit(datastore.features[[i]], look.row_texts(datastore), near, [own])
    rest = datastore.only(~gone)
    there = replace(near, positions=np.searchsorted(np.flatnonzero(~gone), near.positions))
    without, _ = look.logit(datastore.features[[i]], look.row_texts(rest), there)
    np.testing.assert_allclose(hidden, without, rtol=1e-4, atol=1e-4)
    seen, _ = look.logit(datastore.features[[i]], look.row_texts(datastore), near)
    assert np.abs(seen - hidden).max() > 1e-2


def test_a_row_without_text_is_not_asked_about(
    look: NeighbourReranker, datastore: Datastore
) -> None:
    row_texts = look.row_texts(datastore)
    silent = next(i for i, row in enumerate(datastore.rows) if not row.texts)
    near = Neighbours(np.array([[silent, 1, -1]]), np.array([[0.9, 0.8, 0]], np.float32))
    logit, known = look.logit(datastore.features[:1], row_texts, near)
    assert known.tolist() == [[False, True, False]]
    assert (logit != 0).tolist() == known.tolist()
    nobody = near.first(1)
    assert not look.logit(datastore.features[:1], row_texts, nobody)[1].any()
    assert look(datastore.features[:1], row_texts, nobody).positions.tolist() == [[silent]]


def test_a_run_finds_its_match_run_again(made: Path, memory: Memory, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(made / "match", tmp_path / "match"))
    run = tmp_path / "run"
    known = NeighbourReranker.open(moved, memory, 0.5).describe(run)
    assert known["relative"] == "../match"
    record = {"task": "classify", "rerank": {**known, "path": "/nowhere"}}
    found = NeighbourReranker.of_run(Run(run, record), memory)
    assert found is not None
    assert found.weight == 0.5
    assert NeighbourReranker.of_run(Run(run, {"task": "tag"}), memory) is None
    shutil.rmtree(moved)
    with pytest.raises(DataError, match="Bring it back, or fit again with ravl fit classify"):
        NeighbourReranker.of_run(Run(run, record), memory)


def test_another_tasks_run_is_refused(made: Path, memory: Memory, tmp_path: Path) -> None:
    other = Path(shutil.copytree(made / "match", tmp_path / "tags"))
    file = other / "run.json"
    file.write_text(file.read_text().replace('"task": "match"', '"task": "tag"'))
    assert open_run(other).task == "tag"
    with pytest.raises(DataError, match="was fitted for tag, but neighbours"):
        NeighbourReranker.open(other, memory)
