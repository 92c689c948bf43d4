"""Where ravl keeps what it can make again: exported networks, downloaded samples."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_dir(name: str) -> Path:
    """A folder of that name inside ravl's cache, made if need be.

    The cache is the user's cache folder of the operating system, or ``$RAVL_CACHE``.
    """
    base = os.environ.get("RAVL_CACHE") or platformdirs.user_cache_dir("ravl")
    folder = Path(base) / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
