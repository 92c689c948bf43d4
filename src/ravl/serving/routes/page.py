"""``/`` and ``/page/...``: the web page, a handful of files that come with the package."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Annotated

from fastapi import FastAPI, Path, Request
from starlette.responses import Response

from ravl.serving.guard import REPORT_POLICY
from ravl.serving.problems import Problem
from ravl.serving.routes.images import known
from ravl.serving.service import Service

FOLDER = "page"
INDEX = "index.html"
FRAME = "report.html"  # an empty page that reports are written into; may style itself, as they do
FRAME_POLICY = REPORT_POLICY.removesuffix("; sandbox")
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    """A file of the page.

    Args:
        data: its bytes.
        media_type: by its ending.
        tag: identifies its content.
        policy: for what is in it, where the usual one does not fit; else empty.
    """

    data: bytes
    media_type: str
    tag: str
    policy: str = ""


def assets() -> dict[str, Asset]:
    """All files of the page, by name; there are no others to ask for."""
    found = {}
    for file in files("ravl.serving").joinpath(FOLDER).iterdir():
        media_type = MEDIA_TYPES.get("." + file.name.rpartition(".")[2])
        if media_type is not None:
            data = file.read_bytes()
            tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
            policy = FRAME_POLICY if file.name == FRAME else ""
            found[file.name] = Asset(data, media_type, tag, policy)
    return found


def add(app: FastAPI, service: Service) -> None:  # noqa: ARG001 - as all routes
    """Add the page; it is no part of the API, and takes no key: what it shows does."""
    ours = assets()

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def index(request: Request) -> Response:
        return _sent(request, ours[INDEX])

    @app.api_route("/page/{name}", methods=["GET", "HEAD"], include_in_schema=False)
    async def asset(request: Request, name: Annotated[str, Path(max_length=100)]) -> Response:
        if name not in ours:
            raise Problem(404, f"The page has no file {name!r}.")
        return _sent(request, ours[name])


def _sent(request: Request, asset: Asset) -> Response:
    """A file, unless the browser has it; it asks each time, and gets what is new at once."""
    headers = {"ETag": asset.tag, "Cache-Control": "no-cache"}
    if asset.policy:
        headers["Content-Security-Policy"] = asset.policy
    if known(request, asset.tag):
        return Response(status_code=304, headers=headers)
    return Response(asset.data, media_type=asset.media_type, headers=headers)
