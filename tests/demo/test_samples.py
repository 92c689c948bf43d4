"""The sample set: fetched once, never reused when broken, and read as the stamps say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from ravl.cache import HASHES, cache_dir
from ravl.data import Example
from ravl.demo import samples
from ravl.demo.debian import PackageError
from tests.demo.apt import NAME, VERSION, FakeApt, build_deb
from tests.helpers import shared_set

CAT = "A cat.\nde.utf8=Eine Katze.\nzh_CN.utf8=一只猫。\nzh_TW.utf8=貓。\n"
FILES = {
    "animals/mammals/cats/cartoon/cat.png": b"\x89PNG",
    "animals/mammals/cats/cartoon/cat.txt": CAT.encode(),
    "animals/mammals/cats/cartoon/cat_desc.ogg": b"miaow",
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of our own, and a package that is quick to build."""
    monkeypatch.setenv("RAVL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(samples, "PACKAGE", NAME)
    return cache_dir("samples")


def apt_with(folder: Path, files: Mapping[str, bytes]) -> FakeApt:
    inside = {f"{samples.STAMPS}/{name}": content for name, content in files.items()}
    deb = build_deb(folder, {"usr/share/doc/x.txt": b"", **inside}, lambda tree: None)
    return FakeApt(deb.read_bytes())


def lay_out(folder: Path, files: Mapping[str, str | None]) -> list[Example]:
    """What is read from stamps with these texts; None for a picture without a text file."""
    for name, text in files.items():
        picture = folder / name
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.touch()
        if text is not None:
            picture.with_suffix(".txt").write_text(text, encoding="utf-8")
    return list(samples.read(folder))


def test_the_stamps_are_fetched_into_the_cache_once(tmp_path: Path, cache: Path) -> None:
    assert samples.in_cache() is None
    apt = apt_with(tmp_path, FILES)
    folder = samples.fetch(apt)
    assert folder.parent == cache
    assert samples.in_cache() == folder
    assert list(cache.iterdir()) == [folder]  # the package itself is not kept
    kept = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    pictures = {name for name in FILES if not name.endswith(".ogg")}
    assert kept == {"LICENCE.txt", HASHES, *pictures}
    assert "GPL-2" in (folder / "LICENCE.txt").read_text(encoding="utf-8")
    assert [example.texts for example in samples.read(folder)] == [("A cat.", "一只猫。")]

    asked = len(apt.asked)
    assert samples.fetch(apt) == folder
    assert len(apt.asked) == asked


def test_what_broke_off_is_never_reused(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = apt_with(tmp_path, FILES)
    half = FakeApt(good.content[: len(good.content) // 2])
    cut = FakeApt(half.content, sha256="0" * 64)
    away = FakeApt(fails={"download": PackageError("apt-get did not finish within 300 seconds.")})
    for apt, sentence in (
        (half, "cannot be unpacked"),
        (cut, "was deleted"),
        (away, "did not finish"),
    ):
        with pytest.raises(PackageError, match=sentence):
            samples.fetch(apt)
        assert list(cache.iterdir()) == []
    monkeypatch.setattr(samples, "PINNED", {VERSION: "0" * 64})
    with pytest.raises(PackageError, match="but ravl expects 0000"):
        samples.fetch(good)
    assert samples.in_cache() is None


def test_a_package_without_stamps(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"contains no pictures in usr/share/tuxpaint/stamps\."):
        samples.fetch(apt_with(tmp_path, {}))
    assert samples.in_cache() is None


def test_two_that_fetch_at_the_same_time(tmp_path: Path) -> None:
    slow, quick = apt_with(tmp_path / "a", FILES), apt_with(tmp_path / "b", FILES)
    folders: list[Path] = []

    def overtaken(*asked: object) -> str:
        if not folders:
            folders.append(samples.fetch(quick))
        return slow(*asked)  # type: ignore[arg-type]

    assert samples.fetch(overtaken) == folders[0]
    assert len(list(samples.read(folders[0]))) == 1


def test_a_cache_that_cannot_be_renamed_into_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError("no")

    apt = apt_with(tmp_path, FILES)
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PermissionError):
        samples.fetch(apt)


def test_an_altered_picture_is_fetched_again(tmp_path: Path) -> None:
    apt = apt_with(tmp_path, FILES)
    folder = samples.fetch(apt)
    cat = folder / "animals/mammals/cats/cartoon/cat.png"
    cat.write_bytes(b"\x89PNG, another one")
    assert samples.in_cache() is None
    assert samples.fetch(apt) == samples.in_cache() == folder
    assert cat.read_bytes() == b"\x89PNG"


@pytest.mark.parametrize(
    ("text", "english", "others"),
    [
        (CAT, "A cat.", {"de": "Eine Katze.", "zh_CN": "一只猫。", "zh_TW": "貓。"}),
        ("A cat.\r\nzh_CN.utf8=猫\r\n", "A cat.", {"zh_CN": "猫"}),
        ("A cat.", "A cat.", {}),
        ("2 + 2 = 4\nde.utf8=2 + 2 = 4", "2 + 2 = 4", {"de": "2 + 2 = 4"}),
        ("A cat.\n\nno equals sign\nde.utf8=\nfr.utf8= \n", "A cat.", {}),
        ("\nzh_CN.utf8=猫", "", {"zh_CN": "猫"}),
        ("", "", {}),
    ],
)
def test_descriptions(text: str, english: str, others: dict[str, str]) -> None:
    assert samples.parse_description(text) == (english, others)


def test_what_is_known_of_a_stamp(tmp_path: Path) -> None:
    cat, tree, storm = lay_out(
        tmp_path,
        {
            "animals/mammals/cats/cartoon/cat.png": CAT,
            "animals/mammals/cats/cartoon/cat_mirror.png": None,
            "household/cartoon/tree.png": "A tree.",
            "naturalforces/storm.png": "A storm.",
        },
    )
    assert cat.id == "animals/mammals/cats/cartoon/cat.png"
    assert cat.picture == tmp_path / cat.id
    assert (cat.label, cat.texts) == ("animals", ("A cat.", "一只猫。"))
    assert cat.columns == {"cartoon": True, "group": "mammals"}
    assert tree.columns == {"cartoon": True}
    assert (storm.label, storm.columns) == ("natural forces", {"cartoon": False})
    assert storm.source == "some-stamps, naturalforces/storm.png"


def test_odd_texts(tmp_path: Path) -> None:
    files = {
        "a/bom.png": "\ufeffA cat.\nzh_CN.utf8=猫",
        "a/chinese-only.png": "\nzh_CN.utf8=猫",
        "a/empty.png": "",
        "a/letter.png": "X\nzh_CN.utf8=X",
        "loose.png": "Not below a category.",
    }
    read = {example.id: example.texts for example in lay_out(tmp_path, files)}
    assert read == {
        "a/bom.png": ("A cat.", "猫"),
        "a/chinese-only.png": ("猫",),
        "a/letter.png": ("X",),
    }
    (tmp_path / "a/bom.txt").write_bytes(b"Caf\xe9")
    assert next(samples.read(tmp_path)).texts == ("Caf\ufffd",)


def test_the_real_descriptions_are_read_as_the_shared_set_has_them(tmp_path: Path) -> None:
    annotations = shared_set("tuxpaint_stamps") / "annotations.jsonl"
    files, expected = {}, {}
    for line in annotations.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        name = Path(row["image"]).stem.replace("__", "/") + ".png"
        english, others = row["captions"][0], row["captions_i18n"]
        files[name] = "\n".join([english, *(f"{k}.utf8={v}" for k, v in others.items())])
        expected[name] = tuple(dict.fromkeys([english, others.get("zh_CN", english)]))
    read = lay_out(tmp_path, files)
    assert {example.id: example.texts for example in read} == expected
    assert len(read) == 1030
    assert {"animals", "plants", "natural forces"} <= {example.label for example in read}
