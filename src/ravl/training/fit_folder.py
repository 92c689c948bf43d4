"""The folder of a fit: new, or one that was interrupted and goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from ravl.addresses import refuse_address
from ravl.errors import DataError, DivergedError, EncoderError, FilterError
from ravl.files.lock import is_empty, locked
from ravl.files.whole_file import write_text
from ravl.json_types import JsonRecord
from ravl.training.processes import is_main_process


@contextmanager
def running(out: Path, config: JsonRecord) -> Iterator[Path]:
    """The folder for a fit's intermediate files; gone once the fit has ended.

    See :func:`alone`, :func:`freeing` and :func:`begin`.
    """
    with alone(out):
        with freeing(out):
            work = begin(out, config)
            yield work
        shutil.rmtree(work, ignore_errors=True)
        (out / "config.json").unlink(missing_ok=True)


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Refuse another fit or refit in the same folder; the processes of one fit are one.

    Raises:
        BusyError: another process works in the folder.
    """
    with locked(out) if is_main_process() else nullcontext():
        yield


@contextmanager
def freeing(out: Path) -> Iterator[None]:
    """A fit that is refused leaves the run's folder free for other words.

    So does one that diverged; one that is interrupted leaves the state from which it continues.
    """
    goes_on = out.exists() and not is_empty(out)
    try:
        yield
    except (DataError, EncoderError, FilterError, DivergedError) as error:
        if is_main_process() and (not goes_on or isinstance(error, DivergedError)):
            forget(out)
        raise


def forget(out: Path) -> None:
    """Undo :func:`begin` for a fit that was refused, so that it can be asked for in other words."""
    shutil.rmtree(out / "work", ignore_errors=True)
    (out / "config.json").unlink(missing_ok=True)


def begin(out: Path, config: JsonRecord) -> Path:
    """Make or check the folder of a run; returns where its intermediate files go.

    Args:
        out: the run's folder; new, empty, or of this very fit that did not end.
        config: all that the result depends on, as JSON types.

    Raises:
        DataError: it holds a finished run, an interrupted one with other settings, or other files.
    """
    refuse_address(out)
    if (out / "metrics.json").exists():
        raise DataError(f"{out} holds a finished run. Name another folder with --out.")
    file = out / "config.json"
    if file.exists() and json.loads(file.read_text("utf-8")) != config:
        raise DataError(
            f"{out} holds a run that was interrupted and had other settings. Repeat its command, "
            "which continues where it stopped, or name another folder with --out."
        )
    if not file.exists() and out.exists() and not is_empty(out):
        raise DataError(f"{out} is not empty. Name a new folder with --out.")
    work = out / "work"
    work.mkdir(parents=True, exist_ok=True)
    if not file.exists():  # of several processes, none reads what another is just writing
        record = json.dumps(config, indent=1, ensure_ascii=False) + "\n"
        write_text(file, record)
    return work
