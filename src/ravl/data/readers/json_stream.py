"""JSON files read piece by piece, so that their size does not matter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ravl.errors import DataError
from ravl.json_types import JsonValue


def items(path: Path, prefix: str) -> Iterator[JsonValue]:
    """The values under a prefix, such as ``images.item`` for each member of the list "images".

    Raises:
        DataError: if the file cannot be read, or is not JSON.
    """
    import ijson

    with _opened(path) as file:
        yield from ijson.items(file, prefix, use_float=True)


def kind(path: Path) -> str:
    """What a JSON file is by its outermost keys: "coco", "vqa", "answers", "list" or "unknown".

    Only as much is read as it takes. "answers" are VQA annotations, which have no questions.

    Raises:
        DataError: if the file cannot be read, or is not JSON.
    """
    import ijson

    with _opened(path) as file:
        for prefix, event, value in ijson.parse(file):
            if prefix == "":
                if event == "start_array":
                    return "list"
                if event == "map_key" and value in ("images", "questions"):
                    return "coco" if value == "images" else "vqa"
            elif prefix == "annotations.item" and event == "map_key":
                if value == "question_id":
                    return "answers"
                if value in ("caption", "category_id"):
                    return "coco"
    return "unknown"


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    import ijson

    try:
        with path.open("rb") as file:
            if file.read(3) != b"\xef\xbb\xbf":
                file.seek(0)
            yield file
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} is not the JSON it should be: {_first_line(error)}. It may have been cut "
            "off on its way; fetch or write it again."
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
