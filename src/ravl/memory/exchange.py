"""Export, import and merge: memories as files that other tools read, and as parts of each other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravl.data import Example
from ravl.errors import DataError, EncoderMismatchError, PictureError
from ravl.memory import rows as store
from ravl.memory.duplicates import mark_twins
from ravl.memory.row import Row
from ravl.memory.spaces import current_space, read_vectors, unpack  # noqa: F401

if TYPE_CHECKING:
    from ravl.memory.memory import Memory
