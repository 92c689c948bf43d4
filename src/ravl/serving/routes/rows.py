"""``/v1/rows`` and ``/v1/row``: looking at the memory and changing it.

An id may hold anything, slashes and dots as well, and so it is a parameter and never part of a
path.
"""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, Field

from ravl.errors import DataError
from ravl.memory import Row
from ravl.serving.adding import added, fields_of, texts_of
from ravl.serving.asking import Asking, caller_of
from ravl.serving.bodies import DeleteIn, Filter, RowChange, RowIn, RowsIn
from ravl.serving.documented import gives, secured, takes
from ravl.serving.incoming import Sent, check_number, check_texts, read
from ravl.serving.outgoing import Json, row_json
from ravl.serving.problems import Problem
from ravl.serving.results import ROW, RowOut, example
from ravl.serving.service import Service

IdQuery = Annotated[
    str,
    Query(min_length=1, max_length=2_000, examples=["shirts/17.jpg"], description="Of the row."),
]
Where = Annotated[
    Filter | None, Query(max_length=4_000, examples=["price < 40"], description="A filter.")
]
Number = Annotated[int, Query(ge=0, lt=2**62, description="As next of the page before says.")]
Limit = Annotated[int, Query(ge=1, le=500, description="Rows of a page.")]


class RowPage(BaseModel):
    """Some rows, oldest first."""

    model_config = example(rows=[ROW], next=17)
    rows: list[RowOut]
    next: int | None = Field(description="Give it as after for the next page; null at the end.")


class Count(BaseModel):
    """How many rows there are."""

    model_config = example(count=1234)
    count: int


class RowsOut(BaseModel):
    """The present rows."""

    model_config = example(rows=[ROW])
    rows: list[RowOut]


class Deleted(BaseModel):
    """How many rows were deleted."""

    model_config = example(deleted=2)
    deleted: int


def add(app: FastAPI, service: Service) -> None:
    """Add the endpoints."""
    _reading(app, service)
    _adding(app, service)
    _changing(app, service)


def _reading(app: FastAPI, service: Service) -> None:
    memory = service.memory

    @app.get(
        "/v1/rows",
        summary="List rows",
        tags=["memory"],
        operation_id="rows",
        openapi_extra=secured("read"),
        responses=gives(app, RowPage),
    )
    async def rows(
        request: Request, where: Where = None, after: Number = 0, limit: Limit = 50
    ) -> Json:
        caller_of(service, request, "read")

        def page() -> list[Row]:
            return list(islice(memory.rows(where, after), limit + 1))

        found = await service.aside(page)
        more = len(found) > limit
        shown = [row_json(row) for row in found[:limit]]
        return Json({"rows": shown, "next": found[limit - 1].number if more else None})

    @app.get(
        "/v1/rows/count",
        summary="Count rows",
        tags=["memory"],
        operation_id="rows_count",
        openapi_extra=secured("read"),
        responses=gives(app, Count),
    )
    async def count(request: Request, where: Where = None) -> Json:
        caller_of(service, request, "read")
        return Json({"count": await service.aside(memory.count, where)})

    @app.get(
        "/v1/row",
        summary="Get a row",
        tags=["memory"],
        operation_id="row_get",
        openapi_extra=secured("read"),
        responses=gives(app, RowOut, 404),
    )
    async def row(request: Request, id: IdQuery) -> Json:
        caller_of(service, request, "read")
        return Json(row_json(await service.aside(memory.get, id)))


def _adding(app: FastAPI, service: Service) -> None:
    @app.post(
        "/v1/rows",
        summary="Add a row",
        tags=["memory"],
        operation_id="row_add",
        status_code=201,
        openapi_extra=takes(app, RowIn, "write"),
        responses=gives(app, RowOut, 400, 404, 409, 415, status=201),
    )
    async def row_add(request: Request) -> Json:
        caller = caller_of(service, request, "write")
        sent: Sent[RowIn] = await read(request, RowIn, 1)
        asking = Asking(service, request)
        rows = await added(asking, caller, [(sent.body, sent.picture())])
        return Json(row_json(rows[0]), 201)

    @app.post(
        "/v1/rows/batch",
        summary="Add rows",
        tags=["memory"],
        operation_id="row_add_batch",
        status_code=201,
        openapi_extra=takes(app, RowsIn, "write"),
        responses=gives(app, RowsOut, 404, 409, 415, status=201),
    )
    async def row_add_batch(request: Request) -> Json:
        caller = caller_of(service, request, "write")
        sent: Sent[RowsIn] = await read(request, RowsIn, 0)
        given = sent.body.rows
        if not given:
            raise DataError("There are no rows. Give at least one.")
        check_number(len(given), "rows", service.limits.batch)
        asking = Asking(service, request)
        rows = await added(asking, caller, [(row, row.picture) for row in given])
        return Json({"rows": [row_json(row) for row in rows]}, 201)


def _changing(app: FastAPI, service: Service) -> None:
    memory = service.memory

    @app.patch(
        "/v1/row",
        summary="Change a row",
        tags=["memory"],
        operation_id="row_update",
        openapi_extra=takes(app, RowChange, "write"),
        responses=gives(app, RowOut, 404, 415),
    )
    async def row_update(request: Request, id: IdQuery) -> Json:
        caller = caller_of(service, request, "write")
        body = (await read(request, RowChange, 0)).body
        check_texts(texts_of(body), service.limits.text, DataError)
        change = fields_of(body)
        row = await service.writing(memory.update, id, **change)
        service.audit.write(
            caller=caller.name,
            request=Asking(service, request).number,
            what="row.update",
            id=id,
            fields=sorted(name for name, value in change.items() if value is not None),
        )
        return Json(row_json(row))

    @app.delete(
        "/v1/row",
        summary="Delete a row",
        tags=["memory"],
        operation_id="row_delete",
        openapi_extra=secured("write"),
        responses=gives(app, Deleted, 404),
    )
    async def row_delete(request: Request, id: IdQuery) -> Json:
        caller = caller_of(service, request, "write")
        deleted = await service.writing(memory.delete, [id])
        number = Asking(service, request).number
        service.audit.write(caller=caller.name, request=number, what="row.delete", ids=[id])
        return Json({"deleted": deleted})

    @app.post(
        "/v1/rows/delete",
        summary="Delete rows",
        tags=["memory"],
        operation_id="rows_delete",
        openapi_extra=takes(app, DeleteIn, "write"),
        responses=gives(app, Deleted, 404, 415),
    )
    async def rows_delete(request: Request) -> Json:
        caller = caller_of(service, request, "write")
        body = (await read(request, DeleteIn, 0)).body
        if body.where is not None and not caller.may("admin"):
            raise Problem(403, "Deleting by a filter takes a key with the scope admin.")
        deleted = await service.writing(memory.delete, body.ids, where=body.where)
        number = Asking(service, request).number
        service.audit.write(
            caller=caller.name,
            request=number,
            what="rows.delete",
            ids=body.ids,
            where=body.where,
            deleted=deleted,
        )
        return Json({"deleted": deleted})
