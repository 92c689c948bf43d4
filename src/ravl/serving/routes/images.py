"""``/v1/picture`` and ``/v1/thumbnail``: what the memory's rows show."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query, Request
from starlette.responses import Response

from ravl.json_types import JsonObject
from ravl.memory import Row
from ravl.serving.asking import caller_of
from ravl.serving.documented import problems, secured
from ravl.serving.routes.rows import IdQuery
from ravl.serving.service import Service
from ravl.serving.thumbnails import MEDIA_TYPES, SIDES

CACHE = "private, max-age=60, must-revalidate"


def add(app: FastAPI, service: Service) -> None:
    """Add the endpoints."""
    thumbnails = service.thumbnails

    @app.get(
        "/v1/picture",
        summary="A row's picture as it was put in",
        tags=["memory"],
        operation_id="picture",
        openapi_extra=secured("read"),
        response_class=Response,
        responses=_images(*MEDIA_TYPES.values()),
    )
    async def picture(request: Request, id: IdQuery) -> Response:
        caller_of(service, request, "read")
        row = await service.aside(thumbnails.row, id)
        tag = _tag(row)
        if known(request, tag):
            return Response(status_code=304, headers=_headers(tag))
        data, kind = await service.aside(thumbnails.picture, row)
        return Response(data, media_type=kind, headers=_headers(tag))

    @app.get(
        "/v1/thumbnail",
        summary="A row's picture, small",
        tags=["memory"],
        operation_id="thumbnail",
        openapi_extra=secured("read"),
        response_class=Response,
        responses=_images("image/jpeg"),
    )
    async def thumbnail(
        request: Request,
        id: IdQuery,
        side: Annotated[
            int,
            Query(
                ge=16,
                le=640,
                description=f"Of its square in pixels; {', '.join(map(str, SIDES))} are made.",
            ),
        ] = SIDES[0],
    ) -> Response:
        caller_of(service, request, "read")
        row = await service.aside(thumbnails.row, id)
        made = next(size for size in SIDES if size >= side)
        tag = _tag(row, made)
        if known(request, tag):
            return Response(status_code=304, headers=_headers(tag))
        data = await service.aside(thumbnails.thumbnail, row, made)
        return Response(data, media_type="image/jpeg", headers=_headers(tag))


def _images(*kinds: str) -> dict[int | str, JsonObject]:
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
    return {
        200: {"description": "The picture.", "content": content},
        304: {"description": "As If-None-Match says, it is known already."},
        **problems(404),
    }


def _tag(row: Row, side: int = 0) -> str:
    return f'"{row.hash}-{side}"' if side else f'"{row.hash}"'


def known(request: Request, tag: str) -> bool:
    """Whether the browser has what the tag identifies already, as its If-None-Match says."""
    given = request.headers.get("if-none-match", "")
    return tag in (part.strip().removeprefix("W/") for part in given.split(","))


def _headers(tag: str) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": CACHE}
