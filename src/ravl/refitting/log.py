"""``refits.json``: what each attempt to refit a run came to."""

from __future__ import annotations

import json
from pathlib import Path

from ravl.errors import DataError
from ravl.json_types import JsonObject
from ravl.runs.run import write_json

LOG = "refits.json"


def read_log(folder: Path) -> list[JsonObject]:
    """All attempts, the oldest first.

    Raises:
        DataError: the file is damaged.
    """
    file = folder / LOG
    if not file.exists():
        return []
    try:
        found: list[JsonObject] = json.loads(file.read_text("utf-8"))["attempts"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file} is damaged ({error!r}). Move it away; the next refit begins a new one."
        ) from error
    return found


def note(folder: Path, attempt: JsonObject) -> None:
    """Add an attempt."""
    write_json(folder / LOG, {"attempts": [*read_log(folder), attempt]})
