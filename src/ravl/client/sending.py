"""Sending pictures and texts: multipart uploads, rows by their id, in chunks."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import httpx2 as httpx
from PIL import Image

from ravl.client.plans import BYTES, Ask, Body, Plan, Server, fetched
from ravl.client.problems import checked, fewer
from ravl.data import QA, Example, pictures
from ravl.errors import PictureError
from ravl.json_types import JsonRecord
from ravl.memory import Picture, Row
from ravl.tasks.pairing import check_pairs

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Source = Picture | str | Row
T = TypeVar("T")
R = TypeVar("R")


def source_list(given: Source | Iterable[Source]) -> tuple[list[Source], bool]:
    """One picture or several as a list, and whether it was one."""
    if isinstance(given, str | bytes | Path | Image.Image | Row):
        return [given], True
    return list(given), False


def encoded(source: Picture | str) -> bytes:
    """The file of a picture; a PIL picture is encoded without loss.

    Raises:
        PictureError: the picture cannot be read.
    """
    if not isinstance(source, Image.Image):
        return pictures.read_bytes(Path(source) if isinstance(source, str) else source)
    out = io.BytesIO()
    pictures.decode(source).save(out, "PNG", compress_level=1)
    return out.getvalue()


def unsendable(source: Source | None) -> PictureError | None:
    """Why a picture cannot be sent, or None; what is in a file is checked by the server."""
    try:
        if isinstance(source, str | Path):
            pictures.check_file(Path(source))
        elif isinstance(source, bytes):
            pictures.read_bytes(source)
        elif isinstance(source, Image.Image):
            pictures.decode(source)
    except PictureError as error:
        return error
    return None


def in_json(source: Source) -> dict[str, object]:
    """A picture as part of JSON."""
    if isinstance(source, Row):
        return {"id": source.id}
    return {"base64": base64.b64encode(encoded(source)).decode()}


def size_of(source: Source | None) -> int:
    """The approximate number of bytes to send."""
    if isinstance(source, bytes):
        return len(source)
    if isinstance(source, Image.Image):
        return source.width * source.height * 3
    if isinstance(source, str | Path):
        try:
            return Path(source).stat().st_size
        except (OSError, ValueError):  # it is refused later, when it is read
            return 0
    return 0


def with_pictures(name: str, sources: Sequence[Source], values: Mapping[str, object]) -> Body:
    """The body of a request about pictures; files go before rows, see :func:`files_first`.

    Args:
        name: name of the field: picture or pictures.
        sources: at least one picture.
        values: other fields.
    """
    rows = [in_json(source) for source in sources if isinstance(source, Row)]
    files = [encoded(source) for source in sources if not isinstance(source, Row)]
    given = rows if name == "pictures" or not rows else rows[0]
    if not files:
        return {"json": {**values, name: given}}
    data = {**values, name: json.dumps(given)} if rows else dict(values)
    return {"data": data, "files": [(name, ("picture", file)) for file in files]}


def files_first(sources: Sequence[Source]) -> list[int]:
    """The order in which a server reads the pictures of a form."""
    return sorted(range(len(sources)), key=lambda i: isinstance(sources[i], Row))


def unusual(record: DataclassInstance) -> dict[str, object]:
    """The fields of a dataclass that differ from their defaults."""
    usual = type(record)()
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return {name: value for name, value in values.items() if value != getattr(usual, name)}


def how_of(options: JsonRecord) -> dict[str, object]:
    """Options to send: without missing ones, and with the fields of a decoding."""
    given = dict(options)
    if (how := given.pop("how", None)) is not None:
        given |= unusual(how)
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in given.items()
        if value is not None and value != () and value != ""
    }


def paired(given: Sequence[Source], texts: Sequence[str], noun: str) -> list[tuple[Source, str]]:
    """Pair pictures and texts; a single item is repeated.

    Raises:
        QueryError: the numbers do not fit.
    """
    check_pairs(len(given), len(texts), noun)
    count = max(len(given), len(texts)) if given and texts else 0
    return [(given[i % len(given)], texts[i % len(texts)]) for i in range(count)]


def in_chunks(
    server: Server,
    items: Sequence[T],
    weigh: Callable[[T], int],
    ask: Callable[[list[T]], Ask],
    reader: Callable[[httpx.Response, int], list[R]],
) -> Plan[list[R]]:
    """The results of all items, in chunks that the server accepts.

    Args:
        server: that answers.
        items: any number of items.
        weigh: the number of bytes of an item.
        ask: makes the request for a chunk.
        reader: extracts the results of a chunk from the reply.

    Raises:
        RavlError: as the reader does.
    """
    found: list[R] = []
    most = server.batch
    while len(found) < len(items):
        chunk = list(_next(items, len(found), most, weigh))
        reply = yield from fetched(server, ask(chunk))
        less = fewer(reply, len(chunk))
        if less is None:
            found += reader(checked(reply), len(chunk))
            continue
        most = less
        if reply.status_code in (400, 422):  # the limit belongs to the server, not to these items
            server.batch = less
    return found


def _next(items: Sequence[T], start: int, most: int, weigh: Callable[[T], int]) -> Iterator[T]:
    """The next items, at least one, within the limits of number and bytes."""
    total = 0
    for i, item in enumerate(items[start : start + most]):
        total += weigh(item)
        if i and total > BYTES:
            return
        yield item


def new_row(example: Example) -> dict[str, object]:
    """A row to add, without empty fields."""
    values = {
        "id": example.id,
        "texts": list(example.texts),
        "label": example.label,
        "tags": list(example.tags),
        "qa": qa_of(example.qa),
        "columns": dict(example.columns),
        "picture": in_json(example.picture) if example.picture is not None else None,
    }
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def qa_of(qa: Iterable[QA] | None) -> list[dict[str, object]] | None:
    """Questions with their answers as JSON; None stays."""
    if qa is None:
        return None
    return [{"question": q.question, "answers": list(q.answers)} for q in qa]
