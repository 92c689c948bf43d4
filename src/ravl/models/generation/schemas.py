"""Whether a text is JSON, and satisfies a schema."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ravl.errors import QueryError
from ravl.untrusted import parse_json

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

MISSING = "A JSON schema needs a package that is not installed: pip install 'ravl[grammar]'"


def satisfies(text: str, schema: str) -> bool:
    """True if a text is JSON that satisfies a schema; without one, if it is JSON.

    Raises:
        QueryError: the schema is not valid, or the package jsonschema is not installed.
    """
    try:
        value = parse_json(text)
    except ValueError:
        return False
    return not schema or bool(_validator(schema).is_valid(value))


def are_json(texts: Sequence[str]) -> bool:
    """True if all of these texts are JSON objects or lists: then what is written should be, too."""
    return bool(texts) and all(
        text.lstrip()[:1] in ("{", "[") and satisfies(text, "") for text in texts
    )


def read_schema(file: Path) -> str:
    """The schema in a file.

    Raises:
        QueryError: the file cannot be read, or holds no schema.
    """
    try:
        schema = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise QueryError(f"The schema in {file} cannot be read: {error}.") from error
    _validator(schema)
    return schema


@lru_cache(maxsize=16)
def _validator(schema: str) -> Validator:
    if find_spec("jsonschema") is None:
        raise QueryError(MISSING)
    from jsonschema import SchemaError
    from jsonschema.validators import validator_for

    try:
        loaded = parse_json(schema)
        kind = validator_for(loaded)
        kind.check_schema(loaded)
    except (ValueError, SchemaError) as error:
        reason = getattr(error, "message", error)
        raise QueryError(f"The text is not a valid JSON schema: {reason}.") from error
    return kind(loaded)
