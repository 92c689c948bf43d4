"""The reference: what a run answered to pictures of fitting time, kept in ``reference.json``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ravl.errors import DataError
from ravl.runs.run import write_json
from ravl.runs.signals import Signals

REFERENCE = "reference.json"


@dataclass(frozen=True, eq=False)
class Reference:
    """What pictures were like when a run was fitted.

    Args:
        signals: of pictures that were held out of training.
        version: of the memory that answered.
    """

    signals: Signals
    version: int


def write_reference(folder: Path, signals: Signals, version: int) -> Reference:
    """Keep signals in a run's folder as its reference.

    Args:
        folder: of the run.
        signals: of its answers to pictures that were held out of training.
        version: of the memory that answered.
    """
    record = {"format": 1, "memory_version": version, **signals.to_json()}
    write_json(folder / REFERENCE, record)
    return Reference(signals, version)


def read_reference(folder: Path) -> Reference:
    """The reference of a run.

    Raises:
        DataError: it has none, or a damaged one.
    """
    file = folder / REFERENCE
    if not file.is_file():
        raise DataError(
            f"{folder} does not tell what pictures were like when it was fitted: an older ravl "
            "made it. Fit it again, or name pictures of that time that it was not trained on: "
            f"ravl drift {folder} --reference PICTURES"
        )
    try:
        record = json.loads(file.read_text("utf-8"))
        return Reference(Signals.from_json(record), int(record["memory_version"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file} is damaged ({error!r}). Make it anew: ravl drift {folder} --reference PICTURES"
        ) from error
