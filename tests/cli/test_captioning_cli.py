"""ravl caption and ravl augment from the shell, with a run and with a memory alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ravl.memory import Memory
from ravl.tasks.caption.settings import CaptionSettings
from ravl.tasks.caption.task import CaptionTask
from tests.helpers import ColourEncoder, draw
from tests.tasks.caption.coloured import coloured

pytestmark = pytest.mark.usefixtures("by_name")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A memory with a run that votes, and a picture without a caption."""
    made = tmp_path_factory.mktemp("captions")
    with Memory.create(made / "shop.ravl", ColourEncoder()) as memory:
        memory.add(coloured(made / "pictures", 80))
        CaptionTask().fit(
            memory,
            made / "run",
            CaptionSettings(model="vote", k=8),
            progress=False,
            validation="part = 'validation'",
            test="part = 'test'",
        )
    draw(9999, "red", (48, 32)).save(made / "new.png")
    return Path(made)


def test_a_memory_describes_without_a_run(run, folder):
    code, said, err = run(
        "caption",
        folder / "shop.ravl",
        folder / "new.png",
        "--num-return-sequences",
        2,
        "--evidence",
        1,
    )
    assert (code, err) == (0, "")
    lines = said.splitlines()
    assert lines[0].startswith(f"{folder / 'new.png'}\tred ")
    assert lines[1].startswith("    or: ")
    assert "memory 100 %" in lines[2]
    assert len(lines) == 4


def test_a_run_answers_as_json(run, folder):
    code, said, _ = run(
        "caption",
        folder / "run",
        folder / "new.png",
        "--json",
        "--abstain",
        0.5,
        "--require",
        "below number",
        "--forbid",
        "7",
    )
    assert code == 0
    (found,) = json.loads(said)
    assert "below number" in found["text"]
    assert found["written"] is False
    assert found["evidence"]


def test_another_column_by_its_name(run, folder):
    code, said, _ = run(
        "caption", folder / "shop.ravl", folder / "new.png", "--target", "code", "--evidence", 0
    )
    assert code == 0
    assert '{"colour": "red"}' in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--stream",), "generator"),
        (("--no-retrieval",), "generator"),
        (("--schema", "nowhere.json"), "cannot be read"),
        (("--require", "red", "--forbid", "red"), "both required and forbidden"),
        (("--max-new-tokens", "-1"), "max_new_tokens is -1"),
        (("--target", "poem"), "column 'poem'"),
        (("--generator", "gpt"), "no generator 'gpt'"),
        (("--generator", "openai:http://127.0.0.1:9/v1"), "127.0.0.1"),
    ],
)
def test_errors_are_sentences(run, folder, options, words):
    code, said, err = run("caption", folder / "shop.ravl", folder / "new.png", *options)
    assert code == 1
    assert said == ""
    assert err.startswith("ravl: ")
    assert words in err


def test_no_control_character_reaches_the_terminal(run, tmp_path):
    from dataclasses import replace

    rows = [replace(e, texts=("red \x1b[31m\x07 text",)) for e in coloured(tmp_path / "p", 8)]
    with Memory.create(tmp_path / "bad.ravl", ColourEncoder()) as memory:
        memory.add(rows)
    code, said, _ = run("caption", tmp_path / "bad.ravl", tmp_path / "p" / "000.png")
    assert code == 0
    assert "\x1b" not in said
    assert "\x07" not in said


def test_augment_writes_for_silent_pictures(run, folder, tmp_path):
    with Memory.create(tmp_path / "half.ravl", ColourEncoder()) as memory:
        memory.add(coloured(folder / "pictures", 80))
        for row in list(memory.rows())[:5]:
            memory.update(row.id, texts=())
    where = ("augment", folder / "run", "--memory", tmp_path / "half.ravl")
    code, said, err = run(*where, "--limit", 3)
    assert (code, err) == (0, "")
    assert said.startswith("3 rows of half.ravl now have a generated_caption; 0 were too unsure")
    code, said, _ = run(*where, "--json")
    assert json.loads(said)["written"] == 2
    code, said, _ = run("list", tmp_path / "half.ravl", "--where", "generated_by = 'run'", "--json")
    assert len(json.loads(said)) == 5


def test_a_server_writes_with_the_evidence_before_it(run, folder):
    from tests.models.generation.fake_server import serving

    with serving() as server:
        code, said, err = run(
            "caption",
            folder / "shop.ravl",
            folder / "new.png",
            "--evidence",
            0,
            "--generator",
            f"openai:{server.address}",
            "--instruction",
            "in three words",
        )
        asked = json.dumps(server.asked)
    assert (code, err) == (0, "")
    assert said.startswith(f"{folder / 'new.png'}\t")
    assert "in three words" in asked
    assert "below number" in asked  # what the neighbours say
    assert "data:image" in asked
