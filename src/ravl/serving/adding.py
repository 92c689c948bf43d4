"""Adding rows: pictures are copied into the memory, and no row is replaced by accident."""

from __future__ import annotations

from collections.abc import Sequence

from ravl.data import QA, Example, pictures
from ravl.errors import DataError, RowExistsError
from ravl.json_types import JsonObject
from ravl.memory import Memory, Row
from ravl.memory.adding import add_rows
from ravl.serving.asking import Asking
from ravl.serving.bodies import PictureIn, RowChange, RowIn
from ravl.serving.incoming import check_texts
from ravl.serving.keys import Caller
from ravl.serving.problems import Problem


async def added(
    asking: Asking, caller: Caller, given: Sequence[tuple[RowIn, bytes | PictureIn | None]]
) -> list[Row]:
    """New rows, all of them or none.

    Raises:
        Problem: 409, an id is taken.
        DataError: a row has neither id nor picture, or cannot be kept.
        PictureError: a picture cannot be read.
    """
    service = asking.service
    examples = [await _example(asking, body, source) for body, source in given]
    rows = await asking.service.writing(_add, service.memory, examples)
    service.audit.write(
        caller=caller.name, request=asking.number, what="rows.add", ids=[row.id for row in rows]
    )
    return rows


async def _example(asking: Asking, body: RowIn, source: bytes | PictureIn | None) -> Example:
    limits = asking.service.limits
    check_texts(texts_of(body), limits.text, DataError)
    data = await asking.encoded(source) if source is not None else None
    if data is not None:  # refused here, before anything is written
        await asking.service.decoders.decode([data], 64)
    if body.id is None and data is None:
        raise DataError("The row has neither an id nor a picture. Give it one of both.")
    return Example(
        id=body.id or f"added/{pictures.content_hash(data or b'')}",
        picture=data,
        texts=tuple(body.texts or ()),
        label=body.label or None,
        tags=tuple(body.tags or ()),
        qa=tuple(QA(q.question, tuple(q.answers)) for q in body.qa or ()),
        columns={k: v for k, v in (body.columns or {}).items() if v is not None},
        source="server",
    )


def _add(memory: Memory, examples: Sequence[Example]) -> list[Row]:
    try:
        return add_rows(memory, examples)
    except RowExistsError as error:
        raise Problem(409, str(error), kind="data") from error


def texts_of(body: RowChange) -> list[str | None]:
    """All texts that somebody wrote into a row."""
    asked = [text for qa in body.qa or [] for text in (qa.question, *qa.answers)]
    columns = [value for value in (body.columns or {}).values() if isinstance(value, str)]
    return [*(body.texts or []), body.label, *(body.tags or []), *asked, *columns]


def fields_of(body: RowChange) -> JsonObject:
    """A change as :meth:`ravl.memory.Memory.update` takes it."""
    return {
        "texts": body.texts,
        "label": body.label,
        "tags": body.tags,
        "columns": body.columns,
        "qa": None if body.qa is None else [QA(q.question, tuple(q.answers)) for q in body.qa],
    }
