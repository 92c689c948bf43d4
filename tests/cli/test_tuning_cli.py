"""``ravl tune``: what it prints, and what it says when it is interrupted."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from ravl.cli import INTERRUPTED, cli
from ravl.cli.task_commands import TaskGroup
from ravl.memory import Memory
from ravl.store import space
from ravl.tuning import tune as tuning
from ravl.tuning.trial import score as score_trial
from tests.helpers import ColourEncoder
from tests.training.painted import TEST, VALIDATION, paint

OPTIONS = ("--validation", VALIDATION, "--test", TEST, "--model", "linear", "--k", 8)


@pytest.fixture(autouse=True)
def colours(monkeypatch):
    """Memories open with the encoder that they were made with."""
    monkeypatch.setattr(space, "load_encoder", lambda *_, **__: ColourEncoder())


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    folder: Path = tmp_path_factory.mktemp("tuned")
    with Memory.create(folder / "painted.ravl", ColourEncoder()) as memory:
        memory.add(paint(folder / "painted", 80))
    return folder / "painted.ravl"


def test_the_best_trial_and_where_things_are(run, file, tmp_path):
    command = ("tune", "classify", file, "--out", tmp_path / "out", "--trials", 2, *OPTIONS)
    code, out, err = run(*command)
    assert (code, err) == (0, "")
    first, second, *settings = out.splitlines()
    assert first.startswith("Trials: 2 (2 complete), in ")
    assert second.startswith("The best is trial ")
    assert second.endswith("% on the validation split.")
    assert [line.split(":")[0].strip() for line in settings[:2]] == [
        "label_smoothing",
        "class_weights",
    ]
    assert "on the test split: accuracy" in settings[2]
    for name in ("best", "best.yaml", "report.html", "trials.csv"):
        assert str(tmp_path / "out" / name) in out
        assert (tmp_path / "out" / name).exists()
    code, out, _ = run(*command, "--json")  # there is nothing more to do
    assert code == 0
    found = json.loads(out)
    assert [trial["number"] for trial in found["trials"]] == [1, 2]
    assert all("k" not in trial["parameters"] for trial in found["trials"])
    assert run(*command, "--quiet") == (0, "", "")
    best = ("fit", "classify", file, "--out", tmp_path / "again", *OPTIONS[:4], "--quiet")
    assert run(*best, "--config", tmp_path / "out" / "best.yaml") == (0, "", "")
    metrics = json.loads((tmp_path / "again" / "metrics.json").read_text())
    assert metrics["rows"] == found["metrics"]["rows"]


def test_what_is_kept_after_an_interruption(run, file, tmp_path, monkeypatch):
    command = ("tune", "classify", file, "--out", tmp_path / "out", "--trials", 2, *OPTIONS)
    score, seen = score_trial, []

    def interrupted(*arguments):
        seen.append(1)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return score(*arguments)

    monkeypatch.setattr(tuning, "score", interrupted)
    code, out, err = run(*command)
    assert (code, out) == (INTERRUPTED, "")
    assert "Stored trials: 1. Repeat the same command to continue." in err
    code, out, _ = run(*command)
    assert (code, len(seen)) == (0, 3)
    assert "Trials: 2 (2 complete)" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("classify", "--trials", 0), "trials is 0; it must be at least 1"),
        (("classify", "--space", "none.yaml"), "The space in none.yaml cannot be read"),
        (("classify", "--tune-language-model", "most"), "most"),
    ],
)
def test_errors_are_one_sentence(run, file, tmp_path, arguments, says):
    task, *options = arguments
    code, out, err = run("tune", task, file, "--out", tmp_path / "out", *options)
    assert code == 1
    assert out == ""
    assert says in err
    assert "Traceback" not in err


@pytest.mark.parametrize("task", ["classify", "tag", "match"])
def test_every_option_has_help(run, task):
    tune = cli.commands["tune"]
    assert isinstance(tune, TaskGroup)
    command = tune.get_command(click.Context(tune), task)
    assert command is not None
    code, out, _ = run("tune", task, "--help")
    assert code == 0
    assert "--trials" in out
    assert "--learning-rate" in out
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert parameter.help, parameter.name
