from __future__ import annotations

import sys
from types import ModuleType

import pytest

from benchmarks import __main__ as command
from benchmarks import report


@pytest.fixture
def registered(monkeypatch):
    """Two benchmarks, the first of which fails."""

    def fails():
        raise KeyError("question_only")

    for name, run in {"broken": fails, "whole": lambda: [{"rows": 3}]}.items():
        module = ModuleType(f"benchmarks.{name}", f"What {name} measures.")
        monkeypatch.setattr(module, "run", run, raising=False)
        monkeypatch.setitem(sys.modules, f"benchmarks.{name}", module)
    monkeypatch.setattr(command, "NAMES", ("broken", "whole"))


def test_a_benchmark_that_fails_does_not_stop_the_others(registered, tmp_path, capsys):
    assert command.main(["--tiny", str(tmp_path)]) == 1
    assert [p.name for p in sorted((tmp_path / "results").iterdir())] == ["whole.json", "whole.md"]
    assert "broken failed: KeyError: 'question_only'" in capsys.readouterr().out


def test_the_exit_code_is_0_where_all_run(registered, tmp_path):
    assert command.main(["--tiny", str(tmp_path), "whole"]) == 0


def test_an_unknown_benchmark_is_refused(registered, capsys):
    with pytest.raises(SystemExit):
        command.main(["nothing"])
    assert "There is no benchmark nothing" in capsys.readouterr().err


def test_a_picture_set_that_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(report, "SHARED", tmp_path)
    with pytest.raises(FileNotFoundError, match="picture set flickr8k is not there"):
        report.picture_set("flickr8k")
