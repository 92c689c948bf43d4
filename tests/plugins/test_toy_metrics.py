"""Metrics of an installed package stand in reports, and choose no model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from ravl.errors import PluginError
from ravl.evaluation import (
    Score,
    added_names,
    compare,
    is_percent,
    lower_is_better,
    measure,
    values,
)
from ravl.evaluation.generation import compare_texts, measure_text
from ravl.tasks.registry import task
from ravl.training.report_parts import score_table
from tests.plugins.install import visible, write_metadata

PROBABILITIES = np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.4, 0.35, 0.25]])
TARGETS = np.array([1, 1, 2])


@dataclass
class Judged:
    scores: dict[str, dict[str, Score]]
    differences: dict[tuple[str, str], dict[str, Score]] = field(default_factory=dict)


@pytest.mark.usefixtures("toy")
class TestToyMetrics:
    def test_labels(self) -> None:
        found = measure("multiclass", PROBABILITIES, TARGETS)
        assert [*found][-1] == "top_2"
        assert found["top_2"].value == pytest.approx(2 / 3)
        assert 0 <= found["top_2"].low <= found["top_2"].high <= 1
        assert "top_2" not in measure("binary", PROBABILITIES[:, 0], np.array([0, 1, 1]))
        gain = compare("multiclass", PROBABILITIES, PROBABILITIES[:, ::-1], TARGETS)
        assert gain["top_2"].value == pytest.approx(-1 / 3)

    def test_texts(self) -> None:
        written, people = ["a red dog", "a cat"], [["a dog"], ["a cat"]]
        assert measure_text("captions", written, people)["words"].value == 2.5
        assert compare_texts("captions", written, ["a", "b"], people)["words"].value == 1.5

    def test_no_model_is_chosen_by_them(self) -> None:
        assert "top_2" not in values("multiclass", PROBABILITIES, TARGETS)

    def test_tables_show_them(self) -> None:
        assert added_names() == ("words", "top_2")
        assert is_percent("top_2")
        assert lower_is_better("words")
        assert not is_percent("words")

        judged = Judged({"vote": measure("multiclass", PROBABILITIES, TARGETS)})
        table = score_table(task("classify"), judged, "", "", ["vote"], [], {"vote": ("Vote", "")})
        assert table.measures[-1] == "top_2"
        assert "words" not in table.measures


def test_an_entry_that_is_not_a_metric(tmp_path: Path) -> None:
    (tmp_path / "no_metric.py").write_text("GRADE = 3\n")
    write_metadata(tmp_path, "no-metric", {"ravl.metrics": {"multiclass.grade": "no_metric:GRADE"}})
    with visible(tmp_path), pytest.raises(PluginError, match=r"it must be a ravl\.evaluation\.Met"):
        measure("multiclass", PROBABILITIES, TARGETS)
    assert "grade" not in measure("multiclass", PROBABILITIES, TARGETS)
