"""All kinds of files that ravl writes, and what forgetting does about each.

A new kind of file needs a line here; ``tests/forgetting/test_kinds.py`` fails without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePath

MARKS = ("run.json", "study.journal", "metrics.json", "rows.jsonl", "rows.parquet")  # of folders
REFIT = "ravl refit {root} --promote always"
PAGE = "Delete the page. To make it again: " + REFIT
REPEAT = "Repeat the command that was interrupted, which removes the file, or delete the file."
UNKNOWN = "Delete it, or make it again without the row."


@dataclass(frozen=True, slots=True)
class Kind:
    """Files of one kind.

    Args:
        pattern: of the path below a run's folder, or of the name beside a memory, of which
            ``MEMORY`` is the name; ``*`` also stands for ``/``.
        holds: what of a row is in such a file; empty where nothing is.
        remedy: what to do if something of a forgotten row is in it. ``{root}`` is the run's folder,
            ``{file}`` the file, ``{version}`` the folder of a version. Empty where ``ravl forget``
            erases it.
    """

    pattern: str
    holds: str
    remedy: str


BESIDE = (  # a memory
    Kind("MEMORY", "all", ""),
    Kind("MEMORY-wal", "all", ""),
    Kind("MEMORY-shm", "", ""),
    Kind("MEMORY.feedback", "ids, hashes, pictures, texts", ""),
    Kind("MEMORY.feedback-wal", "ids, hashes, pictures, texts", ""),
    Kind("MEMORY.feedback-shm", "", ""),
    Kind("MEMORY.graph-*", "vectors in one byte per number", ""),
    Kind("MEMORY.audit", "ids", "It is the log of all changes. Take the lines out of it yourself."),
    Kind("MEMORY.drift", "labels that were answered", "Delete the file while no server runs."),
    Kind(".MEMORY.at-*", "all", "Delete the file, unless a command with --at runs."),
    Kind(".MEMORY.*making*", "", "Delete the file."),
)
RUN = (  # a run, an export of it, a search for settings, an export of rows
    Kind("history/*", "as the run", "Delete {version}, once another version answers."),
    Kind("refits/*.html", "ids, texts, thumbnails", "Delete the page."),
    Kind("refits.json", "labels", "Take the lines out of it yourself."),
    Kind("refit.lock", "", ""),
    Kind("work*/*", "all", REPEAT),
    Kind("config.json", "", REPEAT),
    Kind("held.ravl*", "all", "ravl forget {file} ID"),
    Kind("rerank/*", "as the run", "Export the run again."),
    Kind("run.json", "labels, texts", REFIT),
    Kind("split.json", "ids, hashes", REFIT),
    Kind("predictor.safetensors", "what was learned", REFIT),
    Kind("fusion/*", "what was learned", REFIT),
    Kind("generator/*", "what was learned, words", REFIT),
    Kind("vision/*", "what was learned", REFIT),
    Kind("reference.json", "labels that were answered", REFIT),
    Kind("metrics.json", "labels", REFIT),
    Kind("settings.yaml", "", REFIT),
    Kind("README.md", "labels", REFIT),
    Kind("report.html", "ids, texts, thumbnails", PAGE),
    Kind("logs/*", "", "Delete the folder of logs."),
    Kind("export.json", "", "Export the run again."),
    Kind("encoder/*", "what was learned", "Train again with ravl fit search."),
    Kind("study.journal", "", "Tune again."),
    Kind("trials.csv", "ids in errors", "Delete the table."),
    Kind("best.yaml", "", "Tune again."),
    Kind("best/*", "as the run", "ravl refit {root}/best --promote always"),
    Kind("ravl.json", "", "Pull again what the sender has pushed again."),
    Kind("rows.jsonl", "all", "Delete this export, and export again."),
    Kind("rows.parquet", "all", "Delete this export, and export again."),
    Kind("pictures/*", "pictures", "Delete this export, and export again."),
)


def kind_beside(name: str, memory: str) -> Kind | None:
    """The kind of a file beside a memory, by both names; None for one that ravl does not write."""
    return _first(BESIDE, name.replace(memory, "MEMORY"))


def kind_in_run(path: PurePath) -> Kind | None:
    """The kind of a file in a run's folder, by its path there; None for an unknown kind."""
    return _first(RUN, path.as_posix())


def _first(kinds: Sequence[Kind], name: str) -> Kind | None:
    return next((kind for kind in kinds if fnmatchcase(name, kind.pattern)), None)
