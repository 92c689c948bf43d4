"""ravl fit, classify, tag and evaluate from the shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ravl.memory import Memory
from tests.encoders import tiny
from tests.helpers import ColourEncoder, draw
from tests.labelled import shades, table
from tests.training.painted_labels import FUSION

pytestmark = pytest.mark.usefixtures("by_name")


@pytest.fixture
def picture(tmp_path) -> Path:
    draw(9999, "red", (48, 32)).save(tmp_path / "new.png")
    return Path(tmp_path / "new.png")


def fusion_options(language) -> list[object]:
    found: list[object] = ["--language-model", language, "--epochs", 1]
    for name, value in FUSION.items():
        if name not in ("model", "epochs"):
            found += ["--" + name.replace("_", "-"), value]
    return found


@pytest.mark.parametrize(
    ("task", "model"),
    [
        ("classify", "vote"),
        ("classify", "linear"),
        ("classify", "auto"),
        ("tag", "vote"),
        ("tag", "linear"),
        ("tag", "fusion"),
    ],
)
def test_fit_and_answer(run, fitted, tmp_path, picture, language, task, model):
    shop, out = fitted / "shop.ravl", tmp_path / "run"
    code, said, err = run(
        "fit", task, shop, "--out", out, "--model", model, *fusion_options(language)
    )
    assert code == 0, err
    assert "zero-shot" in said and "neighbour vote" in said
    assert f"The report: {out / 'report.html'}" in said
    assert "the run answers with: " in said
    assert json.loads((out / "run.json").read_text())["command"].startswith(f"ravl fit {task} ")
    code, said, err = run(task, out, picture)
    assert (code, err) == (0, "")
    first, gate, *evidence = said.splitlines()
    assert first.startswith(f"{picture}\t")
    assert ("red" if task == "classify" else "drawn") in first
    assert "memory" in gate and "%" in gate
    assert len(evidence) == 3
    assert "_0" in evidence[0]


def test_answers_as_json(run, fitted, picture):
    code, out, err = run("classify", fitted / "linear", picture, picture, "--json", "-k", 4)
    assert (code, err) == (0, "")
    records = json.loads(out)
    assert [r["picture"] for r in records] == [str(picture)] * 2
    assert records[0]["label"] == "red"
    assert len(records[0]["evidence"]) == 4
    assert sum(e["share"] for e in records[0]["evidence"]) == pytest.approx(
        records[0]["gate"], abs=1e-3
    )
    tags = json.loads(run("tag", fitted / "tags", picture, "--json")[1])[0]
    assert "drawn" in tags["tags"]


def test_how_to_answer(run, fitted, picture):
    run_folder = fitted / "linear"
    alone = json.loads(run("classify", run_folder, picture, "--no-retrieval", "--json")[1])[0]
    assert (alone["gate"], alone["evidence"]) == (0, [])
    vote = json.loads(run("classify", run_folder, picture, "--vote-only", "--json")[1])[0]
    assert (vote["gate"], vote["model"]) == (1, {})
    code, out, _ = run("classify", run_folder, picture, "--abstain", 0.001)
    assert "(abstains)" in out
    code, out, _ = run("classify", run_folder, picture, "--evidence", 0)
    assert out.count("\n") == 1
    code, out, err = run("classify", run_folder, picture, "--no-retrieval", "--vote-only")
    assert (code, out) == (1, "")
    assert err == "ravl: Without retrieval there is no vote. Leave one of the two out.\n"


def test_folders_of_pictures(run, fitted):
    code, out, _ = run("classify", fitted / "linear", fitted / "pictures", "--evidence", 0)
    assert out.count("\n") == 48


def test_a_memory_elsewhere(run, fitted, picture, tmp_path):
    moved = (fitted / "shop.ravl").rename(tmp_path / "moved.ravl")
    record = json.loads((fitted / "linear" / "run.json").read_text())
    record["memory"] = {"path": "/gone.ravl", "relative": "../gone.ravl"}
    (fitted / "linear" / "run.json").write_text(json.dumps(record))
    code, _, err = run("classify", fitted / "linear", picture)
    assert code == 1
    assert "is not there. If it has moved, name it with --memory" in err
    code, out, _ = run("classify", fitted / "linear", picture, "--memory", moved)
    assert code == 0
    assert "red" in out


def test_a_second_look_by_a_run_that_cannot_is_a_sentence(run, fitted, tmp_path):
    search = ("search", fitted / "shop.ravl", "red", "--rerank")
    code, out, err = run(*search, fitted / "linear")
    assert (code, out) == (1, "")
    assert "was fitted for classify, not for match" in err
    code, out, err = run(*search, tmp_path / "missing")
    assert (code, out) == (1, "")
    assert "missing holds no fitted run" in err


def test_evaluate(run, fitted, tmp_path):
    file = table(tmp_path / "new.csv", shades(tmp_path / "new", 16, first=500))
    code, out, err = run("evaluate", fitted / "linear", "--data", file)
    assert (code, err) == (0, "")
    assert out.startswith("16 pictures, 0 set aside.")
    assert "with_retrieval" in out and "accuracy" in out
    found = json.loads(run("evaluate", fitted / "tags", "--data", "number < 9", "--json")[1])
    assert (found["task"], found["pictures"]) == ("tag", 9)


def test_a_table_with_columns_of_its_own(run, fitted, tmp_path):
    examples = shades(tmp_path / "told", 40, first=100)
    lines = [f"told/{e.id},{e.label}" for e in examples]
    (tmp_path / "t.csv").write_text("\n".join(["datei,art", *lines]) + "\n")
    code, out, err = run(
        "fit",
        "classify",
        fitted / "shop.ravl",
        "--data",
        tmp_path / "t.csv",
        "--out",
        tmp_path / "run",
        "--model",
        "linear",
        "--image-column",
        "datei",
        "--label-column",
        "art",
        "--no-add-to-memory",
    )
    assert code == 0, err
    with Memory.open(fitted / "shop.ravl", ColourEncoder()) as memory:
        assert len(memory) == 48


def test_json_and_quiet(run, fitted, tmp_path):
    command = ("fit", "classify", fitted / "shop.ravl", "--model", "vote", "--out")
    code, out, err = run(*command, tmp_path / "one", "--json")
    assert (code, err) == (0, "")
    record = json.loads(out)
    assert (record["task"], record["chosen"]) == ("classify", "vote")
    assert record["rows"] == json.loads((tmp_path / "one/metrics.json").read_text())["rows"]
    assert run(*command, tmp_path / "two", "--quiet") == (0, "", "")


def test_settings_from_a_file_and_from_options(run, fitted, tmp_path):
    (tmp_path / "s.yaml").write_text("model: vote\nk: 8\nlearning_rate: 1e-4\n")
    command = ("fit", "classify", fitted / "shop.ravl", "--config", tmp_path / "s.yaml", "--quiet")
    assert run(*command, "--out", tmp_path / "one")[0] == 0
    assert run(*command, "--out", tmp_path / "two", "-q", "--k", 16)[0] == 0
    ks = [json.loads((tmp_path / n / "run.json").read_text())["vote"]["k"] for n in ("one", "two")]
    assert ks == [8, 16]
    (tmp_path / "s.yaml").write_text("epochs: five\n")
    code, _, err = run(*command, "--out", tmp_path / "three")
    assert code == 1
    assert err == "ravl: epochs is 'five'; it must be a whole number.\n"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--test", "number > 999"), "names no labelled picture for test"),
        (("--dropout", 2), "dropout is 2.0; it must be from 0 to below 1"),
        (("--column", "none"), "No picture that could be read has a value in the column 'none'"),
        (("--config", "gone.yaml"), "The settings in gone.yaml cannot be read"),
        (("--model", "tree"), "'tree' is not one of"),
        (("--tune-language-model", "top:9x"), "must be head, lora, full, or top:N"),
    ],
)
def test_what_is_refused_is_a_sentence(run, fitted, tmp_path, options, says):
    code, out, err = run(
        "fit", "classify", fitted / "shop.ravl", "--out", tmp_path / "run", *options
    )
    assert (code, out) != (0, "")
    assert says in err
    assert "Traceback" not in err
    assert not (tmp_path / "run").exists()


def test_answers_that_cannot_be_given(run, fitted, picture, tmp_path):
    cases: tuple[tuple[tuple[object, ...], str], ...] = (
        (("tag", fitted / "linear", picture), "was fitted for classify, not for tag"),
        (("classify", tmp_path / "none", picture), "holds no fitted run"),
        (("classify", fitted / "linear", tmp_path / "gone.png"), "gone.png"),
        (("evaluate", fitted / "linear", "--data", tmp_path / "gone.csv"), "gone.csv"),
    )
    for command, says in cases:
        code, out, err = run(*command)
        assert (code, out) == (1, "")
        assert err.startswith("ravl: ")
        assert str(says) in err


def test_every_setting_is_an_option_with_help(run):
    for task in ("classify", "tag"):
        code, out, _ = run("fit", task, "--help")
        assert code == 0
        for option in ("--language-model", "--k", "--add-to-memory", "--min-examples"):
            assert option in out
        assert "[default: " in out


def test_a_real_encoder(run, tmp_path, picture, capsys):
    """A model of transformers; the memory is opened by its path."""
    model = tiny.make("clip", tmp_path / "clip")
    shop = tmp_path / "shop.ravl"
    with Memory.create(shop, f"hf:{model}") as memory:
        memory.add(shades(tmp_path / "pictures", 24, ("red", "blue")))
    capsys.readouterr()  # what transformers says as it saves the model
    assert run("fit", "classify", shop, "--out", tmp_path / "run", "--model", "linear", "-q") == (
        0,
        "",
        "",
    )
    code, out, err = run("classify", tmp_path / "run", picture, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)[0]["label"] in ("red", "blue")
