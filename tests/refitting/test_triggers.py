"""What a refit waits for: drift is told by what the memory keeps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravl.drift.comparing import look
from ravl.drift.signals import Signals
from ravl.errors import DataError, QueryError
from ravl.memory import Memory
from ravl.refitting.triggers import has_drifted
from ravl.tasks.known_rows import answers_to_rows
from ravl.tasks.label_model import LabelModel
from ravl.tasks.model import Model
from ravl.training import fit
from tests.labelled import shades

EVERY = ("red", "green", "blue", "yellow")


@pytest.fixture
def run(shop: Memory, tmp_path: Path) -> Path:
    """A linear run with half of the shop as its reference."""
    fit("classify", shop, out=tmp_path / "run", model="linear", test_share=0.5, progress=False)
    return tmp_path / "run"


def came_in(shop: Memory, folder: Path, colours: Sequence[str], count: int, first: int) -> int:
    """Unlabelled pictures come in; gives the version before."""
    since = shop.version
    shop.add([type(e)(e.id, e.picture) for e in shades(folder, count, colours, first)])
    return since


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on no picture can be read, decoded or encoded."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a picture was looked at")

    for place in (
        "ravl.data.pictures.decode", "ravl.data.pictures.read_bytes",
        "ravl.memory.memory.Memory.picture_bytes", "tests.helpers.ColourEncoder.features",
        "tests.helpers.ColourEncoder.prepare",
    ):  # fmt: skip
        monkeypatch.setattr(place, refuse)


@pytest.mark.parametrize(("colours", "drifted"), [(("purple",), True), (EVERY, False)])
def test_no_picture_is_looked_at(
    shop: Memory, run: Path, tmp_path: Path, colours: Any, drifted: bool,
    request: pytest.FixtureRequest,
):  # fmt: skip
    since = came_in(shop, tmp_path / "new", colours, 32, 500)
    for file in (tmp_path / "new").iterdir():
        file.unlink()  # nor need it be there any more
    with Model(run, shop) as model:
        request.getfixturevalue("blind")
        assert has_drifted(model, since) is drifted


def test_it_tells_what_the_pictures_would(shop: Memory, run: Path, tmp_path: Path):
    came_in(shop, tmp_path / "new", EVERY, 32, 500)
    with Model(run, shop) as model:
        labels: Any = model.predictor
        assert isinstance(labels, LabelModel)
        bank = labels.labeller.task.bank(shop, labels.labeller.keys)
        kept = Signals.of(answers_to_rows(labels, bank, np.arange(48, 80)))
        files = [bank.rows[i].path for i in range(48, 80)]
        looked = Signals.of(look(labels, files, progress=False).answers)
    assert kept.answers == looked.answers
    for name, values in looked.numbers.items():
        assert np.allclose(kept.numbers[name], values, atol=2e-3), name


def test_few_pictures_are_no_drift(shop: Memory, run: Path, tmp_path: Path):
    since = came_in(shop, tmp_path / "new", ("purple",), 19, 500)
    with Model(run, shop) as model:
        assert not has_drifted(model, since)
        came_in(shop, tmp_path / "more", ("purple",), 1, 600)
        assert has_drifted(model, since)
        (run / "reference.json").unlink()
        with pytest.raises(DataError, match="--reference PICTURES"):
            has_drifted(model, since)


def test_other_tasks_know_no_drift(shop: Memory):
    with Model(shop) as model, pytest.raises(QueryError, match="is a memory"):
        has_drifted(model, 0)
