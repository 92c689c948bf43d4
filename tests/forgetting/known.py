"""Which files ravl writes that forgetting does not know of."""

from __future__ import annotations

from pathlib import Path

from ravl.forgetting.kinds import kind_in_run


def unknown_files(folder: Path) -> list[str]:
    """Files of a run's folder that have no line in ``ravl.forgetting.kinds.RUN``."""
    names = [file.relative_to(folder) for file in sorted(folder.rglob("*")) if file.is_file()]
    return [name.as_posix() for name in names if kind_in_run(name) is None]
