"""What the cache holds is used only as it was written."""

from __future__ import annotations

from pathlib import Path

from ravl.cache import HASHES, is_intact, made_folder


class Maker:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self, folder: Path) -> None:
        self.count += 1
        (folder / "inner").mkdir()
        (folder / "a.onnx").write_bytes(b"weights")
        (folder / "inner" / "b.onnx").write_bytes(b"more")


def test_an_altered_entry_is_made_again(tmp_path: Path) -> None:
    make, folder = Maker(), tmp_path / "entry"
    for _ in range(2):
        assert made_folder(folder, make, "a.onnx", "inner/b.onnx") == folder
    assert make.count == 1
    (folder / "a.onnx").write_bytes(b"Weights")
    made_folder(folder, make, "inner/b.onnx")
    assert make.count == 1, "this file was not asked for"
    made_folder(folder, make, "a.onnx")
    assert make.count == 2
    assert (folder / "a.onnx").read_bytes() == b"weights"
    (folder / "inner" / "b.onnx").unlink()
    made_folder(folder, make, "inner/b.onnx")
    assert make.count == 3
    assert [item.name for item in tmp_path.iterdir()] == ["entry"]


def test_an_entry_without_hashes_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "entry"
    folder.mkdir()
    (folder / "a.onnx").write_bytes(b"of an older ravl")
    assert not is_intact(folder)
    made_folder(folder, Maker(), "a.onnx")
    assert is_intact(folder, "a.onnx")
    (folder / HASHES).write_text("{", "utf-8")
    assert not is_intact(folder)
    (folder / HASHES).write_text("{}", "utf-8")
    assert not is_intact(folder, "a.onnx"), "a file that has no hash is not believed"
