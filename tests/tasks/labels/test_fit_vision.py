"""A fit with a fine-tuned vision tower, from the fit to the loaded run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ravl
from ravl.encoders import load_encoder
from ravl.memory import Memory
from ravl.runs.run import VISION
from ravl.tasks.model import Model
from ravl.training.vision.tune import VisionResult
from tests.encoders.tiny import tiny_clip
from tests.forgetting.known import unknown_files
from tests.labelled import shades


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A memory of 48 shades, seen by a tiny CLIP."""
    folder = tmp_path_factory.mktemp("clip")
    tiny_clip(folder / "model")
    with Memory.create(folder / "shop.ravl", load_encoder(f"hf:{folder / 'model'}")) as memory:
        memory.add(shades(folder / "pictures"))
        yield memory


def fitted(shop: Memory, out: Path) -> Any:
    return ravl.fit(
        "classify",
        shop,
        out=out,
        model="linear",
        tune_vision="top:1",
        vision_epochs=1,
        progress=False,
    )


def test_a_better_tower_is_kept_and_loaded_again(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(VisionResult, "score", 2.0)  # whatever it learned
    report = fitted(shop, tmp_path / "run")
    assert (tmp_path / "run" / VISION / "vision.safetensors").exists()
    assert not unknown_files(tmp_path / "run")
    assert "vision" in report.metrics["fit_seconds"]
    rows = list(shop.rows())[:6]
    with Model(tmp_path / "run", shop) as model:
        assert model.predictor.has_tower
        seen = model.predictor.look([row.path for row in rows])
        assert not np.allclose(seen.tuned, seen.features, atol=1e-4)
        tuned = model.classify([row.path for row in rows])
        assert [a.label for a in tuned] == [a.label for a in model.classify([r.path for r in rows])]
        # The head looks at the tuned features: given the frozen ones it says something else.
        head = model.predictor.label_predictor.head
        assert not np.allclose(head(seen.tuned), head(seen.features), atol=1e-3)
    found = ravl.evaluate(tmp_path / "run", "id contains '0'", memory=shop)
    assert found["pictures"] > 0
    assert 0 <= found["rows"]["no_retrieval"]["accuracy"]["value"] <= 1


def test_the_memory_is_compared_as_the_tower_sees_it(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(VisionResult, "score", 2.0)  # whatever it learned
    fitted(shop, tmp_path / "run")
    new = shades(tmp_path / "new", 1, first=60)[0]
    picture = tmp_path / "new" / new.id
    with Model(tmp_path / "run", shop) as model:
        predictor = model.predictor.label_predictor
        assert predictor.tuned_keys
        before = model.classify(picture)
        shop.add([new])
        try:
            after = model.classify(picture)
        finally:
            shop.delete(new.id)
        row = next(iter(shop.rows()))
        seen = model.predictor.look([row.path])
        view = model.predictor._rows.view()
        (place,) = np.flatnonzero(view.ids == row.number)
        held = view.features[np.array([place])]
        assert np.abs(held - seen.tuned).mean() < np.abs(held - seen.features).mean() / 2
    assert new.id not in {e.id for e in before.evidence}
    (evidence,) = [e for e in after.evidence if e.id == new.id]
    assert evidence.similarity == pytest.approx(1, abs=1e-3)


def test_a_tower_that_is_no_better_is_left_out(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(VisionResult, "score", -1.0)
    report = fitted(shop, tmp_path / "run")
    assert not (tmp_path / "run" / VISION).exists()
    assert any("no better on validation" in note for note in report.notes)
    saved = json.loads((tmp_path / "run" / "metrics.json").read_text("utf-8"))
    assert len(saved["curves"]["vision"]) == 2  # before, and after its epoch
