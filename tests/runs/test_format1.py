"""Names of format 1 in a run's files, read as the names of now."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from ravl.errors import DataError
from ravl.models.generation.base import Decoding
from ravl.runs.format1 import DECODING, SETTINGS, renamed_settings
from ravl.runs.run import FORMAT, open_run
from ravl.tasks import registry
from ravl.tasks.fit import kept_settings, made_settings


def test_a_record_of_format_1_is_read_by_the_names_of_now(tmp_path: Path) -> None:
    how = {"beams": 5, "candidates": 2, "longest": 9, "sample": True, "top_p": 0.5}
    about = {"encoder": {"spec": "colour"}, "memory": {"path": "a.ravl", "relative": "a.ravl"}}
    record = {"format": 1, "task": "caption", "how": how, **about}
    (tmp_path / "run.json").write_text(json.dumps(record), "utf-8")
    found = open_run(tmp_path).record
    assert found["format"] == FORMAT
    assert Decoding(**found["how"]) == Decoding(
        num_beams=5, num_return_sequences=2, max_new_tokens=9, do_sample=True, top_p=0.5
    )
    assert json.loads((tmp_path / "run.json").read_text("utf-8")) == record  # stays as it was


def test_every_name_of_the_table_is_one_of_now() -> None:
    assert set(DECODING.values()) <= {f.name for f in fields(Decoding)}
    known = {f.name for task in registry.tasks() for f in fields(task.settings())}
    assert set(SETTINGS.values()) <= known
    assert not known & set(SETTINGS)


def test_settings_of_format_1_are_read_by_the_names_of_now(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("beams: 2\nlongest: 7\nrisk: 0.1\nepochs: 1\n", "utf-8")
    (caption,) = registry.of_command("caption")
    found = kept_settings(caption, file).to_json()
    assert (found["num_beams"], found["max_new_tokens"], found["epochs"]) == (2, 7, 1)
    assert found["target_risk"] == 0.1


def test_a_setting_by_its_name_of_format_1_is_refused_with_the_name_of_now() -> None:
    (classify,) = registry.of_command("classify")
    with pytest.raises(DataError, match="'risk' is now called 'target_risk'"):
        made_settings(classify, {"risk": 0.1})


def test_a_setting_that_still_has_the_name_keeps_it() -> None:
    given = {"beams": 2, "longest": 7}
    assert renamed_settings(given, {"beams", "num_beams"}) == given
