"""``--server URL`` prints what the same command prints of a run or a memory here."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ravl.serving.keys import Keys, new_key
from tests.client.conftest import runs, runs_once  # noqa: F401  (fixtures)
from tests.serving.conftest import running, shop, shop_once  # noqa: F401  (fixtures)
from tests.serving.helpers import png
from tests.serving.test_streaming import Typist, with_generator

pytestmark = pytest.mark.usefixtures("by_name")


@pytest.fixture
def new(tmp_path: Path) -> Path:
    (tmp_path / "new.png").write_bytes(png("red"))
    return tmp_path / "new.png"


def without_paths(value):
    """JSON without what a server keeps to itself: paths and sources."""
    if isinstance(value, list):
        return [without_paths(one) for one in value]
    if isinstance(value, dict) and "id" in value:
        return {k: v for k, v in value.items() if k not in ("picture", "source")}
    if isinstance(value, dict):
        return {k: without_paths(v) for k, v in value.items()}
    return value


def assert_alike(server, local):
    """The same text; what was rounded twice may differ in its last digit."""
    (words, numbers), (others, wanted) = (
        (re.split(r"\d+\.\d+", text), re.findall(r"\d+\.\d+", text)) for text in (server, local)
    )
    assert words == others
    for number, other in zip(numbers, wanted, strict=True):
        last = 10.0 ** -len(other.partition(".")[2])
        assert float(number) == pytest.approx(float(other), abs=1.01 * last)


def same(run, url, here, command, *arguments):
    """Both commands print the same, as text and as JSON."""
    for form in ([], ["--json"]):
        local = run(command, here, *arguments, *form)
        server = run(command, "--server", url, *arguments, *form)
        first = run(command, url, *arguments, *form)
        assert local[0] == server[0] == 0, server
        assert server == first
        if form:
            assert without_paths(json.loads(server[1])) == without_paths(json.loads(local[1]))
        else:
            assert_alike(server[1], local[1])
            assert server[2] == local[2]
    assert server[1]


def test_search_caption_ask_and_rows(run, running, shop, new):  # noqa: F811
    url, _ = running()
    for arguments in (
        ("a red thing", "-k", 3),
        ("--image", new, "--exclude", "red/0.png"),
        ("green", "--like", "blue/2.png", "--weight", 0.3),
        ("blue", "--where", "price < 3"),
        ("--image", new, "--target", "texts", "-k", 2),
    ):
        same(run, url, shop, "search", *arguments)
    same(run, url, shop, "caption", new, "-k", 3, "--evidence", 2)
    same(run, url, shop, "ask", new, "what colour is it?", "and this?")
    same(run, url, shop, "list", "--where", "price < 3")
    assert run("list", "--server", url, "--count") == (0, "16\n", "")
    assert json.loads(run("get", "--server", url, "red/0.png")[1])["label"] == "red"
    code, out, _ = run("update", "--server", url, "red/0.png", "--set", "price=7")
    assert code == 0 and json.loads(out)["columns"] == {"price": 7}
    assert run("delete", "--server", url, "red/0.png")[1] == "Deleted 1 rows.\n"
    assert run("delete", "--server", url, "--where", "price > 13", "--yes")[1] == (
        "Deleted 2 rows.\n"
    )
    code, out, _ = run("info", "--server", url)
    assert "rows\t13\n" in out and "caption\tmemory (the memory alone)\n" in out
    assert json.loads(run("info", url, "--json")[1])["memory"]["name"] == "shop.ravl"


def test_classify_and_tag(run, running, runs, new):  # noqa: F811
    url, _ = running(runs / "linear", runs / "vote", runs / "tags")
    same(run, url, runs / "linear", "classify", new, runs / "pictures", "--abstain", 0.05)
    same(run, url, runs / "tags", "tag", new, "--vote-only", "-k", 3)
    local = run("classify", runs / "vote", new)
    assert run("classify", "--server", url, "--run", "vote", new) == local
    code, _, err = run("classify", "--server", url, "--run", "best", new)
    assert code == 1 and "No run 'best' answers classify here" in err


def test_words_as_they_are_written(run, running, new):  # noqa: F811
    url, _ = running(prepare=with_generator(Typist()))
    assert run("caption", "--server", url, new, "--stream")[1] == f"{new}\ta red thing\n"
    assert run("ask", "--server", url, new, "what colour is it?", "--stream")[1] == (
        "what colour is it?\tred\n"
    )


def test_the_key_is_no_option(run, running, new, tmp_path, monkeypatch):  # noqa: F811
    key, line = new_key("read", "web")
    (tmp_path / "keys.txt").write_text(line)
    url, _ = running(keys=Keys(tmp_path / "keys.txt"))
    code, _, err = run("caption", "--server", url, new)
    assert code == 1 and "needs a key" in err
    (tmp_path / "key").write_text(f"{key}\n")
    assert run("caption", "--server", url, "--key-file", tmp_path / "key", new)[0] == 0
    code, _, err = run("caption", "--server", url, "--key-file", tmp_path / "none", new)
    assert code == 1 and "The key in" in err
    monkeypatch.setenv("RAVL_KEY", key)
    assert run("list", "--server", url, "--count") == (0, "16\n", "")


def test_what_servers_do_not_take_is_a_sentence(run, shop, new, tmp_path):  # noqa: F811
    url = "http://127.0.0.1:1"
    for arguments, says in (
        (("classify", "--server", url, new, "--label", "hat"), "--label is for runs"),
        (("classify", "--server", url, new, "--memory", shop), "--memory is for runs"),
        (("match", "--server", url, new, "--text", "a", "--assign"), "--assign is for runs"),
        (("caption", "--server", url, new, "--num-beams", 3), "--num-beams is for runs"),
        (("ask", "--server", url, new, "what?", "--generator", "hf:x"), "--generator is for runs"),
        (("search", "--server", url, "red", "--html", tmp_path / "x.html"), "--html is for runs"),
        (("info", "--server", url, "--quarantine"), "--quarantine is for runs"),
        (("caption", shop, new, "--run", "kinds"), "add --server URL"),
        (("classify", "--server", "shop:8000", new), "Write --server http://shop:8000"),
        (("classify", "--server", url), "Missing argument 'PICTURES...'"),
        (("ask", "--server", url, new), "Missing argument 'QUESTIONS...'"),
        (("caption", "--server", url, new), f"There is no answer at {url}"),
    ):
        code, _, err = run(*arguments)
        assert code != 0 and says in err and "Traceback" not in err
