"""What networks take."""

from __future__ import annotations

from typing import Any

Batch = dict[str, Any]  # inputs by name: tensors, and groups of tensors by name
