"""What may lie where, and what is said when a place cannot be had."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ravl.errors import DataError, MemoryFileError
from ravl.memory import Memory
from ravl.sharing.failures import masked
from ravl.sharing.pull import pull
from ravl.sharing.push import push
from tests.helpers import database_of
from tests.sharing.hand_made import make_run
from tests.sharing.hub_stand_in import TOKEN, Hub


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "shirts")


@pytest.mark.parametrize("place", ["nowhere:x", "s3:bucket/x", "hff:me/x", "Nowhere:x", "ab:"])
def test_an_unknown_scheme_is_no_folder(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    for call in (
        lambda: push(run, place),
        lambda: pull(place, "here"),
        lambda: pull(run, place),
        lambda: Memory.create(place),
        lambda: Memory.open(place),
        lambda: Memory.open_or_create(place),
    ):
        with pytest.raises((DataError, MemoryFileError), match="is no kind of place that is known"):
            call()
    with pytest.raises(DataError, match="hf:OWNER/NAME, or an address with s3://, gs://"):
        push(run, place)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_whose_name_looks_like_an_address(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    push(run, tmp_path / "a:b")  # by its whole path
    assert pull("a:b", "here").moved  # or where it is there
    push(run, "./c:d")
    assert (tmp_path / "c:d" / "ravl.json").exists()


def test_a_folder_of_others_is_not_touched(run: Path, tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "letter.txt").write_text("dear")
    with pytest.raises(DataError, match="is not empty"):
        push(run, tmp_path / "place")
    push(run, tmp_path / "place", force=True)
    with pytest.raises(DataError, match="is not empty, and was not pulled"):
        (tmp_path / "here").mkdir()
        (tmp_path / "here" / "letter.txt").write_text("dear")
        pull(tmp_path / "place", tmp_path / "here")
    pull(tmp_path / "place", tmp_path / "here", force=True)
    assert (tmp_path / "here" / "letter.txt").read_text() == "dear"
    assert (tmp_path / "place" / "letter.txt").exists()


def test_an_empty_folder_stays_that_folder(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(run, tmp_path / "place")
    here = tmp_path / "here"
    here.mkdir(mode=0o700)  # such as a mounted volume, or where the user is
    before = here.stat().st_ino, set(tmp_path.iterdir())
    monkeypatch.chdir(here)
    pull(tmp_path / "place", ".")
    assert (here.stat().st_ino, set(tmp_path.iterdir())) == before
    assert {p.name for p in here.iterdir()} == {p.name for p in (tmp_path / "place").iterdir()}
    assert pull(tmp_path / "place", ".").moved == []


def test_changes_made_here_are_not_lost(run: Path, tmp_path: Path) -> None:
    push(run, tmp_path / "place")
    pull(tmp_path / "place", tmp_path / "here")
    (tmp_path / "here" / "report.html").write_text("mine")
    (tmp_path / "here" / "notes.txt").write_text("mine too")
    (run / "metrics.json").write_text('{"b": 1}')
    push(run, tmp_path / "place")
    with pytest.raises(DataError, match="has changed here"):
        pull(tmp_path / "place", tmp_path / "here")
    got = pull(tmp_path / "place", tmp_path / "here", force=True)
    assert sorted(got.moved) == ["metrics.json", "report.html"]
    assert (tmp_path / "here" / "notes.txt").read_text() == "mine too"


def test_a_memory_in_use_is_replaced_with_its_log(memory: Memory, tmp_path: Path) -> None:
    push(memory.path, tmp_path / "place")
    pull(tmp_path / "place", tmp_path / "here")
    memory.delete([next(iter(memory)).id])
    push(memory.path, tmp_path / "place")
    with Memory.open(tmp_path / "here" / "test.ravl") as reader:
        reader.delete([next(reader.rows()).id])  # in the log, while the file stays open
        with pytest.raises(DataError, match="has changed here"):
            pull(tmp_path / "place", tmp_path / "here")
        pull(tmp_path / "place", tmp_path / "here", force=True)
    with Memory.open(tmp_path / "here" / "test.ravl") as copy:
        assert [r.id for r in copy] == [r.id for r in memory]
        assert database_of(copy).connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_pictures_go_inside_if_they_are_the_same(memory: Memory, tmp_path: Path) -> None:
    rows = list(memory)
    assert rows[0].path is not None and rows[1].path is not None
    rows[0].path.unlink()
    rows[1].path.write_bytes(b"another file by now")
    sent = push(memory.path, tmp_path / "place", with_pictures=True)
    assert sent.notes[0].startswith("2 of 16 pictures of test.ravl cannot be sent")
    assert memory.copied_picture(rows[2]) is None, "the memory itself is not changed"
    pull(tmp_path / "place", tmp_path / "here")
    with Memory.open(tmp_path / "here" / "test.ravl") as copy:
        for row in list(copy)[2:]:
            assert row.path is None
            assert copy.picture_bytes(row) == memory.picture_bytes(row.id)


def test_what_was_deleted_does_not_go(memory: Memory, tmp_path: Path) -> None:
    row = next(iter(memory)).id
    memory.update(row, texts=["a secret that nobody shall read"])
    memory.delete([row])
    with database_of(memory).transaction() as connection:
        connection.execute("DELETE FROM changes")  # history knows it otherwise
    push(memory.path, tmp_path / "place")
    assert b"nobody shall read" not in (tmp_path / "place" / "test.ravl").read_bytes()


def test_where_a_run_lay_is_not_told(run: Path, tmp_path: Path) -> None:
    push(run, tmp_path / "place")
    assert b"/home/ann" not in (tmp_path / "place" / "run.json").read_bytes()


def test_a_run_between_two_versions_is_not_pushed(tmp_path: Path) -> None:
    import json

    from tests.sharing.hand_made import RUN

    run = make_run(tmp_path / "kinds", run_json=json.dumps({**RUN, "at": "history/1"}))
    with pytest.raises(DataError, match="is between two versions"):
        push(run, tmp_path / "place")


def test_a_second_look_goes_along(tmp_path: Path) -> None:
    import json

    from tests.sharing.hand_made import RUN

    other = make_run(tmp_path / "fits")
    rerank = {"path": str(other), "relative": "../fits", "weight": 0.5}
    run = make_run(tmp_path / "shirts", run_json=json.dumps({**RUN, "rerank": rerank}))
    push(run, tmp_path / "place")
    pull(tmp_path / "place", tmp_path / "here")
    assert (tmp_path / "here" / "rerank" / "run.json").is_file()
    record = json.loads((tmp_path / "here" / "run.json").read_text())
    assert record["rerank"] == {"path": "rerank", "relative": "rerank", "weight": 0.5}


def test_how_a_match_run_looks_itself_is_left_as_it_is(tmp_path: Path) -> None:
    import json

    from tests.sharing.hand_made import RUN

    own = {"weight": 0.5, "depth": 50}
    run = make_run(tmp_path / "fits", run_json=json.dumps({**RUN, "rerank": own}))
    push(run, tmp_path / "place")
    record = json.loads((tmp_path / "place" / "run.json").read_text())
    assert record["rerank"] == own


def test_a_run_of_search(tmp_path: Path) -> None:
    folder = tmp_path / "sharper"
    (folder / "encoder").mkdir(parents=True)
    (folder / "encoder" / "encoder.json").write_text('{"format": 1}')
    push(folder, tmp_path / "place")
    pull(tmp_path / "place", tmp_path / "here")
    assert (tmp_path / "here" / "encoder" / "encoder.json").is_file()


@pytest.mark.parametrize(
    ("address", "match"),
    [
        ("nosuch://bucket/x", "is no kind of place"),
        ("hf:name", "OWNER/NAME"),
        ("hf:a/b/c", "OWNER/NAME"),
        ("hf:../../etc", "no repository|not let|cannot be"),
        ("hf:datasets/me/x", "A run goes to a repository of models"),
    ],
)
def test_addresses_that_are_none(hub: Hub, run: Path, address: str, match: str) -> None:
    with pytest.raises(DataError, match=match):
        push(run, address)


def test_a_package_that_is_missing(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(DataError, match="pip install s3fs"):
        push(run, "s3://bucket/shirts")


@pytest.mark.parametrize(
    ("error", "match"),
    [
        (PermissionError("Access Denied"), "AWS_ACCESS_KEY_ID"),
        (RuntimeError("Unable to locate credentials"), "AWS_ACCESS_KEY_ID"),
        (OSError("no route to host"), "no route to host"),
        (NotImplementedError(), "does not offer it"),
    ],
)
def test_errors_of_libraries(
    run: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, match: str
) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    from ravl.sharing.remotes import FsspecPlace

    place = FsspecPlace("memory://x/y")
    place._protocol = "s3"

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(MemoryFileSystem, "open", fail)
    with pytest.raises(DataError, match=match):
        place.manifest()


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("sftp://ann:pa55@host/x", "pa55"),
        ("https://host/x?X-Amz-Signature=5ecret&y=1", "5ecret"),
        (f"token {TOKEN} refused", TOKEN),
        ("Authorization: Bearer abcdefgh12345", "abcdefgh12345"),
    ],
)
def test_secrets_are_masked(text: str, secret: str) -> None:
    assert secret not in masked(text)


def test_the_password_of_an_address_is_not_told(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import traceback

    monkeypatch.setitem(sys.modules, "paramiko", None)
    with pytest.raises(DataError) as caught:
        push(run, "sftp://ann:pa55word@host/x")
    assert "pip install paramiko" in str(caught.value)
    assert "pa55word" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert "pa55word" not in "".join(traceback.format_exception_only(caught.value))


def test_what_cannot_be_pushed(run: Path, memory: Memory, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is nothing at"):
        push(tmp_path / "nothing", tmp_path / "place")
    with pytest.raises(DataError, match="no fitted run"):
        (tmp_path / "empty").mkdir()
        push(tmp_path / "empty", tmp_path / "place")
    with pytest.raises(DataError, match="has not ended"):
        push(make_run(tmp_path / "begun", work__state_json="{}"), tmp_path / "place")
    with pytest.raises(MemoryFileError, match="is not there to be sent"):
        push(run, tmp_path / "place", with_memory=True)
    with pytest.raises(DataError, match="Add --with-memory"):
        push(run, tmp_path / "place", with_pictures=True)
    with pytest.raises(DataError, match="a memory itself"):
        push(memory.path, tmp_path / "place", with_memory=True)
    with pytest.raises(DataError, match="is where"):
        push(run, run)
    with pytest.raises(DataError, match="is where"):
        push(run, run / "copy")
    with pytest.raises(DataError, match="only there is something --public"):
        push(run, tmp_path / "place", public=True)
    with pytest.raises(MemoryFileError, match="not a ravl memory"):
        (tmp_path / "text.ravl").write_text("hello, this is text")
        push(tmp_path / "text.ravl", tmp_path / "place")
    assert not (tmp_path / "place").exists()


def test_targets_that_are_none(memory: Memory, tmp_path: Path) -> None:
    push(memory.path, tmp_path / "place")
    with pytest.raises(DataError, match="Name one: .*shop"):
        pull(tmp_path / "place", tmp_path / "shop.ravl")
    with pytest.raises(DataError, match="is a file"):
        pull(tmp_path / "place", memory.path)


def test_what_was_pulled_is_pushed_on(memory: Memory, tmp_path: Path) -> None:
    push(memory.path, tmp_path / "place")
    pull(tmp_path / "place", tmp_path / "test")
    assert push(tmp_path / "test", tmp_path / "on").kind == "memory"
    assert pull(tmp_path / "on", tmp_path / "again").memory == "test.ravl"


class TestHub:
    def test_repositories_are_private_and_of_their_type(
        self, hub: Hub, run: Path, memory: Memory
    ) -> None:
        push(run, "hf:me/shirts")
        push(memory.path, "hf:me/shop", public=True)
        assert {n: r.private for n, r in hub.repos.items()} == {
            "models/me/shirts": True,
            "datasets/me/shop": False,
        }
        files = hub.repos["datasets/me/shop"].at("main")
        assert files is not None and "README.md" in files[1]

    def test_nothing_private_goes_to_everyone(self, hub: Hub, run: Path) -> None:
        push(run, "hf:me/shirts", public=True)
        (run / "report.html").write_text("private")
        with pytest.raises(DataError, match="can be read by everyone"):
            push(run, "hf:me/shirts")
        push(run, "hf:me/shirts", public=True)

    def test_an_older_state(self, hub: Hub, run: Path, tmp_path: Path) -> None:
        push(run, "hf:me/shirts")
        old = hub.repos["models/me/shirts"].branches["main"]
        (run / "report.html").write_text("newer")
        push(run, "hf:me/shirts")
        pull(f"hf:me/shirts@{old}", tmp_path / "old")
        pull("hf:me/shirts", tmp_path / "new")
        assert (tmp_path / "old" / "report.html").read_text() == "<p>"
        assert (tmp_path / "new" / "report.html").read_text() == "newer"

    def test_a_branch(self, hub: Hub, run: Path, tmp_path: Path) -> None:
        push(run, "hf:me/shirts@trial")
        assert pull("hf:me/shirts@trial", tmp_path / "here").moved
        with pytest.raises(DataError, match="nothing to pull"):
            pull("hf:me/shirts", tmp_path / "main")

    def test_without_a_token(
        self, hub: Hub, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        push(run, "hf:me/shirts")
        monkeypatch.delenv("HF_TOKEN")
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
        with pytest.raises(DataError, match="hf auth login"):
            push(run, "hf:me/other")
        with pytest.raises(DataError, match="hf auth login"):
            pull("hf:me/shirts", tmp_path / "here")

    def test_a_large_file_that_arrived_is_not_sent_again(self, hub: Hub, run: Path) -> None:
        hub.fail["/commit/"] = 500
        with pytest.raises(DataError, match="cannot be written"):
            push(run, "hf:me/shirts")
        hub.fail.clear()
        hub.asked.clear()
        push(run, "hf:me/shirts")
        assert not [line for line in hub.asked if line.startswith("PUT")]

    def test_a_repository_of_others(self, hub: Hub, run: Path) -> None:
        from huggingface_hub import HfApi

        api = HfApi(endpoint=hub.url)
        api.create_repo("me/shirts", private=True)
        api.upload_file(path_or_fileobj=b"x", path_in_repo="model.bin", repo_id="me/shirts")
        with pytest.raises(DataError, match="is not empty"):
            push(run, "hf:me/shirts")

    def test_a_hub_that_is_away(self, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        with pytest.raises(DataError, match=re.escape("hf:me/shirts cannot be read")):
            push(run, "hf:me/shirts")
