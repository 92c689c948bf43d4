"""ravl export: a memory's rows or a run's networks, and clear words for the wrong mix."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ravl.cli import cli


def ravl(*arguments: object) -> tuple[int, str]:
    found = CliRunner().invoke(cli, [str(a) for a in arguments])
    return found.exit_code, found.output


def test_a_run_as_onnx(fitted: Path, tmp_path: Path, by_name: None) -> None:
    code, out = ravl("export", fitted / "linear", "--onnx", tmp_path / "out", "--sample", 4)
    assert code == 0
    assert "answers classify without torch" in out
    assert "agree on 4 of 4 answers" in out
    assert (tmp_path / "out" / "README.md").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["RUN", "rows"], "is a run. Export it with: ravl export"),
        (["RUN"], "is a run. Export it with: ravl export"),
        (["RUN", "rows", "--onnx", "OUT"], "without"),
        (["RUN", "--onnx", "OUT", "--where", "price < 3"], "--where"),
        (["RUN", "--onnx", "OUT", "--check", "data.csv"], "Add --int8"),
        (["MEMORY", "--onnx", "OUT"], "is a memory, or does not exist, and --onnx is for runs"),
        (["MEMORY", "rows", "--int8"], "--int8 is for runs"),
        (["MEMORY"], "Give a new folder for the rows"),
    ],
    ids=range(8),
)
def test_the_wrong_mix(fitted: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    names = {"RUN": fitted / "vote", "MEMORY": fitted / "shop.ravl", "OUT": tmp_path / "out"}
    code, out = ravl("export", *[names.get(a, a) for a in arguments])
    assert code == 2
    assert said in " ".join(out.replace("│", " ").split())
    assert not (tmp_path / "out").exists()
