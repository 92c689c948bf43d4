"""One form of a text: macOS writes ``ü`` in file names as two characters, people type one."""

from __future__ import annotations

import unicodedata


def nfc(text: str) -> str:
    """The text in Unicode's normal form C, in which equal texts have equal characters."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def spellings(text: str) -> tuple[str, ...]:
    """The text as it is, then in the forms that files and older memories may hold."""
    if text.isascii():
        return (text,)
    forms = (text, *(unicodedata.normalize(form, text) for form in ("NFC", "NFD")))
    return tuple(dict.fromkeys(forms))
