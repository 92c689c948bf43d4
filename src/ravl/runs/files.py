"""``files`` of ``run.json``: hashes of the files that decide what a run answers.

Other files of a run may change: pages are made again, a reference is measured again, versions and
refits are added. Runs that older versions of ravl have written have no hashes.
"""

from __future__ import annotations

from pathlib import Path

from ravl.errors import DataError
from ravl.hashes import FileHash, first_difference, from_json, hashes_below
from ravl.json_types import JsonRecord

FILES = "files"  # the key in run.json
ABOUT = {  # files and folders that decide no answer, or have a run.json of their own
    "run.json",
    "config.json",
    "settings.yaml",
    "split.json",
    "held.ravl",
    "reference.json",
    "metrics.json",
    "report.html",
    "README.md",
    "ravl.json",
    "refits.json",
    "refit.lock",
    "refits",
    "history",
    "logs",
    "rerank",
}


def hashes_of_run(folder: Path) -> dict[str, FileHash]:
    """Hashes of the files in a run's folder that decide its answers, by name."""
    names = [file.relative_to(folder) for file in folder.rglob("*") if file.is_file()]
    return hashes_below(folder, [name.as_posix() for name in names if _decides(name)])


def written_files(folder: Path, record: JsonRecord) -> dict[str, FileHash]:
    """What ``run.json`` says of the files of a run; empty for a run of an older ravl.

    Raises:
        DataError: the list is damaged.
    """
    if FILES not in record:
        return {}
    try:
        return from_json(record[FILES])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{folder / 'run.json'} is damaged ({error!r:.200}). Fit the run again."
        ) from error


def check_files(folder: Path, record: JsonRecord) -> None:
    """Refuse a run one of whose files is not the file that was written.

    Raises:
        DataError: says which file, and what to do.
    """
    found = first_difference(folder, written_files(folder, record))
    if found is not None:
        file, why = found
        raise DataError(
            f"{file} is missing or damaged: {why}. Fit the run again (or export it again), bring "
            "the file back from a copy, or go back to an earlier version with ravl rollback."
        )


def _decides(name: Path) -> bool:
    first = name.parts[0]
    hidden = any(part.startswith(".") for part in name.parts)
    return not (
        hidden or first in ABOUT or first.startswith("work") or name.suffix in (".part", ".ravl")
    )
