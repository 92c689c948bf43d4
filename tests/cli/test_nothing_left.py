"""A command whose input is not there makes nothing: no memory, no folder, no log."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from ravl.memory import Memory
from tests.helpers import ColourEncoder, make_examples

NO_INPUT = """
index no --memory a/new.ravl
index no.csv --memory new.ravl
index pictures --captions no.csv --memory new.ravl
index pictures --captions other.csv --memory new.ravl
index other.csv --image-column nothing --memory new.ravl
index pictures --memory new.ravl --encoder run:no
import new.ravl no
merge new.ravl shop.ravl
merge shop.ravl no.ravl
sync new.ravl pictures
sync shop.ravl no
fit classify no.ravl --out run
fit classify shop.ravl --out run --validation no.csv
fit classify shop.ravl --out a/run --config no.yaml
fit search no.ravl --out run
refit no
rollback no
forget shop.ravl x --audit no
tune classify no.ravl --out run
tune classify shop.ravl --out run --space no.yaml
tune classify shop.ravl --out run --validation no.csv
augment no
evaluate no --data pictures
drift no pictures
serve no.ravl --audit audit.jsonl --feedback feedback.db --port 0
serve shop.ravl no --audit audit.jsonl --port 0
inbox no.ravl
inbox shop.ravl
check no.ravl --html page.html
export no.ravl out
export shop.ravl a/out --where nothing=1
push no place
push no.ravl place
pull no a/here
pull empty here
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small memory, in which a command is run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAVL_CONFIG", str(tmp_path.with_name("config")))
    with Memory.create("shop.ravl", ColourEncoder()) as memory:
        memory.add(make_examples(tmp_path / "pictures", 4))
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.csv").write_text("foo,bar\n1,2\n")
    return tmp_path


@pytest.mark.usefixtures("by_name")
@pytest.mark.parametrize("line", NO_INPUT.strip().split("\n"))
def test_without_input(run: Callable[..., tuple[int, str, str]], shop: Path, line: str) -> None:
    before = sorted(shop.rglob("*"))
    code, _, err = run(*shlex.split(line))
    assert code == 1, err
    assert err.startswith("ravl: ")
    assert sorted(shop.rglob("*")) == before


def test_an_empty_folder_is_no_export(run: Callable[..., tuple[int, str, str]], shop: Path) -> None:
    code, _, err = run("import", "new.ravl", shop / "empty")
    assert code == 4
    assert "nothing came in" in err


def test_what_came_in_before_an_error_stays(
    run: Callable[..., tuple[int, str, str]], shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new memory with rows is not removed."""
    inner = Memory.index

    def broken(self: Memory, *args: object, **options: object) -> None:
        inner(self, *args, **options)  # type: ignore[arg-type]
        raise OSError("the disk has gone")

    monkeypatch.setattr(Memory, "index", broken)
    with pytest.raises(OSError, match="gone"):
        from ravl.cli import main

        main(["index", "pictures", "--memory", "new.ravl"])
    with Memory.open(shop / "new.ravl") as memory:
        assert len(memory) == 4
