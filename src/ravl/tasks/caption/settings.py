"""What a user can choose when caption is fitted."""

from __future__ import annotations

from dataclasses import dataclass

from ravl.training.text_settings import TextSettings


@dataclass(frozen=True, kw_only=True)
class CaptionSettings(TextSettings):
    """How to fit caption: a text about a picture.

    Args:
        target: column of the user's own whose text is to be written; empty for captions.
        schema: file of a JSON schema that all texts must satisfy. Needs ravl[grammar].
    """

    target: str = ""
    schema: str = ""
