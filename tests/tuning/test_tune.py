"""The search for settings: trials, interruptions, what it leaves, and what it may not look at."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ravl.errors import DataError, RavlError
from ravl.memory import Memory
from ravl.tasks.labels import fit as fit_task
from ravl.tasks.registry import task as task_named
from ravl.training.fit_settings import FitSettings, read_settings
from ravl.tuning import tune as tuning
from ravl.tuning.space import Study, read_space
from ravl.tuning.tune import TuneReport, kept, tune
from tests.forgetting.known import unknown_files
from tests.helpers import ColourEncoder
from tests.training.painted import TEST, VALIDATION, paint

ROOT = Path(__file__).parents[2]
SPACE = (
    "linear:\n  label_smoothing: {float: [0, 0.3]}\n  class_weights: {choices: [none, balanced]}\n"
)
SEARCHED = task_named("classify").search_space()


def make(folder: Path, name: str = "painted", **test: Any) -> Path:
    """A memory of painted pictures; what is given is said of the test pictures instead."""
    examples = [
        replace(e, tags=(str(e.label), "even" if i % 2 else "odd"))
        for i, e in enumerate(paint(folder / name, 80))
    ]
    examples = [replace(e, **test) if e.columns["part"] == "test" else e for e in examples]
    with Memory.create(folder / f"{name}.ravl", ColourEncoder()) as memory:
        memory.add(examples)
    return folder / f"{name}.ravl"


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("tuned"))


@pytest.fixture
def memory(file) -> Iterator[Memory]:
    with Memory.open(file, ColourEncoder()) as opened:
        yield opened


def counted(calls: list[int], work: Any, *arguments: Any) -> Any:
    """Does the work, and remembers that it was done."""
    calls.append(1)
    return work(*arguments)


@pytest.fixture
def space(tmp_path) -> Path:
    return written_space(tmp_path)


def written_space(folder: Path) -> Path:
    file = folder / "space.yaml"
    file.write_text(SPACE)
    return file


@dataclass(frozen=True)
class Whole:
    """A search that nothing has interrupted.

    Args:
        report: what it found.
        out: its folder.
        prepared: how often pictures were prepared.
        sizes: rows of the train, validation and test splits of each fit.
    """

    report: TuneReport
    out: Path
    prepared: int
    sizes: list[tuple[int, int, int]]


@pytest.fixture(scope="module")
def whole(file, tmp_path_factory) -> Whole:
    folder: Path = tmp_path_factory.mktemp("whole")
    calls: list[int] = []
    sizes: list[tuple[int, int, int]] = []
    prepare = fit_task.prepare  # type: ignore[attr-defined]
    levels = fit_task.fit_levels  # type: ignore[attr-defined]

    def spied(data, *rest, **how):
        sizes.append((len(data.train), len(data.validation), len(data.test)))
        return levels(data, *rest, **how)

    with Memory.open(file, ColourEncoder()) as memory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit_task, "prepare", lambda *a: counted(calls, prepare, *a))
        patch.setattr(fit_task, "fit_levels", spied)
        report = tuned(memory, folder / "out", space=written_space(folder))
    return Whole(report, folder / "out", len(calls), sizes)


def tuned(memory: Memory, out: Path, task: str = "classify", **changes: Any) -> TuneReport:
    """A quick search."""
    options = {
        "validation": VALIDATION,
        "test": TEST,
        "trials": 4,
        "model": "linear",
        "progress": False,
    }
    return tune(task, memory, out=out, **{**options, **changes})


def parameters(report: TuneReport) -> list[dict[str, Any]]:
    return [trial.parameters for trial in report.trials]


def instead(monkeypatch: pytest.MonkeyPatch, score: Any) -> None:
    """Trials that fit nothing: their metrics are what this function gives."""
    monkeypatch.setattr(
        tuning,
        "score",
        lambda recipe, data, folder, report: score(data, recipe.settings, folder, report),
    )


# --- what it finds -------------------------------------------------------------------------


def test_the_best_settings_are_fitted_whole(whole):
    check_found(whole.report, whole.out, "accuracy")


def test_tags_are_tuned_too(memory, tmp_path, space):
    check_found(
        tuned(memory, tmp_path / "out", "tag", trials=2, space=space), tmp_path / "out", "mAP"
    )


def check_found(report: TuneReport, out: Path, measure: str) -> None:
    count = len(report.trials)
    assert [t.number for t in report.trials] == list(range(1, count + 1))
    assert {t.state for t in report.trials} == {"complete"}
    assert all(set(p) == {"label_smoothing", "class_weights"} for p in parameters(report))
    assert report.best.score == max(t.score or 0 for t in report.trials)
    assert report.measure == measure
    assert {p.name for p in out.iterdir()} == {
        "best",
        "best.yaml",
        "config.json",
        "report.html",
        "study.journal",
        "trials.csv",
    }
    assert not unknown_files(out)
    assert report.metrics["rows"]["with_retrieval"][measure]["value"] > 0.5
    assert report.judged().startswith(measure)
    best = FitSettings(**read_settings(out / "best.yaml"))
    assert best.model == "linear"
    assert best.label_smoothing == report.best.parameters["label_smoothing"]
    assert read_settings(out / "best" / "settings.yaml") == read_settings(out / "best.yaml")
    with (out / "trials.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [float(row[measure]) for row in rows] == [t.scores[measure] for t in report.trials]
    assert [row["label_smoothing"] for row in rows] == [
        str(p["label_smoothing"]) for p in parameters(report)
    ]
    page = (out / "report.html").read_text()
    assert "★ best" in page
    assert f"{count} ({count} complete)" in page
    assert report.to_json()["best"]["number"] == report.best.number


def test_a_vote_is_tuned_by_its_neighbours_alone(memory, tmp_path):
    report = tuned(memory, tmp_path / "out", model="vote")
    assert all(set(p) == {"k"} for p in parameters(report))


def test_what_was_tried_before_is_not_fitted_again(memory, tmp_path, space, monkeypatch):
    fitted: list[FitSettings] = []

    def score(_ground, settings, _folder, _report):
        fitted.append(settings)
        return {"accuracy": 0.5, "log_loss": 1.0}

    instead(monkeypatch, score)
    space.write_text("vote:\n  k: {choices: [4, 8]}")
    report = tuned(memory, tmp_path / "out", trials=7, space=space)
    assert len(report.trials) == 7
    assert len(fitted) == len({settings.k for settings in fitted}) <= 2
    assert report.best.number == 1  # the first of equals


def test_the_model_can_be_searched_with_the_settings_of_its_level(memory, tmp_path, space):
    space.write_text("vote:\n  model: {choices: [vote, linear]}\n  k: {int: [2, 9]}\n" + SPACE)
    with pytest.raises(DataError, match="that is not given a fixed value"):
        tuned(memory, tmp_path / "out", space=space, model="vote", k=3)
    report = tune(
        "classify",
        memory,
        out=tmp_path / "out",
        validation=VALIDATION,
        test=TEST,
        trials=6,
        space=space,
        progress=False,
    )
    assert {p["model"] for p in parameters(report)} == {"vote", "linear"}
    for p in parameters(report):
        assert ("label_smoothing" in p) == (p["model"] == "linear")


def test_pictures_are_prepared_once(whole):
    assert whole.prepared == 2  # for the trials, and for the fit at the end


# --- the test split -------------------------------------------------------------------------


def test_no_trial_is_given_the_test_part(whole):
    *trials, best = whole.sizes
    assert trials == [(32, 16, 0)] * 4
    assert best == (32, 16, 32)  # the fit at the end is judged by it


def test_what_is_said_of_test_pictures_changes_no_trial(whole, tmp_path, space):
    one = whole.report
    other = make(tmp_path, "lies", label="red", texts=("a lie",))
    with Memory.open(other, ColourEncoder()) as lying:
        two = tuned(lying, tmp_path / "two", space=space)
    assert [t.scores for t in two.trials] == [t.scores for t in one.trials]
    assert two.metrics["rows"] != one.metrics["rows"]  # the fit at the end does look


# --- interruptions -------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from pathlib import Path
from ravl.memory import Memory
from ravl.tuning import tune as tuning
from tests.helpers import ColourEncoder
from tests.tuning.test_tune import tuned
score, seen = tuning.score, []
def once(*arguments):
    seen.append(1)
    if len(seen) == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
    return score(*arguments)
tuning.score = once
with Memory.open(sys.argv[1], ColourEncoder()) as memory:
    tuned(memory, Path(sys.argv[2]), space=sys.argv[3])
"""


def test_a_search_that_was_killed_goes_the_same_way(memory, file, whole, tmp_path, space):
    out = tmp_path / "out"
    for at in (3, 1):  # in the third trial, and in the first after that
        done = subprocess.run(
            [sys.executable, "-c", KILLED, file, out, space, str(at)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (out / "best").exists()
    assert kept(out) == 2
    report = tuned(memory, out, space=space)
    assert len(report.trials) == 4
    assert parameters(report) == parameters(whole.report)
    assert [t.scores for t in report.trials] == [t.scores for t in whole.report.trials]


def test_a_trial_that_is_always_interrupted_fails_in_the_end(memory, tmp_path, space, monkeypatch):
    def score(_ground, settings, _folder, _report):
        if settings.class_weights == "balanced":
            raise KeyboardInterrupt
        return {"accuracy": 1 - settings.label_smoothing, "log_loss": 0.0}

    instead(monkeypatch, score)
    space.write_text(SPACE.replace("none, balanced", "balanced, none"))
    stops = 0
    while True:
        try:
            report = tuned(memory, tmp_path / "out", trials=5, space=space)
        except KeyboardInterrupt:
            stops += 1
            assert stops < 20
        else:
            break
    states = [(t.state, t.parameters["class_weights"]) for t in report.trials]
    assert set(states) == {("failed", "balanced"), ("complete", "none")}
    assert stops == 3 * states.count(("failed", "balanced"))
    assert "interrupted each time" in (tmp_path / "out" / "trials.csv").read_text()


def test_more_trials_go_on_after_the_end(memory, tmp_path, space, monkeypatch):
    out = tmp_path / "out"
    fits: list[int] = []
    instead(
        monkeypatch,
        lambda _g, settings, _f, _r: {"accuracy": settings.label_smoothing, "log_loss": 0.0},
    )
    fit_whole = fit_task.fit_levels  # type: ignore[attr-defined]
    monkeypatch.setattr(
        fit_task, "fit_levels", lambda *a, **how: counted(fits, partial(fit_whole, **how), *a)
    )
    first = tuned(memory, out, trials=1, space=space)
    again = tuned(memory, out, trials=1, space=space)
    assert (parameters(again), again.metrics) == (parameters(first), first.metrics)
    assert len(fits) == 1
    more = tuned(memory, out, trials=8, space=space)
    assert parameters(more)[:1] == parameters(first)
    assert more.best.number > 1
    assert len(fits) == 2
    assert read_settings(out / "best" / "settings.yaml")["label_smoothing"] == more.best.score


def test_half_a_line_of_the_journal_is_cut_off(memory, tmp_path):
    out = tmp_path / "out"
    tuned(memory, out, trials=1, model="vote")
    with (out / "study.journal").open("ab") as file:
        file.write(b'{"op_code":4,"worker')
    assert len(tuned(memory, out, trials=2, model="vote").trials) == 2
    assert kept(out) == 2


def test_the_time_limit(memory, tmp_path, space):
    report = tuned(
        memory, tmp_path / "out", trials=50, timeout=0.001, space=space
    )  # any speed: one trial takes longer
    assert len(report.trials) == 1


def test_a_folder_of_another_search_is_refused(memory, tmp_path, space):
    tuned(memory, tmp_path / "out", trials=1, space=space)
    with pytest.raises(DataError, match="had other settings"):
        tuned(memory, tmp_path / "out", trials=1)
    with pytest.raises(DataError, match="holds a finished run"):
        tuned(memory, tmp_path / "out" / "best", trials=1, space=space)


# --- stopping early, failing ---------------------------------------------------------------


def test_a_trial_that_is_worse_than_others_were_is_stopped(memory, tmp_path, space, monkeypatch):
    told = []

    def score(_ground, _settings, _folder, report):
        told.append(0)
        level = -1.0 if len(told) == 7 else len(told)
        for _ in range(4):
            report(level)
            told[-1] += 1
        return {"accuracy": 0.5, "log_loss": 1.0}

    instead(monkeypatch, score)
    report = tuned(memory, tmp_path / "out", trials=7, space=space)
    assert [t.state for t in report.trials] == ["complete"] * 6 + ["pruned"]
    assert told == [4] * 6 + [1]  # raised in the second epoch
    assert report.trials[6].score is None
    assert report.counts() == "7 (6 complete, 1 pruned)"


def test_a_trial_that_fails_is_noted_and_the_search_goes_on(memory, tmp_path, space, monkeypatch):
    def score(_ground, settings, _folder, _report):
        if settings.label_smoothing > 0.1:
            raise RavlError("The loss is no longer a number.")
        return {"accuracy": 0.5, "log_loss": 1.0}

    instead(monkeypatch, score)
    report = tuned(memory, tmp_path / "out", trials=6, space=space)
    for trial in report.trials:
        failed = trial.parameters["label_smoothing"] > 0.1
        assert trial.state == ("failed" if failed else "complete")
        assert trial.error == ("The loss is no longer a number." if failed else "")
    assert len({t.state for t in report.trials}) == 2
    space.write_text("linear: {label_smoothing: {float: [0.2, 0.3]}}")
    with pytest.raises(DataError, match="None of 4 trials came to a good end. .* no longer"):
        tuned(memory, tmp_path / "none", space=space)


@pytest.fixture(scope="module")
def bert(tmp_path_factory) -> Path:
    """A language model of two tiny layers."""
    from transformers import BertConfig, BertModel

    folder: Path = tmp_path_factory.mktemp("bert")
    BertModel(
        BertConfig(
            vocab_size=1000,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
        )
    ).save_pretrained(folder)
    return folder


def test_the_fusion_model_tells_its_epochs(memory, tmp_path, bert, monkeypatch):
    scores = []
    from ravl.tuning.trial import score

    def spied(recipe, data, folder, report):
        def both(value: float) -> None:
            scores.append(value)
            report(value)

        return score(recipe, data, folder, both)

    monkeypatch.setattr(tuning, "score", spied)
    out = tmp_path / "out"
    report = tuned(
        memory, out, trials=2, model="fusion", epochs=2, language_model=str(bert), batch_size=16
    )
    assert len(scores) == 4
    assert {"learning_rate", "num_evidence", "k", "label_smoothing"} <= set(report.best.parameters)
    assert {"batch_size", "model"}.isdisjoint(report.best.parameters)
    assert {"vote", "linear", "fusion"} <= set(report.metrics["levels"])
    assert "fusion - fusion_off" in report.metrics["differences"]
    assert not (out / "work").exists()


# --- the space -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("linear: {smothing: {float: [0, 1]}}", "'smothing', which is nothing that trials can"),
        ("linear: {seed: {int: [0, 9]}}", "'seed', which is nothing that trials can differ in"),
        (
            "deep: {label_smoothing: {float: [0, 0.1]}}",
            "block of settings for any of: vote, linear",
        ),
        ("linear: 3", "it must hold a block of settings"),
        ("- linear", "holds list; it must hold a block"),
        ("", "holds NoneType; it must hold a block"),
        ("linear: [", "is not valid YAML"),
        ("linear: {label_smoothing: 0.1}", "it must be one of choices, int, float, log, such as"),
        ("linear: {label_smoothing: {int: [0, 1]}}", "it can be: choices, float, log"),
        ("linear: {class_weights: {float: [0, 1]}}", "it can be: choices."),
        ("linear: {label_smoothing: {choices: []}}", "must list values"),
        ("linear: {label_smoothing: {float: [0.2, 0.1]}}", "must have a lower and a higher end."),
        ("linear: {label_smoothing: {float: [0.1]}}", "must have a lower and a higher end."),
        ("linear: {label_smoothing: {log: [0, 0.1]}}", "both above 0"),
        (
            "linear: {label_smoothing: {float: [low, high]}}",
            "lists 'low'; its values must be numbers",
        ),
        ("vote: {k: {int: [1, 2.5]}}", "lists 2.5; its values must be whole numbers"),
        (
            "linear: {label_smoothing: {float: [0, 2]}}",
            "label_smoothing is 2.0; it must be from 0 to below",
        ),
        ("linear: {class_weights: {choices: [all]}}", "class_weights is 'all'; it must be one"),
        ("fusion: {tune_language_model: {choices: [most]}}", "most"),
        ("fusion: {dropout: {float: [0, 0.1]}}", "Nothing is left to search for the model"),
    ],
)
def test_what_is_no_space(memory, tmp_path, text, says):
    (tmp_path / "space.yaml").write_text(text)
    with pytest.raises(DataError, match="space.yaml") as raised:
        tuned(memory, tmp_path / "out", space=tmp_path / "space.yaml")
    assert says in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_a_space_may_have_the_names_of_before(tmp_path):
    file = tmp_path / "space.yaml"
    file.write_text("linear: {smoothing: {float: [0, 0.1]}}\nfusion: {evidence: {int: [2, 4]}}\n")
    ranges = read_space(file, FitSettings, {}).ranges("auto")
    assert set(ranges) == {"label_smoothing", "num_evidence"}


def test_values_have_the_type_of_their_setting(tmp_path):
    file = tmp_path / "space.yaml"
    file.write_text(
        "vote: {k: {log: [1, 100]}}\n"
        "linear: {propagate_labels: {choices: [no, yes, auto]}, augment: {choices: [yes, no]}}\n"
        "fusion: {learning_rate: {log: [1e-4, 1e-3]}, epochs: {int: [2, 4]}}\n"
    )
    ranges = read_space(file, FitSettings, {}).ranges("auto")
    assert ranges["k"].values == (1, 100)
    assert ranges["propagate_labels"].values == ("no", "yes", "auto")
    assert ranges["augment"].values == (True, False)
    assert ranges["learning_rate"].values == (1e-4, 1e-3)
    assert type(ranges["epochs"].values[0]) is int


def test_the_space_that_comes_with_it():
    whole = read_space(SEARCHED, FitSettings, {})
    assert set(whole.ranges("vote")) < set(whole.ranges("linear")) < set(whole.ranges("auto"))
    assert "k" not in read_space(SEARCHED, FitSettings, {"k": 8}).ranges("auto")
    assert SEARCHED.read_text().count("#") > 20  # its ranges have reasons


# --- errors --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"task": "search"}, "'search' cannot be tuned"),
        ({"trials": 0}, "trials is 0; it must be at least 1"),
        ({"timeout": 0}, "timeout is 0; it must be more than 0 seconds"),
        ({"smothing": 0.1}, "There is no setting 'smothing'"),
        ({"label_smoothing": 2}, "label_smoothing is 2"),
        ({"space": "gone.yaml"}, "The space in gone.yaml cannot be read: No such file"),
    ],
)
def test_errors_are_sentences(memory, tmp_path, options, says):
    with pytest.raises(DataError, match=says):
        tuned(memory, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_without_optuna(memory, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(DataError, match=r'pip install "ravl\[tune\]"'):
        tuned(memory, tmp_path / "out")


def test_importances_need_something_to_compare(tmp_path):
    import optuna

    study = Study(optuna, tmp_path / "study.journal")
    space = read_space(SEARCHED, FitSettings, {})
    for number in range(5):
        assert study.importances() == []
        study.run(
            lambda s, _: {"accuracy": s["label_smoothing"], "log_loss": 0.0},
            space,
            "linear",
            "accuracy",
        )
        assert len(study.ended()) == number + 1
    found = dict(study.importances())
    assert set(found) == {"k", "label_smoothing", "class_weights"}
    assert sum(found.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("task", "level"),
    [
        ("classify", "linear"),
        ("match", "linear"),
        ("caption", "generator"),
        ("ask", "linear"),
        ("ask_open", "generator"),
    ],
)
def test_each_task_has_a_space_for_its_own_settings(task: str, level: str) -> None:
    tuned = task_named(task)
    assert read_space(tuned.search_space(), tuned.settings(), {}).levels.get(level)
