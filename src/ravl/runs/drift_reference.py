"""The reference: what a run answered to pictures of fitting time, kept in ``reference.json``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ravl.errors import DataError
from ravl.runs.run import write_json
from ravl.runs.signals import Signals
from ravl.untrusted import MOST_OF_PICTURES, damage_of, read_json

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
    with damage_of(str(file), f"Make it anew: ravl drift {folder} --reference PICTURES"):
        record = read_json(file, MOST_OF_PICTURES)
        return Reference(Signals.from_json(record), int(record["memory_version"]))
