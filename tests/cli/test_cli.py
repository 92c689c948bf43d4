from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ravl.cli import cli, main
from ravl.data import Example
from ravl.memory import Memory
from tests.helpers import ColourEncoder, draw, make_pictures

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A folder with pictures, a table about them, and a memory made from both."""
    folder = tmp_path_factory.mktemp("shop")
    paths = make_pictures(folder / "photos", 8)
    lines = ["image,caption,label,price,tags"]
    lines += [
        f"{p.name},a {p.name[:-8]} thing,{p.name[:-8]},{i},new;t{i}" for i, p in enumerate(paths)
    ]
    (folder / "captions.csv").write_text("\n".join([*lines, "gone.png,x,y,1,z"]) + "\n")
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "index",
                str(folder / "photos"),
                "-m",
                str(folder / "shop.ravl"),
                "--captions",
                str(folder / "captions.csv"),
                "-q",
            ]
        )
    assert not ended.value.code
    return folder


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from ravl.cli import cli; "
        "heavy = 'numpy', 'torch', 'PIL', 'rich', 'sqlite3', 'onnxruntime'; "
        "print([m for m in heavy if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("name", [None, *cli.commands])
def test_every_command_and_option_has_help(run, name):
    code, out, _ = run(*([name] if name else []), "--help")
    assert code == 0
    command = cli.commands[name] if name else cli
    assert command.help
    for parameter in command.params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            assert getattr(parameter, "help", None), f"{name}: {parameter.name} has no help"


def test_every_command_is_in_the_readme():
    for readme in ("README.md", "README.zh-CN.md"):
        text = (ROOT / readme).read_text("utf-8")
        for name in cli.commands:
            found = re.search(rf"(ravl |`){name}\b", text)
            assert found, f"{readme} does not mention `ravl {name}`"


def test_index_says_what_it_did(run, tmp_path):
    make_pictures(tmp_path / "photos", 3)
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a whole picture")
    command = ("index", tmp_path / "photos", "--memory", tmp_path / "m.ravl")
    code, out, err = run(*command, "--dry-run")
    assert code == 0
    assert "Would have added 3" in out
    assert not (tmp_path / "m.ravl").exists()
    code, out, err = run(*command)
    assert code == 0
    assert "Added 3, updated 0, unchanged 0, set aside 1" in out
    assert "now has 3 rows" in out
    assert "broken.jpg" in err
    code, out, err = run(*command, "--json")
    report = json.loads(out)
    assert (report["unchanged"], report["set_aside"], report["rows"]) == (3, 1, 3)
    assert run(*command, "--quiet") == (0, "", "")
    code, out, _ = run("info", tmp_path / "m.ravl", "--quarantine")
    assert "broken.jpg" in out


def test_near_duplicates_are_reported(run, tmp_path):
    (tmp_path / "photos").mkdir()
    picture = draw(1, "red", (320, 240))
    picture.save(tmp_path / "photos" / "a.png")
    picture.resize((200, 150)).save(tmp_path / "photos" / "b.jpg")
    _, out, _ = run("index", tmp_path / "photos", "-m", tmp_path / "m.ravl")
    assert "1 near-duplicates in 1 groups" in out
    assert "a.png  =  b.jpg" in out


def test_search(run, shop):
    code, out, _ = run("search", shop / "shop.ravl", "a red thing", "-k", 2)
    assert code == 0
    rank, score, id, text, label = out.splitlines()[0].split("\t")
    assert (rank, id, text, label) == ("1", "red_000.png", "a red thing", "red")
    code, out, _ = run("search", shop / "shop.ravl", "thing", "--where", "price < 2", "--json")
    assert {hit["id"] for hit in json.loads(out)} == {"red_000.png", "green_001.png"}
    _, out, _ = run(
        "search", shop / "shop.ravl", "--image", shop / "photos" / "blue_002.png", "-k", 1
    )
    assert "blue_002.png" in out
    _, out, _ = run(
        "search", shop / "shop.ravl", "--like", "blue_002.png", "--target", "texts", "-k", 1
    )
    assert out.count("\n") == 1
    assert run("search", shop / "shop.ravl", "red", "--hubness", 0.5)[0] == 0
    code, out, err = run("search", shop / "shop.ravl", "zzz", "--mode", "keyword")
    assert (code, out, err.strip()) == (0, "", "Nothing found.")


def test_search_page(run, shop, tmp_path):
    page = tmp_path / "page.html"
    _, out, _ = run("search", shop / "shop.ravl", "a red thing", "-k", 3, "--html", page)
    assert "3 hits in" in out
    text = page.read_text("utf-8")
    assert text.count('src="data:image/jpeg;hash=') == 3
    assert "a red thing" in text
    assert not re.search(r"https?://|<script", text)


def test_info_list_get(run, shop):
    _, out, _ = run("info", shop / "shop.ravl")
    assert "rows\t8" in out
    assert "builtin" in out
    _, out, _ = run("info", shop / "shop.ravl", "--json")
    assert json.loads(out)["columns"] == ["price"]
    _, out, _ = run("info", shop / "shop.ravl", "--quarantine")
    assert "gone.png" in out
    _, out, _ = run("list", shop / "shop.ravl", "--where", 'tags has "t3"')
    assert out == "yellow_003.png\tyellow\ta yellow thing\tnew, t3\n"
    assert run("list", shop / "shop.ravl", "--count")[1] == "8\n"
    assert len(json.loads(run("list", shop / "shop.ravl", "--limit", 3, "--json")[1])) == 3
    row = json.loads(run("get", shop / "shop.ravl", "red_000.png")[1])
    assert row["columns"] == {"price": 0}
    assert row["texts"] == ["a red thing"]


def test_a_column_of_texts_keeps_what_is_written(run, tmp_path):
    file = tmp_path / "m.ravl"
    with Memory.create(file, ColourEncoder()) as memory:
        rows: list[dict[str, Any]] = [
            {"version": "1.9", "price": 3, "my `col`": "x"},
            {"version": "v2"},
        ]
        memory.add([Example(f"{i}", texts=("a",), columns=c) for i, c in enumerate(rows)])

    def after(*settings: str) -> dict[str, Any]:
        given = [word for each in settings for word in ("--set", each)]
        code, out, err = run("update", file, "0", *given)
        assert code == 0, err
        found: dict[str, Any] = json.loads(out)["columns"]
        return found

    found = after("version=1.10", "price=1.10", "new=1.10", 'quoted="1.10"', "my `col`=7")
    assert found == {
        "version": "1.10",
        "price": 1.1,
        "new": 1.1,
        "quoted": "1.10",
        "my `col`": "7",
    }
    assert after("quoted=1.20", "version=", "price=") == {
        "new": 1.1,
        "quoted": "1.20",
        "my `col`": "7",
    }


def test_update_delete_log(run, tmp_path):
    file = tmp_path / "m.ravl"
    make_pictures(tmp_path / "photos", 4)
    run("index", tmp_path / "photos", "-m", file, "-q")
    _, out, _ = run(
        "update",
        file,
        "red_000.png",
        "--label",
        "x",
        "--text",
        "a",
        "--text",
        "b",
        "--tag",
        "t",
        "--set",
        "price=3.5",
        "--set",
        "name=007",
    )
    row = json.loads(out)
    assert (row["label"], row["texts"], row["tags"]) == ("x", ["a", "b"], ["t"])
    assert row["columns"] == {"price": 3.5, "name": "007"}
    assert run("update", file, "red_000.png", "--set", "price")[0] == 2
    assert run("delete", file, "red_000.png")[1] == "Deleted 1 rows.\n"
    _, out, err = run("delete", file, "--where", 'id contains "green"', "--yes")
    assert out == "Deleted 1 rows.\n"
    assert err == f"The filter takes 1 of 3 rows of {file}.\n"
    _, out, _ = run("log", file)
    assert len(out.splitlines()) == 4
    assert "delete green_001.png" in out.splitlines()[0]
    assert len(json.loads(run("log", file, "red_000.png", "--json")[1])) == 3


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_export_import_merge(run, shop, tmp_path, format):
    code, out, _ = run("export", shop / "shop.ravl", tmp_path / "out", "--format", format)
    assert code == 0
    assert "8 rows in" in out
    code, out, _ = run("import", tmp_path / "new.ravl", tmp_path / "out")
    assert code == 0
    assert "now has 8 rows" in out
    _, out, _ = run("merge", tmp_path / "new.ravl", shop / "shop.ravl")
    assert "added 0" in out.lower()
    assert "now has 8 rows" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("search", "no.ravl", "x"), "There is no memory at no.ravl. Make one with"),
        (("search", "SHOP", "x", "--where", "prize < 3"), "There is no column 'prize'"),
        (("search", "SHOP"), "The query is empty"),
        (("search", "SHOP", "x", "-k", "0"), "k is 0"),
        (("search", "SHOP", "x", "--hubness", "3"), "hubness is 3; it must lie between 0 and 2"),
        (("search", "SHOP", "--image", "no.png"), "no.png"),
        (("get", "SHOP", "nothing"), "There is no row 'nothing'"),
        (("index", "no-folder", "-m", "new.ravl"), "no-folder"),
        (("index", "SHOP", "-m", "SHOP", "--encoder", "magic"), "There is no encoder 'magic'"),
        (("reembed", "SHOP", "--encoder", "hf:/no/such/folder"), "/no/such/folder"),
        (("export", "SHOP", "PHOTOS"), "not an empty folder"),
        (("delete", "SHOP"), "Say which rows"),
    ],
)
def test_errors_are_one_sentence(run, shop, monkeypatch, tmp_path, arguments, says):
    monkeypatch.chdir(tmp_path)
    places = {"SHOP": str(shop / "shop.ravl"), "PHOTOS": str(shop / "photos")}
    code, out, err = run(*(places.get(a, a) for a in arguments))
    assert code != 0
    assert out == ""
    assert says in err
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 3


def test_control_characters_do_not_reach_the_terminal(run, tmp_path):
    make_pictures(tmp_path / "photos", 1)
    file = tmp_path / "m.ravl"
    run("index", tmp_path / "photos", "-m", file, "-q")
    run("update", file, "red_000.png", "--text", "evil \x1b[31m\nline\ttab")
    _, out, _ = run("search", file, "evil")
    assert "\x1b" not in out
    assert out.count("\n") == 1


def test_a_closed_pipe_is_no_error(shop):
    command = (
        f"{sys.executable} -c 'from ravl.cli import main; main()' list {shop}/shop.ravl | true"
    )
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT)
    assert "Traceback" not in done.stderr


def test_a_folder_says_what_it_skipped_and_that_nothing_came_in(run, tmp_path):
    folder, memory = tmp_path / "phone", tmp_path / "m.ravl"
    folder.mkdir()
    for name in ("clip.mp4", "clip2.MOV", "paper.pdf", "art.jxl"):
        (folder / name).write_bytes(b"x")
    code, out, err = run("index", folder, "-m", memory)
    assert code == 4
    assert "Skipped: 2 videos, 1 " in err and "1 PDF" in err and "1 JPEG XL" in err
    assert "Warning: nothing came in." in err and str(folder) in err
    assert run("index", folder, "-m", memory, "--quiet")[0] == 4
    assert run("sync", memory, folder)[0] == 4
    code, out, _ = run("index", folder, "-m", memory, "--json")
    assert (code, json.loads(out)["skipped"]["video"]) == (4, 2)
    draw(1, "red").save(folder / "IMG_1.HEIC", "JPEG")  # the content decides, not the name
    code, out, err = run("index", folder, "-m", memory)
    assert code == 0 and "Added 1" in out and "Skipped" in err
    assert run("index", folder, "-m", memory, "--quiet") == (0, "", "")  # known, not new


def test_one_broken_picture_stops_no_other(run, tmp_path):
    make_pictures(tmp_path / "seed", 2)
    run("index", tmp_path / "seed", "-m", tmp_path / "m.ravl")
    make_pictures(tmp_path / "new", 3)
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    broken = tmp_path / "new" / names[1]
    broken.write_bytes(broken.read_bytes()[:60])
    (tmp_path / "new" / "film.mp4").write_bytes(b"x")
    command = ("classify", tmp_path / "m.ravl", tmp_path / "new", "--label", "red", "--label", "b")
    code, out, err = run(*command)
    assert code == 1
    assert [line.split("\t")[0].rsplit("/")[-1] for line in out.splitlines()] == [
        names[0],
        names[2],
    ]
    assert "1 of 3 pictures could not be read:" in err and names[1] in err
    assert "Skipped: 1 video." in err
    code, out, _ = run(*command, "--json")
    found = json.loads(out)
    assert code == 1 and len(found) == 3
    assert "truncated" in found[1]["error"] and found[0]["label"] in ("red", "b")
    code, out, err = run(*command[:2], broken, *command[3:])
    assert (code, out) == (1, "") and err.startswith("ravl: ") and "truncated" in err
    (tmp_path / "empty").mkdir()
    code, _, err = run(*command[:2], tmp_path / "empty", *command[3:])
    assert code == 1 and "has no picture that ravl reads" in err


@pytest.mark.parametrize(
    "command",
    [
        ("export", "MEMORY", "FILE/out"),
        ("search", "MEMORY", "red", "--html", "FILE/page.html"),
        ("demo", "--pictures", "FOLDER", "--out", "FILE/demo"),
        ("push", "MEMORY", "FILE/place"),
    ],
)
def test_a_place_that_cannot_be_written_is_a_sentence(run, shop, tmp_path, command):
    (tmp_path / "file").write_text("not a folder")
    words = {"MEMORY": shop / "shop.ravl", "FOLDER": shop / "photos"}
    there = [words.get(w, w.replace("FILE", str(tmp_path / "file"))) for w in command]
    code, _, err = run(*there)
    assert code == 1
    assert err.startswith("ravl: ") and str(tmp_path / "file") in err
