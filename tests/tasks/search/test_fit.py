from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ravl.cli import main
from ravl.encoders.trained import TrainedEncoder
from ravl.errors import DataError, RavlError
from ravl.memory import Memory
from ravl.tasks.fit import fit
from ravl.tasks.search import fit as retriever
from ravl.training.dual_encoder.heads import RetrieverModel
from tests.encoders import tiny
from tests.forgetting.known import unknown_files
from tests.helpers import make_examples
from tests.training.painted import SETTINGS, STEPS, Scrambled, fitted, paint, unlike
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]


def weights(out: Path) -> dict[str, np.ndarray]:
    encoder = TrainedEncoder.load(out, Scrambled())
    return {
        f"{side}.{name}": value
        for side, head in (("picture", encoder.picture_head), ("text", encoder.text_head))
        for name, value in head.arrays().items()
    }


def check_same(one: Path, other: Path, within: float = 1e-6) -> None:
    mine_hard_negatives, theirs = weights(one), weights(other)
    assert mine_hard_negatives.keys() == theirs.keys()
    for name, value in mine_hard_negatives.items():
        np.testing.assert_allclose(value, theirs[name], atol=within, err_msg=name)


def figures(out: Path) -> dict[str, object]:
    record: dict[str, object] = json.loads((out / "metrics.json").read_text())
    return {"metrics": record["metrics"], "hubness": record["hubness"]}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a memory that was trained on; its run is ``run``."""
    folder: Path = tmp_path_factory.mktemp("made")
    with Memory.create(folder / "painted.ravl", Scrambled()) as memory:
        memory.add(paint(folder / "pictures"))
        fitted(memory, folder / "run")
    return folder


@pytest.fixture
def trained(made, tmp_path) -> Iterator[Memory]:
    """The trained memory, for a test that changes it."""
    folder = Path(shutil.copytree(made, tmp_path / "made"))
    with Memory.open(folder / "painted.ravl", Scrambled()) as memory:
        yield memory


# --- what it gains -------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["infonce", pytest.param("sigmoid", marks=pytest.mark.slow)])
def test_texts_find_their_pictures_afterwards(painted, tmp_path, loss):
    report = fitted(
        painted, tmp_path / "run", loss=loss, trained_weight=1.0
    )  # all of it is trained
    for direction in ("text -> picture", "picture -> text"):
        moments = report.metrics[direction]
        assert moments["before"]["R@10"]["value"] < 0.6
        assert moments["after"]["R@10"]["value"] > 0.6
        assert moments["difference"]["R@10"]["low"] > 0.1
    assert len(report.curve) == SETTINGS["epochs"]
    assert painted.hubness == report.hubness


def test_the_memory_has_the_trained_space(trained, made):
    assert isinstance(trained.encoder, TrainedEncoder)
    assert trained.info().dimension == 16 + 48
    rows = list(trained)
    hits = trained.search([row.texts[0] for row in rows], k=10, mode="dense")
    found = [row.id in [h.id for h in own] for row, own in zip(rows, hits, strict=True)]
    assert np.mean(found) > 0.5  # by chance it would be 0.16
    assert trained.search(image=rows[5].path, k=1)[0].id == rows[5].id
    kept = TrainedEncoder.load(made / "run", Scrambled())
    assert kept.spec == trained.encoder.spec
    pictures = [trained.picture(r) for r in trained]
    np.testing.assert_allclose(trained.vectors().matrix, kept.embed_pictures(pictures), atol=2e-3)
    texts = [text for r in trained for text in r.texts]
    expected = kept.embed_texts(texts)
    np.testing.assert_allclose(trained.vectors("text_vectors").matrix, expected, atol=2e-3)


def test_indexing_goes_on_in_the_trained_space(trained, tmp_path):
    more = paint(tmp_path / "more", 8, first=64)
    assert trained.add(more).added == 8
    assert trained.info().without_vector == 0
    found = trained.search(more[0].texts[0], k=20, mode="dense")
    assert more[0].id in [hit.id for hit in found]


def test_no_picture_is_looked_at_and_no_text_is_read_again(painted, scrambled, tmp_path):
    (tmp_path / "pictures").rename(tmp_path / "aside")
    scrambled.looked = scrambled.read = 0
    fitted(painted, tmp_path / "run")
    assert scrambled.looked == scrambled.read <= 2  # the probe of a fingerprint
    assert (tmp_path / "run" / "report.html").exists()  # without the pictures that are gone


def test_the_run_is_on_record(made):
    run = made / "run"
    assert {p.name for p in run.iterdir()} == {
        "config.json",
        "encoder",
        "metrics.json",
        "report.html",
    }
    assert not unknown_files(run)
    config = json.loads((run / "config.json").read_text())
    assert config["task"] == "search"
    assert config["validation"] == "part = 'validation'"
    assert SETTINGS.items() <= config["settings"].items()
    record = json.loads((run / "metrics.json").read_text())
    assert record["pictures"] == {"train": 26, "validation": 13, "test": 25}
    assert len(record["curve"]) == SETTINGS["epochs"]
    page = (run / "report.html").read_text()
    assert "text -&gt; picture" in page or "text -> picture" in page
    assert 'src="data:image/' in page
    assert not re.search(r"https?://|<script", page)


def test_without_filters_the_parts_are_drawn(painted, tmp_path):
    fitted(painted, tmp_path / "run", validation=None, test=None, validation_share=0.25, epochs=1)
    record = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert record["pictures"] == {"train": 42, "validation": 16, "test": 6}


def test_the_path_of_a_memory_will_do(painted, tmp_path):
    painted.close()
    with pytest.raises(RavlError, match="There is no encoder 'scrambled'"):
        fit("search", painted.path, out=tmp_path / "run", progress=False)


@pytest.mark.parametrize("hard", [0, pytest.param(3, marks=pytest.mark.slow)])
def test_the_same_seed_gives_the_same_weights(painted, made, tmp_path, hard):
    other = made / "run"
    if hard:
        other = tmp_path / "other"
        fitted(painted, other, hard_negatives=hard)
    fitted(painted, tmp_path / "run", hard_negatives=hard)  # from the trained space, if it has one
    check_same(tmp_path / "run", other)
    fitted(painted, tmp_path / "third", hard_negatives=hard, seed=1)
    with pytest.raises(AssertionError):
        check_same(tmp_path / "third", other)


def test_training_again_starts_from_the_base(trained, tmp_path, made):
    fitted(trained, tmp_path / "again")
    # Its text vectors are computed anew, and were the memory's, in float16.
    check_same(tmp_path / "again", made / "run", within=5e-2)
    before = [
        json.loads((run / "metrics.json").read_text())["metrics"]["text -> picture"]["before"]
        for run in (tmp_path / "again", made / "run")
    ]
    assert before[0]["MRR"]["value"] == pytest.approx(before[1]["MRR"]["value"], abs=0.02)
    fitted(trained, tmp_path / "other", dimension=8)
    assert trained.info().dimension == 8 + 48
    assert TrainedEncoder.load(tmp_path / "other", Scrambled()).base.spec == "scrambled"


def test_training_stops_when_nothing_gets_better(painted, tmp_path):
    report = fitted(painted, tmp_path / "run", learning_rate=1e-9, patience=2, epochs=9)
    assert len(report.curve) == 3


# --- what is refused -----------------------------------------------------------------------


def test_a_finished_folder_is_refused(trained, made):
    with pytest.raises(DataError, match="holds a finished run. Name another folder with --out"):
        fitted(trained, made / "run")


def test_a_folder_of_something_else_is_refused(painted, tmp_path):
    with pytest.raises(DataError, match="pictures is not empty. Name a new folder"):
        fitted(painted, tmp_path / "pictures")


@pytest.fixture
def interrupted(painted, tmp_path, monkeypatch) -> Path:
    """A run that was stopped before re-embedding."""
    with monkeypatch.context() as patch:
        patch.setattr(Memory, "reembed", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fitted(painted, tmp_path / "run")
    return Path(tmp_path / "run")


def test_a_run_with_other_settings_is_refused(painted, interrupted):
    for changes in ({"epochs": 3}, {"test": "part != 'train'"}):
        with pytest.raises(DataError, match="was interrupted and had other settings"):
            fitted(painted, interrupted, **changes)


def test_a_memory_that_changed_meanwhile_is_refused(painted, interrupted, tmp_path):
    painted.add(paint(tmp_path / "pictures", 4, first=64))
    with pytest.raises(DataError, match="have changed since the run in .*run was interrupted"):
        fitted(painted, interrupted)


@pytest.mark.parametrize(
    ("task", "settings", "says"),
    [
        ("dreams", {}, "no task 'dreams'; there are: search, match, classify"),
        (
            "search",
            {"epoch": 3},
            "no setting 'epoch'; there are: epochs, batch_size, .* loss, .* test_share",
        ),
        ("search", {"epochs": 0}, "epochs is 0; it must be at least 1"),
        ("search", {"learning_rate": 0.0}, "learning_rate is 0.0; it must be more than 0"),
        ("search", {"learning_rate": float("nan")}, "learning_rate is nan"),
        ("search", {"loss": "hinge"}, "loss is 'hinge'; it must be one of infonce, sigmoid"),
        ("search", {"hidden": -1}, "hidden is -1; it must not be negative"),
        ("search", {"dropout": 1.0}, "dropout is 1.0; it must be from 0 to below 1"),
        ("search", {"trained_weight": 0.0}, "trained_weight is 0.0"),
        ("search", {"paraphrase": -1}, "paraphrase is -1; it must not be negative"),
        ("search", {"tune_vision": "nonsense"}, "strategy is 'nonsense'; it must be head, lora"),
        ("search", {"vision_side": 288}, "vision_side is 288, but no picture network is tuned"),
        (
            "search",
            {"tune_vision": "top:1", "vision_side": 9},
            "vision_side is 9; it must be from 32 to 1024",
        ),
        ("search", {"tune_vision": "top:1", "vision_side": 9999}, "vision_side is 9999"),
        ("search", {"test": "part = 'nothing'"}, "names no picture"),
    ],
)
def test_what_cannot_be_trained_is_a_sentence(painted, tmp_path, task, settings, says):
    before = painted.info().encoder
    with pytest.raises(DataError, match=says):
        fit(task, painted, out=tmp_path / "run", progress=False, **settings)
    assert painted.info().encoder == before
    assert not (tmp_path / "run").exists()  # it is free for other words


def test_a_loss_that_is_no_number_leaves_the_memory_alone(painted, tmp_path):
    with pytest.raises(RavlError, match="no longer a number"):
        fitted(painted, tmp_path / "run", learning_rate=1e38)
    assert painted.info().encoder == "scrambled"
    assert fitted(painted, tmp_path / "run", epochs=1).curve  # the folder is free again


def test_a_space_that_is_no_better_is_not_adopted(painted, tmp_path, monkeypatch):
    monkeypatch.setattr(retriever, "recall", lambda held, space, _: space is held.before)
    report = fitted(painted, tmp_path / "run", epochs=1)
    assert not report.adopted
    assert painted.info().encoder == "scrambled"
    assert painted.hubness == 0
    assert "gained nothing" in (tmp_path / "run" / "report.html").read_text("utf-8")
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["adopted"] is False


# --- going on where it stopped -------------------------------------------------------------


def test_stopped_before_reembedding_it_does_not_train_again(
    painted, interrupted, made, monkeypatch
):
    assert painted.info().encoder == "scrambled"
    monkeypatch.setattr("ravl.training.dual_encoder.train.train", None)
    report = fitted(painted, interrupted)
    assert len(report.curve) == SETTINGS["epochs"]
    assert painted.info().encoder.startswith("trained:")
    assert figures(interrupted) == figures(made / "run")


def test_stopped_before_the_report_it_measures_the_same(tmp_path, monkeypatch):
    """Then the memory has the trained space, and the base's text vectors are gone."""
    examples = unlike(paint(tmp_path / "pictures"))
    for name in ("whole", "stopped"):
        with Memory.create(tmp_path / f"{name}.ravl", Scrambled()) as memory:
            memory.add(examples)
            if name == "stopped":
                with monkeypatch.context() as patch, pytest.raises(TypeError):
                    patch.setattr(retriever, "write_report", None)
                    fitted(memory, tmp_path / name)
                assert memory.info().encoder.startswith("trained:")
            fitted(memory, tmp_path / name)
    for name, moments in figures(tmp_path / "whole")["metrics"].items():  # type: ignore[attr-defined]
        again = figures(tmp_path / "stopped")["metrics"][name]  # type: ignore[index]
        # Vectors come from the memory in float16, or anew.
        for metric, score in moments["after"].items():
            assert again["after"][metric]["value"] == pytest.approx(score["value"], abs=0.03)


def stop_after(monkeypatch, memory: Memory, out: Path, epochs: int, **changes: object) -> None:
    """Interrupt a fit in the middle of the epoch that follows so many."""
    steps = iter(range(STEPS * epochs + 2))
    forward = RetrieverModel.forward

    def stops(self, **inputs):
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return forward(self, **inputs)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(RetrieverModel, "forward", stops)
        fitted(memory, out, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        pytest.param(  # it stops early
            {"learning_rate": 1e-9, "patience": 4}, marks=pytest.mark.slow
        ),
        pytest.param({"hard_negatives": 3, "hidden": 4}, marks=pytest.mark.slow),
    ],
)
def test_interrupted_training_ends_with_the_same_weights(painted, tmp_path, monkeypatch, changes):
    stop_after(monkeypatch, painted, tmp_path / "run", 3, **changes)
    assert not (tmp_path / "run" / "encoder").exists()
    report = fitted(painted, tmp_path / "run", **changes)
    whole = fitted(painted, tmp_path / "whole", **changes)
    assert [score for _, score in report.curve] == [score for _, score in whole.curve]
    check_same(tmp_path / "run", tmp_path / "whole")


@pytest.mark.parametrize("lost", ["optimizer.pt", "half"])
def test_half_a_checkpoint_is_passed_over(painted, tmp_path, monkeypatch, made, lost):
    stop_after(monkeypatch, painted, tmp_path / "run", 3)
    folder = tmp_path / "run" / "work" / "checkpoints"
    newest = max(folder.iterdir(), key=lambda p: int(p.name.split("-")[1]))
    if lost == "half":
        state = newest / "trainer_state.json"
        state.write_text(state.read_text()[:100])
    else:  # files are written in this order
        (newest / "trainer_state.json").unlink()
        (newest / lost).unlink()
    fitted(painted, tmp_path / "run")
    check_same(tmp_path / "run", made / "run")


def saved_or_ended(process: subprocess.Popen[str], checkpoints: Path, steps: int) -> bool:
    """Whether a training has a checkpoint of so many steps, or will never have one."""
    saved = any(int(p.name.split("-")[1]) >= steps for p in checkpoints.glob("*-*"))
    return saved or process.poll() is not None


@pytest.mark.slow
def test_kill_9_in_the_middle_of_training(painted, tmp_path):
    painted.close()
    other = Path(shutil.copy(painted.path, tmp_path / "other.ravl"))
    changes = {"epochs": 120, "patience": 120}
    out = tmp_path / "run"

    def start(folder: Path, file: Path = painted.path, wait_at: str = "") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.training.painted",
                str(file),
                str(folder),
                json.dumps(changes),
                *([wait_at] if wait_at else []),
            ],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    for least in (1, 10, 30):
        process = start(out, wait_at=str(STEPS * (least + 5)))
        wait_until(partial(saved_or_ended, process, out / "work/checkpoints", STEPS * least))
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        assert "done" not in process.communicate()[0]
        assert not (out / "encoder").exists()
    with Memory.open(painted.path, Scrambled()) as memory:
        assert memory.info().encoder == "scrambled"
        assert memory.search("red and blue", k=3)
    assert "done" in start(out).communicate()[0]
    assert "done" in start(tmp_path / "whole", other).communicate()[0]
    check_same(out, tmp_path / "whole")


# --- a real model, and the command line ------------------------------------------------------


@pytest.fixture
def always_better(monkeypatch):
    """Adopt the trained space whatever it is worth: random networks need not gain anything."""
    monkeypatch.setattr(retriever, "recall", lambda held, space, _: space is held.after)


def test_a_model_of_transformers_is_trained_on_and_the_memory_reopens(tmp_path, always_better):
    model = tiny.make("clip", tmp_path / "clip")
    with Memory.create(tmp_path / "shop.ravl", f"hf:{model}") as memory:
        memory.add(make_examples(tmp_path / "pictures", 24))
        fit(
            "search", memory, out=tmp_path / "run", progress=False, epochs=2, batch_size=8, hidden=0
        )
        found = memory.search("a red picture", k=24, mode="dense")
    with Memory.open(tmp_path / "shop.ravl") as memory:
        assert memory.info().encoder.startswith("trained:")
        again = memory.search("a red picture", k=24, mode="dense")
        assert [h.id for h in again] == [h.id for h in found]
        assert memory.encoder.base.spec == f"hf:{model}"  # type: ignore[attr-defined]
    assert TrainedEncoder.load(tmp_path / "run").base.spec == f"hf:{model}"


@pytest.fixture
def ravl(capsys):
    """Run a command as the shell would: exit code, output, errors."""

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def test_on_the_command_line(ravl, tmp_path, always_better):
    file, model = tmp_path / "shop.ravl", tiny.make("clip", tmp_path / "clip")
    with Memory.create(file, f"hf:{model}") as memory:
        memory.add(make_examples(tmp_path / "pictures", 24))
    command = (
        "fit",
        "search",
        file,
        "--epochs",
        2,
        "--batch-size",
        8,
        "--dimension",
        12,
        "--hidden",
        0,
    )
    code, out, _ = ravl(*command, "--out", tmp_path / "one", "--test", "price >= 20")
    assert code == 0
    assert re.search(r"Trained \d+ s, 2 epochs", out)
    assert re.search(r"text -> picture +R@10 .* -> .*\(", out)
    assert f"The report: {tmp_path / 'one' / 'report.html'}" in out
    assert "trained:" in ravl("info", file)[1]
    code, out, err = ravl(*command, "--out", tmp_path / "two", "--json")
    record = json.loads(out)
    assert set(record) == {"out", "adopted", "hubness", "metrics"}
    assert record["metrics"] == json.loads((tmp_path / "two/metrics.json").read_text())["metrics"]
    assert err == ""
    assert ravl(*command, "--out", tmp_path / "three", "--seed", 1, "--quiet") == (0, "", "")
    code, out, err = ravl(*command, "--out", tmp_path / "three")
    assert (code, out) != (0, "")
    assert "holds a finished run" in err
    code, out, err = ravl(*command, "--out", tmp_path / "four", "--dropout", 2)
    assert "dropout is 2.0" in err
    assert "Traceback" not in err


def test_an_interrupted_command_says_how_it_goes_on(ravl, tmp_path, monkeypatch):
    file, model = tmp_path / "shop.ravl", tiny.make("clip", tmp_path / "clip")
    with Memory.create(file, f"hf:{model}") as memory:
        memory.add(make_examples(tmp_path / "pictures", 24))

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    command = ("fit", "search", file, "--out", tmp_path / "run", "--epochs", 1, "--hidden", 0)
    with monkeypatch.context() as patch:
        patch.setattr(RetrieverModel, "forward", interrupt)
        code, out, err = ravl(*command)
    assert (code, out) == (130, "")
    assert "Interrupted. Repeat the same command to continue where it stopped." in err.splitlines()
    with monkeypatch.context() as patch:  # of several processes, only the first ends it and tells
        patch.setenv("RANK", "1")
        assert ravl(*command) == (0, "", "")
    assert not (tmp_path / "run" / "metrics.json").exists()
    code, out, _ = ravl(*command)
    assert code == 0
    assert f"The report: {tmp_path / 'run' / 'report.html'}" in out


@pytest.mark.parametrize(
    "code", ["from ravl.tasks.fit import fit", "from ravl.cli import main; main(['fit', '--help'])"]
)
def test_torch_is_imported_only_to_train(code):
    code = f"import sys, atexit\natexit.register(lambda: print('torch' in sys.modules))\n{code}\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
