from __future__ import annotations

import json

import numpy as np
import pytest

from ravl.encoders.trained import TrainedEncoder
from ravl.tasks.search import levels
from ravl.training.dual_encoder.train import train_heads
from tests.training.painted import Scrambled, fitted


def test_the_closed_form_alone_finds_the_pictures(painted, tmp_path, monkeypatch):
    monkeypatch.setattr(levels, "train_heads", None)  # nothing is trained
    report = fitted(painted, tmp_path / "run", model="cca", trained_weight=1.0)
    assert (report.level, report.curve) == ("cca", [])
    for direction in ("text -> picture", "picture -> text"):
        assert report.metrics[direction]["difference"]["R@10"]["low"] > 0.1
    record = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert record["level"] == "cca"
    assert list(record["levels"]) == ["cca"]
    assert "cca" in (tmp_path / "run" / "report.html").read_text("utf-8")


@pytest.mark.parametrize(("trained", "chosen"), [(0.0, "cca"), (1.1, "contrastive")])
def test_the_validation_part_chooses_the_level(painted, tmp_path, monkeypatch, trained, chosen):
    real = train_heads

    def train(*given: object) -> object:
        encoder, _, seconds = real(*given)  # type: ignore[arg-type]
        return encoder, [(1.0, trained)], seconds

    monkeypatch.setattr(levels, "train_heads", train)
    report = fitted(painted, tmp_path / "run", epochs=1)
    assert report.level == chosen
    assert set(report.levels) == {"cca", "contrastive"}


def test_words_are_learned_from_the_training_part_alone(painted, tmp_path):
    fitted(painted, tmp_path / "run", model="cca")
    words = TrainedEncoder.load(tmp_path / "run", Scrambled()).words
    assert words is not None
    of = {
        part: [t for row in painted.rows(f"part = '{part}'") for t in row.texts]
        for part in ("train", "test")
    }
    numbers = {
        part: {w for t in texts for w in t.split() if w.isdigit()} for part, texts in of.items()
    }
    assert numbers["train"] & set(words.terms)
    assert not (numbers["test"] - numbers["train"]) & set(words.terms)


def test_without_words_texts_are_read_by_the_base_alone(painted, tmp_path):
    fitted(painted, tmp_path / "run", model="cca", words=0)
    encoder = TrainedEncoder.load(tmp_path / "run", Scrambled())
    assert encoder.words is None
    assert encoder.text_head.inputs == Scrambled().dimension
    assert np.isfinite(encoder.embed_texts(["red and blue"])).all()
