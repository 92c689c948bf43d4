"""What was fitted is found again for the same examples, and never for others."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ravl import kept
from ravl.cache import cache_dir
from ravl.kept import Fitted, fitted, forget_fitted, kept_files


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAVL_CACHE", str(tmp_path))


def made(rows: int, *parts: object) -> tuple[Fitted, bool]:
    """What was fitted or found, and whether it was fitted."""
    calls = []

    def fit() -> Fitted:
        calls.append(1)
        return Fitted({"axes": np.arange(6.0).reshape(2, 3)}, {"names": ["a", "ü"], "weight": 0.1})

    return fitted(rows, parts, fit), bool(calls)


EXAMPLES = np.arange(600.0).reshape(200, 3)


def test_the_same_is_found_as_it_was_fitted() -> None:
    first, fresh = made(200, "task", EXAMPLES)
    again, once_more = made(200, "task", EXAMPLES.copy())
    assert (fresh, once_more) == (True, False)
    assert np.array_equal(first.arrays["axes"], again.arrays["axes"])
    assert again.arrays.keys() == {"axes"}
    assert again.record == first.record


@pytest.mark.parametrize(
    "parts",
    [("other", EXAMPLES), ("task", EXAMPLES + 1), ("task", EXAMPLES.astype("f4")), ("task",)],
)
def test_anything_else_is_fitted(parts: tuple[object, ...]) -> None:
    made(200, "task", EXAMPLES)
    assert made(200, *parts)[1]


def test_other_code_fits_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made(200, EXAMPLES)
    monkeypatch.setattr(kept, "_code", lambda: b"another version")
    assert made(200, EXAMPLES)[1]


def test_of_a_few_rows_nothing_is_kept() -> None:
    made(kept.LEAST - 1, EXAMPLES)
    assert not kept_files()


def test_a_file_that_was_altered_is_not_used() -> None:
    made(200, EXAMPLES)
    (file,) = kept_files()
    whole = file.read_bytes()
    with np.load(file) as arrays:
        changed = {**arrays, "axes": np.zeros((2, 3))}
    for content in (b"", whole[:-40]):
        file.write_bytes(content)
        assert made(200, EXAMPLES)[1]
    np.savez(file, **changed)
    assert made(200, EXAMPLES)[1]
    assert not made(200, EXAMPLES)[1]


def test_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 2)
    for i in range(2):
        made(200, i)
    oldest = kept_files()[0]
    for file in kept_files():
        os.utime(file, ns=(1, 1 + (file != oldest)))
    made(200, 2)
    assert len(kept_files()) == 2
    assert oldest not in kept_files()


def test_a_cache_that_cannot_be_written_does_not_matter() -> None:
    folder = cache_dir(kept.FITTED)
    folder.rmdir()
    os.symlink("/proc", folder)
    assert made(200, EXAMPLES)[1]


def test_all_of_it_can_be_forgotten() -> None:
    made(200, EXAMPLES)
    forget_fitted()
    assert not kept_files()
    assert made(200, EXAMPLES)[1]
