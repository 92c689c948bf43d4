"""``refits.json``: what each attempt to refit a run came to."""

from __future__ import annotations

from pathlib import Path

from ravl.json_types import JsonObject
from ravl.runs.run import write_json
from ravl.untrusted import damage_of, read_json

LOG = "refits.json"


def read_log(folder: Path) -> list[JsonObject]:
    """All attempts, the oldest first.

    Raises:
        DataError: the file is damaged.
    """
    file = folder / LOG
    if not file.exists():
        return []
    with damage_of(str(file), "Move it away; the next refit begins a new one."):
        found: list[JsonObject] = read_json(file)["attempts"]
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise ValueError("the attempts are not a list of objects")
        return found


def note(folder: Path, attempt: JsonObject) -> None:
    """Add an attempt."""
    write_json(folder / LOG, {"attempts": [*read_log(folder), attempt]})
