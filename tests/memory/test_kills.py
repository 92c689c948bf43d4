"""Kills of every command that writes: what was there stays, and the same command ends its work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.memory.kill_commands import COMMANDS

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("RAVL_KILLS", "60"))  # of all commands together


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a killed command is a fork of a process")
@pytest.mark.parametrize("name", COMMANDS)
def test_kills(name: str) -> None:
    """The memory opens, nothing is wrong with it, no row is lost, and a second run ends."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.memory.killing", name, str(-(-KILLS // len(COMMANDS)))],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    print(name, json.loads(done.stdout.splitlines()[-1]))
