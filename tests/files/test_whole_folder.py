"""A folder that is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from ravl.errors import DataError
from ravl.files.whole_folder import STAGE, whole_folder


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


@pytest.mark.parametrize("exists", [False, True])
def test_it_is_there_when_all_is_written(tmp_path: Path, exists: bool) -> None:
    folder = tmp_path / "out"
    if exists:
        folder.mkdir()
    with whole_folder(folder) as stage:
        (stage / "pictures").mkdir()
        (stage / "pictures" / "1.png").write_bytes(b"1")
        assert "out/pictures" not in names(tmp_path)
    assert names(tmp_path) == ["out", "out/pictures", "out/pictures/1.png"]
    with pytest.raises(DataError, match="not an empty folder"), whole_folder(folder):
        pass


@pytest.mark.parametrize("exists", [False, True])
def test_an_error_leaves_nothing(tmp_path: Path, exists: bool) -> None:
    folder = tmp_path / "out"
    if exists:
        folder.mkdir()
    with pytest.raises(KeyError), whole_folder(folder) as stage:
        (stage / "1").touch()
        raise KeyError
    assert names(tmp_path) == (["out"] if exists else [])


def test_what_a_killed_call_left_is_replaced(tmp_path: Path) -> None:
    beside, inside = tmp_path / "new", tmp_path / "empty"
    (tmp_path / f".new{STAGE}" / "old").mkdir(parents=True)
    for name in (STAGE, "pictures"):  # it was killed while it moved
        (inside / name).mkdir(parents=True)
        (inside / name / "old").touch()
    for folder in (beside, inside):
        with whole_folder(folder) as stage:
            (stage / "pictures").mkdir()
            (stage / "rows.jsonl").touch()
        assert names(folder) == ["pictures", "rows.jsonl"]
    assert names(tmp_path)[0] == "empty"
