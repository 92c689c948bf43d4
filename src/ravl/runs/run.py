"""A run: the folder that a fit leaves, from which its predictor is loaded again.

run.json               what it is: task, labels, encoder, memory, figures of the predictor, and
                       sizes and hashes of the files that decide its answers
settings.yaml          the resolved settings, for ``--config``
predictor.safetensors  keys, head, gate, thresholds, calibration
fusion/                the fusion model, as transformers keeps models, where there is one
generator/             what writes, with its vocabulary, or what it learned, where there is one
vision/                the fine-tuned tower's changed weights, where there is one
split.json             which picture was in which part
held.ravl              held-out pictures that the memory does not show, where there are some
history/, refits.json  the versions of the run, and what each refit came to, where there were some
metrics.json, report.html, README.md

An export (``ravl export RUN --onnx FOLDER``) is such a folder, whose networks are ONNX files; its
``export.json`` says what they are.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ravl.encoders import Fingerprint
from ravl.encoders.base import Array
from ravl.errors import DataError, EncoderMismatchError, MemoryFileError
from ravl.files.whole_file import whole_file, write_text
from ravl.hashes import to_json
from ravl.json_types import JsonObject, JsonRecord
from ravl.memory import Memory
from ravl.runs import format1
from ravl.runs.files import FILES, check_files, hashes_of_run
from ravl.runs.networks import Networks, Torch
from ravl.runtime.names import MANIFEST
from ravl.untrusted import damage_of, read_arrays, read_json

FORMAT = 2  # raise when an older ravl would misread a run; see also ravl.runs.format1
RUN, ARRAYS, FUSION, VISION = "run.json", "predictor.safetensors", "fusion", "vision"
GENERATOR = "generator"
HISTORY, REPORTS = "history", "refits"  # earlier versions, and the pages of refits
AGAIN = "Fit the run again, or pull it again."
NUMBER = "history"  # of run.json: which version it is, once it was refitted
AT = "at"  # of run.json while versions are exchanged: the folder that is whole


@dataclass(frozen=True, eq=False)
class Run:
    """What the folder says about itself.

    Args:
        folder: of the run.
        record: what ``run.json`` holds.
        networks: what opens its networks: as they were fitted, or an export's.
    """

    folder: Path
    record: JsonRecord
    networks: Networks = field(default_factory=Torch)

    @property
    def task(self) -> str:
        """classify, tag, match, caption or ask."""
        return str(self.record["task"])

    @property
    def memory(self) -> Path:
        """Where its memory is: as it was named, or where the run now lies as it lay then."""
        absolute = Path(self.record["memory"]["path"])
        beside = (self.folder / self.record["memory"]["relative"]).resolve()
        return beside if beside.exists() or not absolute.exists() else absolute

    def arrays(self) -> dict[str, dict[str, Array]]:
        """Arrays of each part of the predictor, by the part's name."""
        file = self.folder / ARRAYS
        return by_part(read_arrays(file, str(file), AGAIN))

    def check(self, memory: Memory, exact: bool) -> None:
        """Refuse a memory whose pictures were looked at by another network than at fitting time.

        Args:
            memory: to answer from.
            exact: the run reads texts as well, so that the whole encoder must be the same.

        Raises:
            EncoderMismatchError: says what was found and what to do.
        """
        fitted = Fingerprint.from_record(self.record["encoder"])
        now = memory.store.spaces.current().fingerprint
        if now.matches(fitted) or (now.same_vision(fitted) and not exact):
            return
        raise EncoderMismatchError(
            f"{self.folder} was fitted with the encoder {fitted.spec!r} ({fitted.digest}), and "
            f"{memory.path} now has {now.spec!r} ({now.digest}). Fit again with ravl fit "
            f"{self.task}, or name a memory that has the old encoder with --memory."
        )


def open_run(folder: str | Path, *, verify: bool = True) -> Run:
    """The run in a folder.

    Args:
        folder: of the run.
        verify: compare the files that decide answers with the hashes in ``run.json``. A process
            reads each file once for it.

    Raises:
        DataError: there is none, it did not end, a newer ravl made it, or one of its files is not
            the file that was written.
    """
    folder = Path(folder)
    record = _read(folder)
    while AT not in record:
        run = _opened(folder, record)
        if not verify:
            break
        try:
            check_files(folder, record)
            break
        except DataError:
            before, record = record, _read(folder)
            if record == before:
                raise  # otherwise a refit has put another version in its place meanwhile
    else:
        return open_run(_version(folder, record), verify=verify)
    if (folder / MANIFEST).is_file():
        from ravl.runtime.networks import OnnxNetworks

        return replace(run, networks=OnnxNetworks.open(folder))
    return run


def _read(folder: Path) -> JsonRecord:
    """``run.json`` of a folder."""
    file = folder / RUN
    if not file.is_file():
        if (folder / "work").is_dir():
            hint = "Its fit was interrupted: repeat the command, which continues where it stopped."
        elif (folder / "encoder").is_dir():
            hint = (
                "It holds a trained retriever, which its memory has already: name the memory. To "
                "train it again: ravl fit search."
            )
        else:
            hint = "Name the folder that ravl fit wrote with --out."
        raise DataError(f"{folder} holds no fitted run. {hint}")
    return read_record(folder)


def _opened(folder: Path, record: JsonRecord) -> Run:
    """A run of any format that this ravl reads."""
    return Run(folder, format1.upgraded(record) if record["format"] == 1 else record)


def _version(folder: Path, record: JsonRecord) -> Path:
    """The folder of the version that stands in for a run while versions are exchanged."""
    name = str(record[AT])
    version = folder / name
    if not re.fullmatch(rf"{HISTORY}/\d+", name) or AT in read_record(version):
        raise DataError(f"{folder / RUN} names {name!r:.100} as its version. {AGAIN}")
    return version


def read_record(folder: Path) -> JsonObject:
    """What ``run.json`` holds, of format 1 or 2.

    Raises:
        DataError: it is damaged, or a newer ravl made it.
    """
    file = folder / RUN
    with damage_of(f"{file}", AGAIN):
        record = read_json(file)
        number = int(record["format"])
        if number <= FORMAT:
            _check(record)
    if number > FORMAT:
        raise DataError(f"{folder} was made by a newer ravl (format {number}). Update ravl.")
    return record


def _check(record: JsonRecord) -> None:
    """Refuse a record without what every run has."""
    memory = record["memory"]
    paths = memory["path"], memory["relative"]
    for text in (record["task"], record["encoder"]["spec"], *paths):
        if not isinstance(text, str) or "\0" in text:
            raise ValueError("a name in it is not a text")


def open_memory(run: Run, memory: Memory | str | Path | None, exact: bool) -> Memory:
    """The memory that a run answers from, checked.

    Args:
        run: that answers.
        memory: another than the one it was fitted with; None for that one.
        exact: see :meth:`Run.check`.

    Raises:
        MemoryFileError: it is not where it was.
        EncoderMismatchError: see :meth:`Run.check`.
    """
    if isinstance(memory, Memory):
        run.check(memory, exact)
        return memory
    path = Path(memory) if memory is not None else run.memory
    if not path.exists():
        raise MemoryFileError(
            f"The memory of {run.folder}, {path}, is not there. If it has moved, name it "
            "with --memory."
        )
    opened = Memory.open(path)
    try:
        run.check(opened, exact)
    except BaseException:
        opened.close()
        raise
    return opened


def write_run(folder: Path, record: JsonRecord, parts: Mapping[str, Mapping[str, Array]]) -> Run:
    """Write ``predictor.safetensors`` and then ``run.json``, with hashes of all files so far."""
    import numpy as np
    from safetensors.numpy import save_file

    flat = {
        f"{part}.{name}": np.ascontiguousarray(array, np.float32)
        for part, arrays in parts.items()
        for name, array in arrays.items()
    }
    with whole_file(folder / ARRAYS) as half:
        save_file(flat, half)
    full = {"format": FORMAT, **record, FILES: to_json(hashes_of_run(folder))}
    write_json(folder / RUN, full)
    return Run(folder, full)


def by_part(flat: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
    """Arrays with names such as ``gate.prior``, by the first part of the name and by the rest."""
    parts: dict[str, dict[str, Array]] = {}
    for name, array in flat.items():
        part, _, inner = name.partition(".")
        parts.setdefault(part, {})[inner] = array
    return parts


def add_hashes(folder: Path) -> None:
    """Put hashes of the present files into ``run.json``, after others have written them."""
    record = _read(folder)
    write_json(folder / RUN, {**record, FILES: to_json(hashes_of_run(folder))})


def about_memory(memory: Memory, folder: Path) -> JsonObject:
    """How ``run.json`` names a memory."""
    relative = os.path.relpath(memory.path, folder.resolve())
    return {"path": str(memory.path), "relative": relative, "version": memory.version}


def write_json(file: Path, record: JsonRecord) -> None:
    """A JSON file, whole or not at all."""
    write_text(file, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
