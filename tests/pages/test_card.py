"""The model card says what a run is, how good it is, and where its limits are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ravl.pages import card as cards
from ravl.tasks import registry


def card_of(folder: Path) -> str:
    """The card of a run, by the task that its record names."""
    return cards.card_of(
        folder, registry.of_record(json.loads((folder / "run.json").read_text("utf-8")))
    )


@pytest.mark.parametrize("name", ["vote", "linear", "fusion", "tags"])
def test_every_fit_writes_one(fitted_once: Path, name: str) -> None:
    card = (fitted_once / name / "README.md").read_text("utf-8")
    assert card == card_of(fitted_once / name)
    metrics = json.loads((fitted_once / name / "metrics.json").read_text("utf-8"))
    rows = [line for line in card.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(metrics["rows"])
    assert "**fine-tuned, with retrieval**" in rows[-1]
    for heading in ("Data", "How good it is", "Use", "Limits", "Licences"):
        assert f"## {heading}\n" in card
    assert "## Export" not in card


def test_figures_are_those_of_the_fit(fitted_once: Path) -> None:
    metrics = json.loads((fitted_once / "linear" / "metrics.json").read_text("utf-8"))
    score = metrics["rows"]["with_retrieval"]["accuracy"]
    shown = f"{100 * score['value']:.1f} % ({100 * score['low']:.1f}–{100 * score['high']:.1f})"
    line = next(
        line
        for line in card_of(fitted_once / "linear").splitlines()
        if line.startswith("| **fine-tuned")
    )
    assert line.split("|")[2].strip() == shown


def run(folder: Path, **changes: Any) -> Path:
    record = {
        "task": "classify",
        "level": "linear",
        "encoder": {"spec": "builtin"},
        "base": {"spec": "builtin"},
        "memory": {"path": "/home/me/shop.ravl", "version": 3},
        "labels": ["a`b", "*c*"],
        "parts": {"train": 1200},
        "versions": {"ravl": "0.1.0"},
        "command": "ravl fit `rm -rf`\n```\nmore",
        **changes,
    }
    (folder / "run.json").write_text(json.dumps(record), "utf-8")
    (folder / "metrics.json").write_text("{}", "utf-8")
    return folder


def test_names_do_not_break_it(tmp_path: Path) -> None:
    folder = tmp_path / "a [run](x) <b>"
    folder.mkdir()
    card = card_of(run(folder))
    assert "# a \\[run\\](x) \\<b\\>\n" in card
    assert card.count("```") % 2 == 0
    assert "`a'b`, `*c*`" in card
    assert "/home/me" not in card  # where somebody keeps things is nobody's business
    assert "Not measured." in card
    assert "Apache-2.0 (Tan and Le, Google)" in card


def test_a_trained_space_is_named(tmp_path: Path) -> None:
    card = card_of(run(tmp_path, encoder={"spec": "trained:0123"}))
    assert "Encoder: `builtin`, with trained heads (`trained:0123`)" in card


@pytest.mark.parametrize(
    ("record", "tag", "use"),
    [
        ({"task": "tag"}, "image-classification", '.predict("new.jpg")'),
        ({"task": "match"}, "zero-shot-image-classification", '.predict("new.jpg", "a text")'),
        ({"task": "caption"}, "image-to-text", '.predict("new.jpg")'),
        ({"task": "ask"}, "visual-question-answering", '.predict("new.jpg", "what is it?")'),
    ],
)
def test_the_words_are_those_of_the_task(
    tmp_path: Path, record: dict[str, str], tag: str, use: str
) -> None:
    card = card_of(run(tmp_path, level="vote", **record))
    task = registry.of_record(record)
    assert f"pipeline_tag: {tag}\n" in card
    assert use in card
    assert task.purpose in card
    assert f"Method: {task.levels['vote']}\n" in card


@pytest.mark.parametrize(("answers", "warns"), [("list", False), ("open", True)])
def test_only_what_writes_is_said_to_be_fluent_and_wrong(
    tmp_path: Path, answers: str, warns: bool
) -> None:
    card = card_of(run(tmp_path, task="ask", answers=answers))
    assert ("fluent and wrong" in card) is warns
