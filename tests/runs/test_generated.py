"""What ravl augment wrote is evidence for those who ask for it, and for nobody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import ravl
from ravl.data import QA, Example
from ravl.memory import Memory, Row
from ravl.runs import generated
from ravl.runs.generated import filled, of_people
from ravl.tasks.ask.targets import ask_task
from ravl.tasks.labels.targets import LabelTargets
from tests.helpers import COLOURS, ColourEncoder, draw

WRITTEN: dict[str, Any] = {
    generated.LABEL: "red",
    generated.TAGS: '["a", "b"]',
    generated.ANSWERS: '[{"question": "what?", "answer": "red"}]',
}
HELD = {"validation": "part = 'validation'", "test": "part = 'test'"}


def row(**said: Any) -> Row:
    columns = said.pop("columns", WRITTEN)
    empty: dict[str, Any] = {"label": None, "tags": (), "qa": (), "texts": ()}
    return Row(number=1, id="a", columns=columns, **{**empty, **said})


def test_only_what_people_left_out_is_filled() -> None:
    found = filled(row())
    assert (found.label, found.tags) == ("red", ("a", "b"))
    assert found.qa == (QA("what?", ("red",)),)
    own = row(label="blue", tags=("c",), qa=(QA("why?", ("so",)),))
    assert filled(own) == own
    assert filled(row(columns={})) == row(columns={})


@pytest.mark.parametrize("damaged", ["{", '"text"', "[1, 2]", None])
def test_a_damaged_column_says_nothing(damaged: str | None) -> None:
    assert filled(row(columns={generated.ANSWERS: damaged})).qa == ()


@pytest.fixture
def half(tmp_path: Path) -> Any:
    """Pictures of eight colours, of which a quarter of the training split is labelled by people."""
    names = list(COLOURS)
    parts = ("train", "train", "train", "validation", "test")
    with Memory.create(tmp_path / "half.ravl", ColourEncoder()) as memory:
        written, examples = {}, []
        for i in range(160):
            colour, part = names[i % 8], parts[i // 8 % 5]
            file = tmp_path / f"{i:03d}.png"
            draw(i, colour).save(file)
            people = part != "train" or i // 40 == 0
            qa = (QA("what colour is it?", (colour,)),) if people else ()
            label = colour if people else None
            examples.append(Example(file.name, file, label=label, qa=qa, columns={"part": part}))
            if not people:
                pairs = [{"question": "what colour is it?", "answer": colour}]
                written[file.name] = {
                    generated.LABEL: colour,
                    generated.ANSWERS: json.dumps(pairs),
                }
        memory.add(examples)
        memory.update_columns(written, "augment")
        yield memory


def test_people_can_be_told_from_what_was_generated(half: Memory) -> None:
    task = LabelTargets("classify", generated=True)
    datastore = task.datastore(half)
    people = of_people(datastore, half, LabelTargets("classify").of)
    assert people.sum() == half.count("not label is missing")
    assert all(task.of(r) for r in datastore.rows)
    assert not all(r.label for r in LabelTargets("classify").datastore(half).rows)
    entries = ask_task(half)
    assert len(entries.datastore(half)) == people.sum()


@pytest.mark.parametrize("task", ["classify", "ask"])
def test_it_is_evidence_where_it_is_asked_for(half: Memory, tmp_path: Path, task: str) -> None:
    out = tmp_path / "run"
    report: Any = ravl.fit(
        task,
        half,
        out=out,
        model="vote",
        use_generated=True,
        progress=False,
        **HELD,  # type: ignore[arg-type]
    )
    levels = report.metrics["levels"]
    assert {"vote", "vote_human"} <= set(levels)
    assert "vote - vote_human" in report.metrics["differences"]
    assert "what ravl augment wrote" in (out / "report.html").read_text()
    parts = json.loads((out / "split.json").read_text())
    silent = {r.id for r in half.rows("label is missing")}
    assert not silent & {name for its in ("train", "validation", "test") for name in parts[its]}
    with ravl.load(out, half) as model:
        picture = half.picture(half.get("001.png"))
        question = None if task == "classify" else "what colour is it?"
        answer = model.predict(picture, question, k=64)
        assert silent & {item.row.id for item in answer.evidence}


def test_nobody_else_reads_it(half: Memory, tmp_path: Path) -> None:
    report: Any = ravl.fit(
        "classify",
        half,
        out=tmp_path / "run",
        model="vote",
        progress=False,
        **HELD,  # type: ignore[arg-type]
    )
    assert "vote_human" not in report.metrics["levels"]
    with ravl.load(tmp_path / "run", half) as model:
        answer = model.classify(half.picture(half.get("001.png")), k=64)
        assert all(item.row.label for item in answer.evidence if item.share > 0)
