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
KILLS = int(os.environ.get("RAVL_KILLS", "20"))  # of each command
ROUNDS = max(1, KILLS // 10)  # of two processes at once

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="a command is a fork of a process"),
]


@pytest.mark.parametrize("name", COMMANDS)
def test_kills(name: str) -> None:
    """The memory opens, nothing is wrong with it, no row is lost, and a second run ends."""
    print(name, run("kills", name, KILLS))


@pytest.mark.parametrize("name", [name for name, each in COMMANDS.items() if each.together])
def test_two_at_once(name: str) -> None:
    """One is done and the other is refused, or both are done; nothing is mixed."""
    print(name, run("together", name, ROUNDS))


def run(work: str, name: str, times: int) -> dict[str, int]:
    """How often each result was seen."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.memory.killing", work, name, str(times)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found
