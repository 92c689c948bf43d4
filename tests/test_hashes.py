from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ravl.hashes import FileHash, difference, from_json, hash_of, to_json


def old(file: Path, data: bytes) -> Path:
    """A file that was written an hour ago."""
    file.write_bytes(data)
    os.utime(file, (0, 0))
    return file


def test_a_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, reads = old(tmp_path / "a", b"abc"), []
    digest = hashlib.file_digest

    def counted(*given: object) -> object:
        reads.append(given)
        return digest(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(hashlib, "file_digest", counted)
    monkeypatch.setattr("ravl.hashes.SETTLED", -1)
    assert hash_of(file) == hash_of(file) == FileHash(3, hashlib.sha256(b"abc").hexdigest())
    assert len(reads) == 1
    file.write_bytes(b"abd")
    assert hash_of(file).sha256 == hashlib.sha256(b"abd").hexdigest()


def test_a_file_that_was_just_written_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its times may stay the same if it is written again at once."""
    monkeypatch.setattr("ravl.hashes.SETTLED", 2**62)
    file = old(tmp_path / "a", b"abc")
    hash_of(file)
    status = file.stat()
    file.write_bytes(b"abd")
    monkeypatch.setattr(type(file), "stat", lambda self, **_: status)
    assert hash_of(file).sha256 == hashlib.sha256(b"abd").hexdigest()


def test_how_a_file_differs(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"abc")
    expected = hash_of(file)
    assert difference(file, expected) is None
    file.write_bytes(b"abd")
    assert "its SHA-256 is" in str(difference(file, expected))
    file.write_bytes(b"abcd")
    assert difference(file, expected) == "it has 4 bytes, not 3"
    assert difference(tmp_path / "b", expected) == "it is not there"
    assert difference(tmp_path / ("x" * 300), expected) is not None
    assert difference(tmp_path / "\0", expected) is not None


def test_hashes_come_back_from_json(tmp_path: Path) -> None:
    hashes = {"a/b": FileHash(3, "0" * 64)}
    assert from_json(to_json(hashes)) == hashes
    for odd in ({"a": {"size": -1, "sha256": "0" * 64}}, {"a": {"size": 1, "sha256": "x"}}):
        with pytest.raises(ValueError, match="'a' is"):
            from_json(odd)
