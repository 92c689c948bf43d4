"""Every benchmark runs on tiny data: quick ones here, the others with `make test-slow`."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest
from benchmarks.__main__ import NAMES, main
from benchmarks.report import RESULTS

QUICK = ("quality", "syncing", "drift")  # together ten seconds
BENCHMARKS = [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in NAMES]
PARTS = {"scale_runtime", "scale_large"}  # of `scale`, and for a large machine
FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize("name", BENCHMARKS)
def test_runs_on_tiny_data(name, tmp_path):
    kept = {path: path.stat().st_mtime_ns for path in RESULTS.iterdir()}
    assert main(["--tiny", str(tmp_path), name]) == 0
    record = json.loads((tmp_path / "results" / f"{name}.json").read_text("utf-8"))
    assert record["results"]
    assert (tmp_path / "results" / f"{name}.md").exists()
    assert {path: path.stat().st_mtime_ns for path in RESULTS.iterdir()} == kept


def test_every_benchmark_is_registered_and_has_a_tiny_mode():
    found = {p.stem for p in FOLDER.glob("*.py") if "\ndef run(" in p.read_text("utf-8")}
    assert found - PARTS == set(NAMES)
    for name in NAMES:
        module = import_module(f"benchmarks.{name}")
        assert hasattr(module, "TINY"), f"benchmarks/{name}.py says no TINY values"
        missing = [constant for constant in module.TINY if not hasattr(module, constant)]
        assert not missing, f"benchmarks/{name}.py has no {missing}"
