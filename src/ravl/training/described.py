"""What a settings dataclass says about its fields, for ``--help`` and error messages."""

from __future__ import annotations

import inspect
import re

_ENTRY = re.compile(r"^    (\w+(?:, \w+)*): (.*(?:\n        .*)*)", re.MULTILINE)


def described(settings: type[object]) -> dict[str, str]:
    """The text of each field in the ``Args:`` of the class and of those it is derived from."""
    found: dict[str, str] = {}
    for base in reversed(settings.__mro__):
        text = inspect.cleandoc(base.__doc__ or "")
        _, _, arguments = text.partition("\nArgs:\n")
        for names, words in _ENTRY.findall(arguments):
            for name in names.split(", "):
                found[name] = " ".join(words.split())
    return found
