"""Reading what somebody else may have written: JSON with limits, and damage as a sentence.

A memory, a run or what was pushed to a place is data of a stranger. Whatever stands in it, the
user gets an answer or one of ravl's errors, and never the error of a library or of Python.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ravl.errors import DataError, RavlError
from ravl.json_types import JsonObject, JsonValue

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_BYTES = 16 * 2**20  # of one JSON text; parsed, it takes up to 25 times as much memory
MOST_OF_PICTURES = 256 * 2**20  # of a file that says something of each picture
MOST_PARTS = 1_000_000  # lists and objects in it, which take the most
DEEPEST = 64  # levels of lists and objects
MOST_IN_CELL = 256 * 2**20  # bytes of JSON in a cell of a memory: a row may have 65,536 long texts
ADVICE = (  # about a memory
    "If the memory is of somebody else, do not use it. If it is yours, take a copy of it from "
    "before, or index the pictures into a new memory."
)
TOO_DEEP = "its values are nested too deeply"


def parse_json(data: str | bytes, most_bytes: int = MOST_BYTES) -> JsonValue:
    """The value of a JSON text.

    Args:
        data: the text, or its bytes in UTF-8, with or without a byte order mark.
        most_bytes: a longer text is refused before it is parsed.

    Raises:
        ValueError: the text is too long, is not JSON, is nested too deeply, or has half a
            character; or an object has a key twice.
    """
    if len(data) > most_bytes:
        raise ValueError(f"it has more than {most_bytes:,} bytes")
    text = data if isinstance(data, str) else data.decode("utf-8-sig")
    parts = text.count("[") + text.count("{")
    if parts > MOST_PARTS:
        raise ValueError(f"it has more than {MOST_PARTS:,} lists and objects")
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    if parts > DEEPEST:
        _check_depth(value)
    if "\\u" in text:  # may be half of a character, which cannot be written or printed
        json.dumps(value, ensure_ascii=False).encode()
    return value


def read_json(file: Path, most_bytes: int = MOST_BYTES) -> JsonObject:
    """The object in a JSON file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no JSON object; see :func:`parse_json`.
    """
    with file.open("rb") as opened:
        value = parse_json(opened.read(most_bytes + 1), most_bytes)
    if not isinstance(value, dict):
        raise ValueError(f"it holds {_kind(value)}, not an object")
    return value


@contextmanager
def damage_of(what: str, advice: str, error: type[RavlError] = DataError) -> Iterator[None]:
    """Turns what damaged or hostile data raises inside into one of ravl's errors.

    Args:
        what: is read, as the beginning of a sentence, such as ``"The run in runs/shirts"``.
        advice: what to do, a sentence.
        error: to be raised. Errors of ravl pass as they are.
    """
    try:
        yield
    except RavlError:
        raise
    except Exception as found:  # each library raises its own
        raise error(f"{what} is damaged ({reason_of(found)}). {advice}") from found


def read_arrays(
    source: bytes | Path, what: str, advice: str, error: type[RavlError] = DataError
) -> dict[str, NDArray[np.float32]]:
    """The arrays of safetensors by name: float32, and all of them numbers, if perhaps infinite.

    Those that are kept as float16 are widened.

    Args:
        source: the bytes, or their file. An array is never larger than them, whatever they say.
        what, advice, error: see :func:`damage_of`.
    """
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import load, load_file

    with damage_of(what, advice, error):
        try:
            arrays = dict(load(source) if isinstance(source, bytes) else load_file(source))
        except SafetensorError as found:
            raise ValueError(str(found)) from found
        for name, array in arrays.items():
            if array.dtype not in ("float32", "float16"):
                raise ValueError(f"{name!r} holds {array.dtype}, not float32")
            arrays[name] = array.astype(np.float32, copy=False)
            if (array != array).any():  # as only what is not a number does
                raise ValueError(f"{name!r} holds values that are not numbers")
        return arrays


def reason_of(error: BaseException) -> str:
    """An error in a few words, for the inside of a sentence."""
    words = " ".join(str(error).split()).rstrip(".")[:200]
    if isinstance(error, KeyError):
        return f"{words} is missing"
    # The text of other errors is not clear without their name.
    return words if words and isinstance(error, ValueError | OSError) else repr(error)[:200]


def unique_keys(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    """An object of which each key is there only once: ``object_pairs_hook`` of JSON decoders.

    Raises:
        ValueError: a key is there more than once.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        double = next(key for key in found if keys.count(key) > 1)
        raise ValueError(f"the key {double!r} is there more than once")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=unique_keys)


def _check_depth(value: JsonValue) -> None:
    """Refuse what functions that follow a value down could not follow."""
    level = [value]
    for _ in range(DEEPEST):
        parts = (each.values() if isinstance(each, dict) else each for each in level)
        level = [inner for part in parts for inner in part if isinstance(inner, dict | list)]
        if not level:
            return
    raise ValueError(TOO_DEEP)


def _kind(value: JsonValue) -> str:
    names = {list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
