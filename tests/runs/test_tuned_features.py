"""A memory as a fine-tuned tower sees it: each picture is looked at once, and edits count."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ravl import kept_vectors as kept
from ravl.encoders.base import Array
from ravl.memory import Memory
from ravl.runs.tuned_features import TunedView, features_of_rows, name_of_tower
from tests.edits import Edits


class Bright:
    """A tower that sees how bright a picture is, and counts the pictures."""

    def __init__(self, width: int) -> None:
        self.width, self.looked = width, 0

    def prepare(self, picture: Image.Image) -> Array:
        return np.asarray(picture.convert("L").resize((4, 4)), np.float32)

    def features(self, prepared: Sequence[Array]) -> Array:
        self.looked += len(prepared)
        return np.stack([np.full(self.width, p.mean() + 1, np.float32) for p in prepared])


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAVL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(kept, "_known", {})


@pytest.fixture
def tower(empty: Memory) -> Bright:
    return Bright(empty.encoder.feature_dimension)


def test_after_any_edits_it_is_what_is_seen_anew(empty, tower, tmp_path):
    edits = Edits(empty, tmp_path / "drawn", 3)
    for _ in range(8):
        edits.add()
    followed = TunedView(empty, lambda: tower, "bright")
    followed.at(empty.live.view())
    for _ in edits.all(30):
        view = empty.live.view()
        found = followed.at(view)
        assert found.ids is view.ids or (found.ids == view.ids).all()
        rows = view.rows_at(np.arange(len(view)))
        anew = features_of_rows(empty, lambda: Bright(tower.width), "anew", rows, False)
        np.testing.assert_allclose(found.features[np.arange(len(view))], anew, rtol=1e-3)


def test_a_picture_is_looked_at_once(memory, tower, monkeypatch):
    monkeypatch.setattr(kept, "FEW", 0)
    tower.width = memory.encoder.feature_dimension
    view = memory.live.view()
    first = TunedView(memory, lambda: tower, "bright").at(view)
    assert tower.looked == len(view)
    monkeypatch.setattr(kept, "_known", {})  # another process

    def nobody() -> Bright:
        raise AssertionError("no picture is new")

    again = TunedView(memory, nobody, "bright").at(view)
    every = np.arange(len(view))
    np.testing.assert_array_equal(first.features[every], again.features[every])
    row = next(iter(memory.rows()))
    memory.update(row.id, label="another")
    assert len(TunedView(memory, nobody, "bright").at(memory.live.view())) == len(view)


def test_a_picture_that_has_gone_is_no_error_and_is_not_kept(memory, tower, monkeypatch):
    monkeypatch.setattr(kept, "FEW", 0)
    row = next(iter(memory.rows()))
    assert row.path is not None
    file = Path(row.path)
    content = file.read_bytes()
    file.unlink()
    view = memory.live.view()
    found = TunedView(memory, lambda: tower, "bright").at(view).features[np.arange(len(view))]
    assert (found == 0).all(1).sum() == 1
    file.write_bytes(content)
    found = TunedView(memory, lambda: tower, "bright").at(view).features[np.arange(len(view))]
    assert (found > 0).all()


def test_other_weights_have_another_name(tmp_path):
    (tmp_path / "weights").write_bytes(b"one")
    first = name_of_tower(tmp_path)
    (tmp_path / "weights").write_bytes(b"two")
    assert name_of_tower(tmp_path) != first
