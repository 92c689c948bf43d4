"""What ravl expects of every task: fitted, loaded, asked, judged, and kept in step with the memory.

The suite fits the task once on a memory of the subclass's own, which should be small: it is about
the parts of a task and how they fit together, not about how good the answers are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from ravl.data import Example
from ravl.errors import DataError, QueryError
from ravl.evaluation import Metric, metrics_of
from ravl.json_types import JsonRecord
from ravl.memory import Memory, Row
from ravl.runs.answers import Answer
from ravl.runs.run import open_run
from ravl.tasks import registry
from ravl.tasks.contract import Task
from ravl.tasks.fit import evaluate, fit, kept_settings
from ravl.tasks.model import Model
from ravl.training.examples import read_labelled

ROWS = ("with_retrieval",)  # that the report of every task has
WORDS = ("command", "noun", "summary", "purpose", "about", "primary", "field")


class TaskContract:
    """Subclass this, set ``task``, and override the fixture ``memory``.

    >>> class TestRate(TaskContract):
    ...     task = "rate"
    ...     settings = {"model": "linear"}
    ...
    ...     @pytest.fixture(scope="class")
    ...     def memory(self, tmp_path_factory): ...
    """

    task: ClassVar[str]  # name in the registry
    settings: ClassVar[JsonRecord] = {}  # of the fit
    data: ClassVar[str] = "id != 'no such row'"  # a filter that names rows to evaluate on

    @pytest.fixture(scope="class")
    @classmethod
    def memory(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
        """A memory that the task can be fitted on, open while the tests run."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def about(cls) -> Task:
        """The task under test."""
        return registry.task(cls.task)

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, memory: Memory, about: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """The folder of a run, fitted once."""
        out = tmp_path_factory.mktemp("contract") / "run"
        fit(about.command, memory, out=out, progress=False, **cls.settings)
        return out

    @pytest.fixture
    def model(self, run: Path, memory: Memory) -> Iterator[Model]:
        """The run, loaded."""
        with Model(run, memory) as loaded:
            yield loaded

    def asked(
        self, memory: Memory, about: Task, model: Model
    ) -> tuple[list[bytes], list[str] | None]:
        """Two pictures of the memory, and what is asked about them."""
        pictures, beside = [], []
        for row in memory.rows():
            if row.hash is None:
                continue
            texts = about.asks(model.predictor, row) if about.beside else [""]
            if texts:
                pictures.append(memory.picture_bytes(row))
                beside.append(texts[0])
            if len(pictures) == 2:
                return pictures, beside if about.beside else None
        raise AssertionError("the memory has no two rows that the task can be asked about")

    def test_it_describes_itself(self, about: Task) -> None:
        for name in WORDS:
            assert getattr(about, name), f"{type(about).__name__}.{name} is empty"
        assert about.primary in about.measures
        kinds: Mapping[str, Metric[Any]] = metrics_of(about.output_kind)
        assert about.primary in kinds, f"the kind {about.output_kind!r} has {list(kinds)}"
        assert about in registry.of_command(about.command)
        assert issubclass(about.answer_type(), Answer)
        example = about.answer_example()
        assert about.field in example
        assert set(example) <= {
            name for base in about.answer_type().__mro__ for name in getattr(base, "__slots__", ())
        }

    def test_describing_it_imports_no_torch(self) -> None:
        code = (
            "import sys; from ravl.tasks import registry; "
            f"t = registry.task({self.task!r}); t.summary; t.says; "
            "sys.exit('torch' in sys.modules)"
        )
        paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        assert subprocess.run([sys.executable, "-c", code], env=paths, check=False).returncode == 0

    def test_the_run_is_found_as_its_own(self, run: Path, about: Task) -> None:
        assert registry.of_run(open_run(run)) is about
        assert (
            kept_settings(about, run / "settings.yaml").to_json().items()
            >= dict(self.settings).items()
        )

    def test_a_fit_leaves_figures_and_a_page(self, run: Path, about: Task) -> None:
        metrics = json.loads((run / "metrics.json").read_text("utf-8"))
        assert metrics["task"] == about.command
        for row in ROWS:
            score = metrics["rows"][row][about.primary]
            assert score["low"] <= score["value"] <= score["high"]
        page = (run / "report.html").read_text("utf-8")
        assert about.primary in page
        card = (run / "README.md").read_text("utf-8")
        assert about.purpose in card
        assert (run / "reference.json").is_file()

    def test_a_setting_that_it_does_not_have(
        self, memory: Memory, about: Task, tmp_path: Path
    ) -> None:
        with pytest.raises(DataError, match="There is no setting"):
            fit(about.command, memory, out=tmp_path / "run", no_such_setting=1)

    def test_lists_in_lists_out(self, model: Model, memory: Memory, about: Task) -> None:
        pictures, beside = self.asked(memory, about, model)
        answers = model.predict(pictures, beside)
        assert len(answers) == 2
        one = model.predict(pictures[0], None if beside is None else beside[0])
        assert isinstance(one, about.answer_type())
        assert one.said == answers[0].said
        assert list(model.predict([], [] if beside is not None else None)) == []

    def test_answers_carry_their_evidence(self, model: Model, memory: Memory, about: Task) -> None:
        pictures, beside = self.asked(memory, about, model)
        for answer in model.predict(pictures, beside):
            assert isinstance(answer, Answer)
            assert answer.said
            assert 0 <= answer.confidence <= 1
            assert 0 <= answer.gate <= 1
            shares = [item.share for item in answer.evidence]
            assert shares == sorted(shares, reverse=True)
            assert all(item.id in memory for item in answer.evidence)
            as_json = json.loads(json.dumps(answer.to_json()))
            assert {"confidence", "gate", "evidence", about.field} <= set(as_json)

    def test_an_edit_counts_at_once(self, model: Model, memory: Memory, about: Task) -> None:
        pictures, beside = self.asked(memory, about, model)
        ask = (pictures[0], None if beside is None else beside[0])
        before = model.predict(*ask)
        shown = [item.id for item in before.evidence if item.row.hash is not None]
        if not shown:
            pytest.skip("this answer rests on no picture of the memory")
        gone = memory.get(shown[0])
        picture = memory.picture_bytes(gone)
        memory.delete(gone.id)
        try:
            after = model.predict(*ask)
            assert gone.id not in [item.id for item in after.evidence]
        finally:
            _put_back(memory, gone, picture)
        again = model.predict(*ask)
        assert gone.id in [item.id for item in again.evidence]

    def test_hidden_rows_are_no_evidence(self, model: Model, memory: Memory, about: Task) -> None:
        examples = read_labelled(memory, memory, about.says)
        assert len(examples)
        few = examples.take(np.arange(2))
        answers = about.answer_examples(model.predictor, few, np.random.default_rng(0))
        numbers = {number for groups in few.shown for number in groups.tolist()}
        for answer in answers:
            assert not numbers & {item.row.number for item in answer.evidence if item.row.hash}

    def test_it_is_judged(self, model: Model, about: Task) -> None:
        found = evaluate(model, self.data, progress=False)
        assert found["pictures"] > 0
        score = found["rows"]["with_retrieval"][about.primary]
        assert set(score) == {"value", "low", "high"}

    def test_senseless_options(self, model: Model, memory: Memory, about: Task) -> None:
        pictures, beside = self.asked(memory, about, model)
        with pytest.raises(QueryError):
            model.predict(pictures, beside, k=0)
        with pytest.raises(QueryError):
            model.predict(pictures, beside, no_such_option=1)

    def test_feedback_has_its_shape(self, model: Model, memory: Memory, about: Task) -> None:
        pictures, beside = self.asked(memory, about, model)
        feedback = about.feedback(model.predict(pictures, beside)[0])
        shaped = about.shaped(feedback["answer"])
        json.dumps(shaped)
        fields = about.row_fields(shaped, feedback.get("asked"))
        assert set(fields) <= {"label", "tags", "texts", "qa", "columns"}


def _put_back(memory: Memory, row: Row, picture: bytes) -> None:
    """A row that was deleted, as it was."""
    example = Example(
        row.id,
        picture,
        row.texts,
        row.label,
        row.tags,
        row.qa,
        columns=dict(row.columns),
    )
    memory.add([example], copy=True)
