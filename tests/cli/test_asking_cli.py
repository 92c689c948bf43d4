"""ravl ask from the shell, with a run and with a memory alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ravl.data import Example
from ravl.memory import Memory
from tests.helpers import ColourEncoder, draw
from tests.tasks.ask.asked import KIND, TASTE, asked

pytestmark = pytest.mark.usefixtures("by_name")


@pytest.fixture
def shop(tmp_path) -> Path:
    with Memory.create(tmp_path / "shop.ravl", ColourEncoder()) as memory:
        memory.add(asked(tmp_path / "pictures", 32))
    return Path(tmp_path / "shop.ravl")


@pytest.fixture
def picture(tmp_path) -> Path:
    draw(9999, "red", (48, 32)).save(tmp_path / "new.png")
    return Path(tmp_path / "new.png")


def test_a_memory_answers_without_a_run(run, shop, picture):
    code, said, err = run("ask", shop, picture, KIND, TASTE, "--evidence", 2)
    assert (code, err) == (0, "")
    lines = said.splitlines()
    assert lines[0].startswith(f"{KIND}\tred  ")
    assert lines[2].endswith(f"{KIND} red")
    assert "red_" in lines[2]
    assert lines[4].startswith(f"{TASTE}\thot  ")
    assert len(lines) == 8
    code, said, _ = run("ask", shop, picture, KIND, "--json")
    found = json.loads(said)[0]
    assert (found["picture"], found["question"], found["answer"]) == (str(picture), KIND, "red")
    assert found["evidence"][0]["says"] == [KIND, "red"]


def test_a_text_is_shown_as_it_is_cited(run, shop, picture):
    with Memory.open(shop, ColourEncoder()) as memory:
        memory.add([Example("plums", texts=("The purple plum grows in Kazakhstan.",))])
    code, said, _ = run("ask", shop, picture, "purple plum grows in Kazakhstan?")
    assert code == 0
    assert "\tThe purple plum grows in Kazakhstan." in said.splitlines()[0]
    assert "plums" in said.splitlines()[1]


def test_fit_and_ask(run, shop, picture, tmp_path):
    out = tmp_path / "run"
    code, said, err = run("fit", "ask", shop, "--out", out, "--model", "linear")
    assert code == 0, err
    assert "question only" in said
    assert "zero-shot" in said
    code, said, err = run("ask", out, picture, KIND, "--abstain", 0.3)
    assert (code, err) == (0, "")
    assert said.startswith(f"{KIND}\tred  ")
    code, said, err = run("evaluate", out, "--data", "number < 8")
    assert code == 0, err
    assert "accuracy" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("",), "empty"), ((KIND, "--no-retrieval"), "ravl fit ask"), ((KIND, "-k", 0), "at least 1")],
)
def test_errors_are_sentences(run, shop, picture, arguments, words):
    code, said, err = run("ask", shop, picture, *arguments)
    assert (code, said) == (1, "")
    assert words in err


def test_a_memory_without_labels_says_what_to_do(run, shop, picture):
    code, _, err = run("classify", shop, picture)
    assert code == 1
    assert "No row has a label" in err and "--label NAME" in err


def test_a_server_writes_answers(run, shop, picture):
    from tests.models.generation.fake_server import serving

    with serving() as server:
        to = ("--generator", f"openai:{server.address}")
        code, said, err = run("ask", shop, picture, KIND, *to, "--evidence", 1)
        asked_of = json.dumps(server.asked, ensure_ascii=False)
        streamed = run("ask", shop, picture, KIND, TASTE, *to, "--stream", "--max-new-tokens", 3)
    assert (code, err) == (0, "")
    assert said.startswith(f"{KIND}\t")
    assert f"asked “{KIND}”, the answer was “Red”" in asked_of
    code, said, err = streamed
    assert (code, err) == (0, "")
    assert [line.split("\t")[0] for line in said.splitlines()] == [KIND, TASTE]


@pytest.mark.parametrize("option", [("--num-beams", 2), ("--stream",), ("--require", "red")])
def test_what_is_for_writing_is_refused_without(run, shop, picture, option):
    code, said, err = run("ask", shop, picture, KIND, *option)
    assert (code, said) == (1, "")
    assert f"{option[0]} is for answers of a generator" in err


def test_open_answers_from_the_shell(run, shop, picture, tmp_path):
    out = tmp_path / "run"
    code, said, err = run("fit", "ask", shop, "--out", out, "--answers", "open", "--model", "vote")
    assert code == 0, err
    assert "neighbour vote" in said
    code, said, err = run("ask", out, picture, KIND, "--num-return-sequences", 2, "--evidence", 1)
    assert (code, err) == (0, "")
    lines = said.splitlines()
    assert lines[0].startswith(f"{KIND}\tRed  ")
    assert lines[1].startswith("    or: ")
    code, said, err = run("evaluate", out, "--data", "number < 8")
    assert code == 0, err
    assert "16 questions about 8 pictures" in said


def test_a_generator_needs_a_run_that_writes(run, shop, picture, tmp_path):
    code, _, err = run("fit", "ask", shop, "--out", tmp_path / "run", "--model", "vote")
    assert code == 0, err
    code, _, err = run("ask", tmp_path / "run", picture, KIND, "--generator", "openai:http://x/v1")
    assert code == 1
    assert "answers from a list" in err
    code, _, err = run("fit", "ask", shop, "--out", tmp_path / "other", "--layers", 2)
    assert code == 1
    assert "'layers' is a setting of ask with answers 'open'" in err
