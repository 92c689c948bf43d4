"""What the tests of bad input share: how something is set aside, and among what."""

from __future__ import annotations

from pathlib import Path

from ravl.data import Rejected
from ravl.memory import IndexReport, Memory
from tests.helpers import make_pictures

GOOD = 10  # pictures of a folder: more than a batch of the ColourEncoder


def good_folder(path: Path) -> Path:
    """A folder with good pictures, for a bad one to be put among."""
    make_pictures(path, GOOD)
    return path


def only(memory: Memory, report: IndexReport) -> Rejected:
    """The one thing that was set aside, on which the report and the quarantine agree."""
    assert report.rejected == 1
    (rejected,) = report.reasons
    assert report.dry_run or memory.quarantine() == [rejected]
    assert "\n" not in rejected.reason
    assert 20 < len(rejected.reason) < 300
    return rejected


def table(path: Path, *lines: str) -> Path:
    """The path of a table with these lines."""
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
