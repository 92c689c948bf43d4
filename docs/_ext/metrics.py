"""What the server counts, from its registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from docs._ext.words import escaped

from ravl.serving.metrics import Metrics


def reference(_words: Sequence[str] = ()) -> str:
    """A table of all metrics."""
    known: Any = Metrics().registry
    lines = ["| metric | kind | labels | what it counts |", "|---|---|---|---|"]
    for collector in dict.fromkeys(known._names_to_collectors.values()):
        labels = ", ".join(f"`{name}`" for name in collector._labelnames)
        for family in collector.describe():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            words = escaped(family.documentation)
            lines.append(f"| `{name}` | {family.type} | {labels} | {words} |")
    return "\n".join(lines) + "\n"
