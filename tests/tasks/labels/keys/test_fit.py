"""fit --train-retriever: both variants, what is kept, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravl.errors import DataError
from ravl.memory import Memory
from ravl.retrieval.key_projection import KeyProjection
from ravl.runs.run import open_run
from ravl.tasks.fit import fit
from ravl.tasks.labels.keys import data as learned_keys_ground
from ravl.tasks.model import load
from ravl.training.fit_settings import FitSettings
from tests.helpers import ColourEncoder
from tests.labelled import shades
from tests.training.painted_labels import FUSION


@pytest.fixture
def shop(empty, tmp_path) -> Memory:
    empty.add(shades(tmp_path / "pictures"))
    return empty  # type: ignore[no-any-return]


def trained(memory: Memory, out: Path, task: str = "classify", **options: Any) -> Any:
    options = {"model": "linear", **options}
    return fit(task, memory, out=out, progress=False, train_retriever=True, **options)


def decide(monkeypatch: pytest.MonkeyPatch, adopted: bool) -> None:
    """Epochs are better on the validation split, and so is the fit, or not."""
    values = iter(np.linspace(1, 0, 100))
    monkeypatch.setattr(learned_keys_ground, "held_surprise", lambda *_: float(next(values)))
    from ravl.tasks.labels.keys import fit as learned_keys_fit

    variant = learned_keys_fit.variant

    def spied(data, fitted):
        found = variant(data, fitted)
        object.__setattr__(found, "score", float(data.trained_keys == adopted))
        return found

    monkeypatch.setattr(learned_keys_fit, "variant", spied)


def keys_of(run: Path) -> KeyProjection:
    return KeyProjection.from_arrays(open_run(run).arrays()["keys"])


@pytest.mark.parametrize(
    ("task", "options"),
    [("classify", {}), ("tag", {}), ("classify", {"model": "vote"})],
)
def test_learned_keys_are_kept_and_answer(shop, tmp_path, monkeypatch, task, options):
    decide(monkeypatch, True)
    report = trained(shop, tmp_path / "run", task, **options)
    found = json.loads((tmp_path / "run/metrics.json").read_text())["retriever"]
    assert found["adopted"] is True
    assert found["distilled"] is False
    assert found["epochs"] > 0
    assert set(found["seconds"]) == {"keys", "levels"}
    assert "trained with the task" in report.notes[-1]
    for row in ("vote", "with_retrieval"):  # the run's own rows are those of the learned keys
        assert found["rows"][f"{row}_learned"] == report.metrics["rows"][row]
    primary = "accuracy" if task == "classify" else "mAP"
    for row in ("vote", "with_retrieval"):
        a, b = (found["rows"][f"{row}_{kind}"][primary]["value"] for kind in ("learned", "frozen"))
        difference = found["differences"][f"{row}_learned - {row}_frozen"][primary]
        assert difference["value"] == pytest.approx(a - b, abs=1e-5)
    page = (tmp_path / "run/report.html").read_text("utf-8")
    assert "Retriever frozen and trained" in page
    keys = keys_of(tmp_path / "run")
    assert np.abs(keys.directions - np.eye(len(keys.directions))).max() > 1e-4
    model = load(tmp_path / "run", shop)
    answer = model.predictor.predict([shop.picture_bytes("red_000.png")])[0]
    np.testing.assert_array_equal(model.predictor.label_predictor.keys.directions, keys.directions)
    assert answer.evidence[0].row.label == "red"


def test_frozen_keys_are_kept_where_learned_ones_are_no_better(shop, tmp_path, monkeypatch):
    monkeypatch.setattr("ravl.tasks.labels.choose.whitened_data", lambda data: None)
    decide(monkeypatch, False)
    report = trained(shop, tmp_path / "run")
    found = report.metrics["retriever"]
    assert found["adopted"] is False
    assert "were no better; the run keeps the frozen keys" in report.notes[-1]
    assert found["rows"]["vote_frozen"] == report.metrics["rows"]["vote"]
    keys = keys_of(tmp_path / "run")
    np.testing.assert_array_equal(keys.directions, np.eye(len(keys.directions)))
    assert "not kept, since validation was no better" in (tmp_path / "run/report.html").read_text()


def test_no_epoch_is_better(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(learned_keys_ground, "held_surprise", lambda *_: 1.0)
    report = trained(shop, tmp_path / "run")
    assert report.metrics["retriever"]["rows"] == {}
    assert "no epoch found better neighbours" in report.notes[-1]
    assert "Retriever frozen and trained" not in (tmp_path / "run/report.html").read_text()


def test_the_readers_preferences_reach_the_keys(shop, tmp_path, monkeypatch, language):
    decide(monkeypatch, True)
    options = {**FUSION, "epochs": 1, "language_model": str(language)}
    found = trained(shop, tmp_path / "run", **options).metrics
    assert found["retriever"]["distilled"] is True
    assert set(found["retriever"]["seconds"]) == {"preferences", "keys", "levels"}
    assert {"fusion", "fusion_off", "keys"} <= set(found["fit_seconds"])
    assert {"fusion", "fusion_off"} <= set(found["levels"])
    with Memory.open(shop.path, ColourEncoder()) as again:
        model = load(tmp_path / "run", again)
        assert model.classify(again.picture_bytes("red_000.png")).evidence


def test_without_the_option_nothing_is_said_of_it(shop, tmp_path):
    report: Any = fit("classify", shop, out=tmp_path / "run", progress=False, model="vote")
    assert "retriever" not in report.metrics
    assert FitSettings().train_retriever is False


def test_what_does_not_go_together_is_a_sentence(shop, tmp_path):
    with pytest.raises(DataError, match="labels are not propagated by keys that were learned"):
        FitSettings(train_retriever=True, propagate_labels="yes")
    with pytest.raises(DataError, match="train_retriever is on, but .* ravl fit search"):
        trained(shop, tmp_path / "run", "match")
    assert not (tmp_path / "run").exists()
