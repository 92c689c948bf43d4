from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from ravl.errors import DataError
from ravl.training.described import described
from ravl.training.fit_settings import FitSettings, read_settings, write_settings


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"epochs": 0}, "epochs is 0; it must be at least 1"),
        ({"batch_size": 0}, "batch_size is 0; it must be at least 1"),
        ({"learning_rate": 0}, "learning_rate is 0; it must be more than 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; it must be more than 0"),
        ({"k": 1001}, "k is 1001; it must be from 0 to 1000"),
        ({"num_evidence": 0}, "num_evidence is 0; it must be from 1 to 64"),
        ({"num_evidence": 65}, "num_evidence is 65; it must be from 1 to 64"),
        ({"min_examples": 0}, "min_examples is 0; it must be at least 1"),
        ({"dropout": 1.0}, "dropout is 1.0; it must be from 0 to below 1"),
        ({"retrieval_noise": -0.1}, "retrieval_noise is -0.1; it must be from 0 to below 1"),
        ({"label_smoothing": 1}, "label_smoothing is 1; it must be from 0 to below 1"),
        ({"retrieval_dropout": 2}, "retrieval_dropout is 2"),
        ({"test_share": 1.0}, "test_share is 1.0"),
        ({"validation_share": float("nan")}, "validation_share is nan"),
        ({"target_risk": 0}, "target_risk is 0; it must be more than 0 and less than 1"),
        ({"target_risk": 1}, "target_risk is 1"),
        ({"max_grad_norm": -1}, "max_grad_norm is -1; it must not be negative"),
        ({"model": "tree"}, "model is 'tree'; it must be one of auto, vote, linear, fusion"),
        ({"class_weights": "some"}, "class_weights is 'some'; it must be one of none, balanced"),
        (
            {"propagate_labels": "maybe"},
            "propagate_labels is 'maybe'; it must be one of auto, yes, no",
        ),
        ({"optimiser": "lbfgs"}, "optimiser is 'lbfgs'; it must be one of adamw, sgd"),
        ({"tune_language_model": "top:0"}, "must be head, lora, full, or top:N"),
        ({"tune_vision": "all"}, "must be head, lora, full, or top:N"),
        ({"epochs": "five"}, "epochs is 'five'; it must be a whole number"),
        ({"epochs": 1.5}, "epochs is 1.5; it must be a whole number"),
        ({"epochs": True}, "epochs is True; it must be a whole number"),
        ({"dropout": "much"}, "dropout is 'much'; it must be a number"),
        ({"add_to_memory": "perhaps"}, "add_to_memory is 'perhaps'; it must be true or false"),
        ({"column": 3}, "column is 3; it must be a text"),
        ({"k": None}, "k is None; it must be a whole number"),
        ({"prompt_templates": 3}, "prompt_templates is 3; it must be a list of texts"),
        ({"prompt_templates": "a {}"}, "prompt_templates is 'a {}'; it must be a list of texts"),
    ],
)
def test_settings_out_of_range(changes, says):
    with pytest.raises(DataError) as error:
        FitSettings(**changes)
    assert says in str(error.value)


def test_numbers_of_numpy_and_whole_ones_will_do():
    settings = FitSettings(epochs=np.int64(3), dropout=0, learning_rate=np.float32(0.5))  # type: ignore[arg-type]
    assert settings.epochs == 3


def test_every_setting_is_described():
    words = described(FitSettings)
    assert {f.name for f in fields(FitSettings)} <= set(words)
    assert "leaving examples out" in words["k"]
    assert words["epochs"].startswith("passes")


def test_yaml_round_trip(tmp_path):
    settings = FitSettings(
        epochs=3, prompt_templates=("a {} é", "{}"), column="art", tune_language_model="lora"
    )
    write_settings(settings, tmp_path / "s.yaml")
    assert FitSettings(**read_settings(tmp_path / "s.yaml")) == settings
    assert "é" in (tmp_path / "s.yaml").read_text("utf-8")


def test_scientific_numbers_of_yaml(tmp_path):
    """YAML 1.1 takes 1e-4 for a text."""
    (tmp_path / "s.yaml").write_text("learning_rate: 1e-4\nweight_decay: 0\n")
    settings = FitSettings(**read_settings(tmp_path / "s.yaml"))
    assert settings.learning_rate == 1e-4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("epoch: 3", "names 'epoch', which is no setting; there are: epochs"),
        ("- 1\n- 2", "must hold settings, one a line, such as 'epochs: 5'"),
        ("just words", "must hold settings"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_files_that_hold_no_settings(tmp_path, text, says):
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(DataError, match=says):
        read_settings(tmp_path / "s.yaml")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_settings(tmp_path / "gone.yaml")
    (tmp_path / "s.yaml").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DataError, match="is not valid YAML"):
        read_settings(tmp_path / "s.yaml")
    (tmp_path / "empty.yaml").write_text("")
    assert read_settings(tmp_path / "empty.yaml") == {}
