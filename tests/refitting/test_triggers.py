"""What a refit waits for: drift is told by what the memory keeps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import ravl
from ravl.errors import DataError, QueryError
from ravl.memory import Memory
from ravl.refitting.triggers import has_drifted
from ravl.tasks.fit import fit
from ravl.tasks.model import Model
from tests.drift.test_tasks import noisy
from tests.labelled import shades
from tests.refitting.test_tasks import CASES, fitted

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
        "ravl.data.pictures.decode",
        "ravl.data.pictures.read_bytes",
        "ravl.memory.memory.Memory.picture_bytes",
        "tests.helpers.ColourEncoder.features",
        "tests.helpers.ColourEncoder.prepare",
    ):
        monkeypatch.setattr(place, refuse)


@pytest.mark.parametrize(("colours", "drifted"), [(("purple",), True), (EVERY, False)])
def test_no_picture_is_looked_at(
    shop: Memory,
    run: Path,
    tmp_path: Path,
    colours: Any,
    drifted: bool,
    request: pytest.FixtureRequest,
):
    since = came_in(shop, tmp_path / "new", colours, 32, 500)
    for file in (tmp_path / "new").iterdir():
        file.unlink()  # nor need it be there any more
    with Model(run, shop) as model:
        request.getfixturevalue("blind")
        assert has_drifted(model, since) is drifted


def test_few_pictures_are_no_drift(shop: Memory, run: Path, tmp_path: Path):
    since = came_in(shop, tmp_path / "new", ("purple",), 19, 500)
    with Model(run, shop) as model:
        assert not has_drifted(model, since)
        came_in(shop, tmp_path / "more", ("purple",), 1, 600)
        assert has_drifted(model, since)
        (run / "reference.json").unlink()
        with pytest.raises(DataError, match="--reference PICTURES"):
            has_drifted(model, since)


def test_a_memory_alone_knows_no_drift(shop: Memory):
    with Model(shop) as model, pytest.raises(QueryError, match="is a memory"):
        has_drifted(model, 0)


@pytest.mark.parametrize("name", ["match-vote", "caption-vote", "ask-vote"])
def test_what_came_in_is_asked_about_with_its_own_texts(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    with fitted(case, tmp_path) as (memory, run), Model(run, memory) as model:
        then = case.paints(tmp_path / "then", 60, first=1000)
        ravl.detect_drift(model, then, reference=then)
        since = memory.version
        memory.add(case.paints(tmp_path / "now", 30, first=2000))
        assert not has_drifted(model, since)
        since = memory.version
        memory.add(noisy(case.paints(tmp_path / "new", 30, first=3000)))
        assert has_drifted(model, since)
