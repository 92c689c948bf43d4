from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from ravl.errors import DataError
from ravl.serving.keys import ANYONE, Caller, Keys, digest_of, keep_line, new_key, read_lines
from ravl.serving.problems import Problem
from ravl.serving.rate import Rate


def test_a_key_is_known_by_its_hash_alone(tmp_path):
    file = tmp_path / "keys.txt"
    key, line = new_key("write", "web")
    keep_line(file, line)
    assert key not in file.read_text()
    assert digest_of(key) in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    keys = Keys(file, {})
    assert keys.caller(key) == Caller("web", "write")
    assert keys.caller(key + "x") is None
    assert keys.caller("") is None


def test_scopes_are_ordered():
    assert Caller("a", "write").may("read")
    assert not Caller("a", "write").may("admin")
    assert ANYONE.may("admin")


def test_keys_of_the_environment(tmp_path):
    key, line = new_key("read")
    other, second = new_key("admin", "boss")
    keys = Keys(None, {"RAVL_KEYS": f"{line};{second}"})
    assert keys.caller(other) == Caller("boss", "admin")
    found = keys.caller(key)
    assert found is not None and found.scope == "read"


def test_a_key_can_be_withdrawn_while_the_server_runs(tmp_path):
    file = tmp_path / "keys.txt"
    key, line = new_key("read", "a")
    keep_line(file, line)
    keys = Keys(file, {})
    assert keys.caller(key)
    file.write_text("# nobody\n")
    assert keys.caller(key) is None


@pytest.mark.parametrize("line", ["a read", "a root sha256:" + "0" * 64, "ravl_secret", "a read x"])
def test_a_broken_line_is_a_sentence_that_does_not_repeat_it(line):
    with pytest.raises(DataError, match="Line 1 of keys is no key") as error:
        read_lines(line, "keys")
    assert "secret" not in str(error.value)


def test_names_are_unique_and_files_must_be_there(tmp_path):
    _, line = new_key("read", "a")
    keep_line(tmp_path / "k", line)
    with pytest.raises(DataError, match="called 'a'"):
        keep_line(tmp_path / "k", new_key("read", "a")[1])
    with pytest.raises(DataError, match="cannot be read"):
        Keys(tmp_path / "none", {})


def test_the_rate_of_each_caller():
    now = [0.0]
    rate = Rate(60, lambda: now[0])
    for _ in range(10):
        rate.count("a")
    with pytest.raises(Problem) as refused:
        rate.count("a")
    assert refused.value.status == 429 and refused.value.retry == pytest.approx(1.0)
    rate.count("b")
    now[0] = 1.0
    rate.count("a")
    unlimited = Rate(0)
    for _ in range(1000):
        unlimited.count("a")


def test_two_new_keys_at_once_are_both_kept(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    lines = [new_key("read", f"k{i}")[1] for i in range(64)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda line: keep_line(file, line), lines))
    assert len(Keys(file, {})) == 64
    assert sorted(file.read_text().splitlines()) == sorted(lines)
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the limit is that of a process")
def test_a_full_disk_leaves_no_half_of_a_line(tmp_path: Path) -> None:
    """Half a line would make the other keys invalid."""
    import resource

    file = tmp_path / "keys"
    keep_line(file, new_key("read", "first")[1])
    before = file.read_bytes()
    if not (child := os.fork()):
        room = len(before) + 20
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        with suppress(DataError):
            keep_line(file, new_key("read", "second")[1])
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert file.read_bytes() == before
