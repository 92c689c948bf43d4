"""Packages: none is trusted unverified, and nothing is written outside of its folder."""

from __future__ import annotations

import hashlib
import os
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from ravl.demo import debian
from ravl.demo.debian import PackageError, UnknownPackageError
from tests.demo.apt import NAME, VERSION, FakeApt, build_deb, forge_deb

ZEROS = "0" * 64


def any_file(inside: PurePosixPath) -> bool:
    return True


def written(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def test_a_package_that_is_as_expected(tmp_path: Path) -> None:
    apt = FakeApt()
    pinned = {VERSION: hashlib.sha256(apt.content).hexdigest(), "older": ZEROS}
    package = debian.download(NAME, pinned, tmp_path, apt)
    assert package.read_bytes() == apt.content
    assert apt.asked == ["show", "download"]


def test_a_version_that_is_not_pinned_is_checked_against_the_index(tmp_path: Path) -> None:
    assert debian.download(NAME, {}, tmp_path, FakeApt()).is_file()
    with pytest.raises(PackageError, match="apt's index expects 0000"):
        debian.download(NAME, {}, tmp_path, FakeApt(sha256=ZEROS))


@pytest.mark.parametrize(
    ("index", "pin", "source"), [(ZEROS, None, "apt's index"), (None, ZEROS, "ravl")]
)
def test_a_file_that_does_not_match_is_deleted(
    index: str | None, pin: str | None, source: str, tmp_path: Path
) -> None:
    pinned = {VERSION: pin} if pin else {}
    with pytest.raises(PackageError) as caught:
        debian.download(NAME, pinned, tmp_path, FakeApt(sha256=index))
    found = hashlib.sha256(FakeApt.content).hexdigest()[:16]
    assert str(caught.value) == (
        f"some-stamps_1%3a2.0-1_all.deb has the SHA256 {found}..., but {source} expects "
        "0000000000000000...; the file was deleted."
    )
    assert written(tmp_path) == set()


def test_without_package_lists_private_ones_are_fetched(tmp_path: Path) -> None:
    apt = FakeApt(lists=False)
    assert debian.download(NAME, {}, tmp_path, apt).is_file()
    assert apt.asked == ["show", "private update", "private show", "private download"]


def test_a_broken_source_beside_debians_does_no_harm(tmp_path: Path) -> None:
    broken = UnknownPackageError("apt-get says: Failed to fetch http://example.org.")
    apt = FakeApt(lists=False, fails={"update": broken})
    assert debian.download(NAME, {}, tmp_path, apt).is_file()


def test_without_a_network_the_update_says_why(tmp_path: Path) -> None:
    unknown = UnknownPackageError("apt-cache says: No packages found.")
    offline = UnknownPackageError("apt-get says: Temporary failure resolving 'deb.debian.org'.")
    with pytest.raises(PackageError, match="Temporary failure resolving"):
        debian.download(NAME, {}, tmp_path, FakeApt(fails={"show": unknown, "update": offline}))
    with pytest.raises(PackageError, match="No packages found"):
        debian.download(NAME, {}, tmp_path, FakeApt(fails={"show": unknown}))


def test_a_timeout_is_not_tried_again(tmp_path: Path) -> None:
    apt = FakeApt(fails={"download": PackageError("apt-get did not finish within 300 seconds.")})
    with pytest.raises(PackageError, match="within 300 seconds"):
        debian.download(NAME, {}, tmp_path, apt)
    assert apt.asked == ["show", "download"]


def test_apt_that_leaves_no_file(tmp_path: Path) -> None:
    apt = FakeApt()
    with pytest.raises(PackageError, match="left 0 files of the package some-stamps, not one"):
        debian.download(NAME, {}, tmp_path, lambda *asked: apt.record())


def test_a_machine_without_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackageError, match="apt-cache, a tool of Debian's, is not installed here"):
        debian.download(NAME, {}, tmp_path)
    with pytest.raises(PackageError, match="dpkg-deb, a tool of Debian's, is not installed here"):
        debian.unpack(tmp_path / "any.deb", "usr", any_file, tmp_path)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo W: old >&2; echo E: No such thing. >&2; echo more >&2", "sh says: No such thing."),
        ("echo sorry >&2", "sh says: sorry."),
        ("", "sh says: nothing, but failed with status 3."),
    ],
)
def test_a_command_that_fails_is_quoted(script: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownPackageError) as caught:
        debian.run(("sh", "-c", f"{script}\nexit 3"), tmp_path, 20)
    assert str(caught.value) == sentence


def test_a_command_runs_in_its_folder_and_in_english(tmp_path: Path) -> None:
    said = debian.run(("sh", "-c", "pwd; echo $LC_ALL"), tmp_path, 20)
    assert said.split() == [str(tmp_path.resolve()), "C.UTF-8"]


def test_a_command_that_takes_too_long(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="sleep did not finish within 0 seconds"):
        debian.run(("sleep", "20"), tmp_path, 0.1)


@pytest.mark.parametrize(
    "text",
    ["", "Package: x\nVersion: 1\nSize: 5\n", "Version: 1\nSize: large\nSHA256: 00\n"],
)
def test_a_record_that_does_not_say_enough(text: str) -> None:
    with pytest.raises(UnknownPackageError, match="knows no package x with a SHA256 checksum"):
        debian.parse_record(text, "x")


def test_only_what_is_wanted_is_unpacked(tmp_path: Path) -> None:
    def links(tree: Path) -> None:
        (tree / "share/a/link.png").symlink_to("/etc/passwd")
        (tree / "share/a/folder").symlink_to("/tmp")
        os.mkfifo(tree / "share/a/pipe.png")
        os.link(tree / "share/a/one.png", tree / "share/a/twin.png")

    files = {"share/a/one.png": b"1", "share/a/b/二.png": b"2", "share/x.ogg": b"", "x.png": b""}
    deb = build_deb(tmp_path, files, links)
    target = tmp_path / "target"
    count = debian.unpack(deb, "share/a", lambda inside: inside.suffix == ".png", target)
    assert count == 2
    assert (target / "b/二.png").read_bytes() == b"2"
    # Of two names of the same file the archive holds one as a file, the other as a link.
    assert written(target) in ({"one.png", "b/二.png"}, {"twin.png", "b/二.png"})


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def test_nothing_is_written_outside_of_the_folder(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "target"
    outside = tmp_path / "outside"
    outside.mkdir()
    members = [
        member("./good.png"),
        member("../up.png"),
        member("./a/../../up.png"),
        member(str(outside / "absolute.png")),
        member("./null.png", tarfile.CHRTYPE),
        member("./disk.png", tarfile.BLKTYPE),
        member("./soft.png", tarfile.SYMTYPE, "/etc/passwd"),
        member("./hard.png", tarfile.LNKTYPE, "./good.png"),
        member("./way", tarfile.SYMTYPE, str(outside)),
        member("./way/through.png"),
    ]
    deb = forge_deb(tmp_path / "bad.deb", members, b"content")
    assert debian.unpack(deb, "", any_file, target) == 2
    assert written(tmp_path) == {"bad.deb", "deep/target/good.png", "deep/target/way/through.png"}
    assert not (target / "way").is_symlink()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.95])
def test_a_damaged_package_is_a_sentence(share: float, tmp_path: Path) -> None:
    files = {f"share/{i}.png": bytes(5000) for i in range(9)}
    deb = build_deb(tmp_path, files, lambda tree: None)
    deb.write_bytes(deb.read_bytes()[: int(share * deb.stat().st_size)])
    with pytest.raises(PackageError, match=r"built\.deb cannot be unpacked: "):
        debian.unpack(deb, "share", any_file, tmp_path / "target")
