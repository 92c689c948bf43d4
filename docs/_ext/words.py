"""Words of the code as Markdown."""

from __future__ import annotations

import re

_OPTION = re.compile(r"(?<![\w`-])(--[a-z][a-z0-9-]*)")
_SPECIAL = re.compile(r"([*_<>\[\]|~$])")


def escaped(text: str) -> str:
    """A text in which only `code` means something."""
    text = " ".join(text.replace("``", "`").split())
    if "`" not in text:
        text = _OPTION.sub(r"`\1`", text)
    parts = text.split("`")
    if len(parts) % 2 == 0:  # a single backtick is no code
        return _SPECIAL.sub(r"\\\1", text.replace("`", "'"))
    return "`".join(_SPECIAL.sub(r"\\\1", p) if n % 2 == 0 else p for n, p in enumerate(parts))
