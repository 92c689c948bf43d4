"""Runs of match, caption and ask: pictures of the same kind do not alarm, others do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ravl
from ravl.data import Example
from ravl.drift.page import drift_page
from ravl.errors import DataError
from ravl.memory import Memory
from ravl.runs.drift_reference import read_reference
from ravl.tasks.model import Model
from tests.refitting.test_tasks import CASES, fitted, parts
from tests.training.painted import Scrambled

NAMES = ("match-linear", "caption-vote", "ask-linear", "ask-open")
FREE = ("caption-vote", "ask-open")


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=[pytest.mark.slow] * (n == "ask-open")) for n in NAMES],
)
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path, Memory, Path]]:
    """A case, a folder, its memory, and its run."""
    folder = tmp_path_factory.mktemp("drift")
    with fitted(CASES[request.param], folder) as (memory, run):
        yield request.param, folder, memory, run


def noisy(examples: list[Example]) -> list[Example]:
    """The same, of which nothing is to be seen but noise."""
    random = np.random.default_rng(0)
    for example in examples:
        picture = Image.fromarray(random.integers(0, 255, (12, 16, 3), np.uint8))
        picture.resize((64, 48), Image.Resampling.NEAREST).save(str(example.picture))
    return examples


def test_a_fit_keeps_what_its_test_part_gave(made: tuple[str, Path, Memory, Path]) -> None:
    name, _, _, run = made
    known = read_reference(run).signals
    assert len(known) == len(parts(run)["test"]), "one question of each picture"
    assert (known.answers is None) == (name in FREE)
    assert ("disagreement" in known.numbers) == (name not in FREE)
    assert (
        np.median(known.numbers["similarity"]) > 0 and known.numbers["similarity"].max() < 0.99999
    )


def test_the_same_kind_does_not_alarm_and_others_do(
    made: tuple[str, Path, Memory, Path],
) -> None:
    name, folder, memory, run = made
    paints = CASES[name].paints
    with Model(run, memory) as model:
        then = paints(folder / "then", 60, first=4000)
        found = ravl.detect_drift(model, paints(folder / "now", 40, first=2000), reference=then)
        assert not found.drifted, found.to_json(0)
        assert len(found.then) == 60 and len(found.now) == 40 and not found.notes
        assert [each.name for each in found.signals][-1] == (
            "confidence" if name in FREE else "answers"
        )
        found = ravl.detect_drift(model, noisy(paints(folder / "new", 40, first=3000)))
        tested = {each.name: each for each in found.signals}
        assert tested["similarity"].drifted and tested["similarity"].effect < -0.5
        asked = found.to_json()["furthest"][0].get("asked")
        assert bool(asked) == (model.task != "caption")
        page = drift_page(found, memory, "drift")
        assert ("Mix of answers" in page) == (name not in FREE)
        assert asked is None or asked in page


def test_pictures_that_come_without_a_text(tmp_path: Path) -> None:
    case = CASES["match-linear"]
    with fitted(case, tmp_path, model="vote") as (memory, run), Model(run, memory) as model:
        examples = case.paints(tmp_path / "now", 24, first=2000)
        table = tmp_path / "now" / "table.csv"
        lines = [f"{e.picture.name},{text}" for e in examples for text in e.texts]  # type: ignore[union-attr]
        table.write_text("\n".join(["image,caption", *lines, "000.png,"]))
        noisy([replace(examples[0], picture=tmp_path / "now" / "000.png")])
        found = ravl.detect_drift(model, table, reference=examples)
        assert len(found.now) == 24, "one text of each picture"
        assert "match takes a text with each picture" in found.notes[0]
        with pytest.raises(DataError, match="columns image and caption"):
            ravl.detect_drift(model, tmp_path / "now")


def test_a_picture_of_the_memory_does_not_find_itself(tmp_path: Path) -> None:
    case = CASES["match-linear"]
    assert case.encoder is Scrambled
    with fitted(case, tmp_path, model="vote") as (memory, run), Model(run, memory) as model:
        known = case.paints(tmp_path / "pictures", 60)
        found = ravl.detect_drift(model, known, reference=known)
        for asked in found.furthest:
            assert asked.name not in [each.id for each in asked.answer.evidence]
