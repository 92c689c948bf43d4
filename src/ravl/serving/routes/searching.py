"""``/v1/search``, and several at once."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI, Request

from ravl.errors import PictureError, QueryError
from ravl.json_types import JsonObject
from ravl.retrieval import Query
from ravl.serving.asking import Asking, caller_of
from ravl.serving.bodies import PictureIn, SearchHow, SearchMany, SearchOne
from ravl.serving.documented import gives, takes
from ravl.serving.incoming import Sent, check_number, check_texts, read
from ravl.serving.models import search_call
from ravl.serving.outgoing import Json, hit_json, origin_json
from ravl.serving.results import HitOut, Unread, shown, wrapped
from ravl.serving.routes.answering import options_of
from ravl.serving.service import Service

HOW = set(SearchHow.model_fields) - {"rerank"}
Wanted = tuple[str | None, bytes | PictureIn | None, float]

Found = wrapped(
    "SearchResult", "What was found.", hits=(list[HitOut], [shown(HitOut)]), exact=(bool, True)
)
FoundMany = wrapped(
    "SearchResults",
    "What each search found, in their order; an error for a picture that cannot be read.",
    results=(list[list[HitOut] | Unread], [[shown(HitOut)]]),
    exact=(bool, True),
)


def add(app: FastAPI, service: Service) -> None:
    """Add the endpoints."""

    @app.post(
        "/v1/search",
        summary="Find pictures or texts",
        tags=["search"],
        operation_id="search",
        openapi_extra=takes(app, SearchOne, "read"),
        responses=gives(app, Found, 400, 404, 415),
    )
    async def search(request: Request) -> Json:
        caller_of(service, request, "read")
        asking = Asking(service, request)
        service.search.check()
        sent: Sent[SearchOne] = await read(request, SearchOne, 1)
        body = sent.body
        found, origin = await _found(asking, body, [(body.text, sent.picture(), body.weight)])
        return Json({"hits": found[0], **origin})

    @app.post(
        "/v1/search/batch",
        summary="Find pictures or texts: several searches",
        tags=["search"],
        operation_id="search_batch",
        openapi_extra=takes(app, SearchMany, "read"),
        responses=gives(app, FoundMany, 400, 404, 415),
    )
    async def search_batch(request: Request) -> Json:
        caller_of(service, request, "read")
        asking = Asking(service, request)
        most = service.limits.batch
        sent: Sent[SearchMany] = await read(request, SearchMany, most)
        if not sent.body.queries:
            raise QueryError("There are no queries. Give at least one text or picture.")
        check_number(len(sent.body.queries), "queries", most)
        wanted: list[Wanted] = [(q.text, q.picture, q.weight) for q in sent.body.queries]
        found, origin = await _found(asking, sent.body, wanted, several=True)
        return Json({"results": found, **origin})


async def _found(
    asking: Asking, body: SearchHow, wanted: Sequence[Wanted], several: bool = False
) -> tuple[list[list[JsonObject] | JsonObject], JsonObject]:
    """Hits of each query as JSON, and where they come from.

    Raises:
        PictureError: a picture cannot be read; with ``several`` its place has an error instead.
    """
    service = asking.service
    check_texts([text for text, _, _ in wanted], service.limits.text)
    for text, source, _ in wanted:
        if source is None and not (text or "").strip():
            raise QueryError("The query is empty. Give a text, a picture, or both.")
    options = tuple(item for item in options_of(body) if item[0] in HOW)
    reranker = None
    if body.rerank is not None:
        reranker = await service.aside(service.reranker, body.rerank)

    broken: dict[int, PictureError] = {}  # by the place of the query

    async def items() -> Sequence[Query]:
        queries = await _queries(asking, wanted)
        broken.update({i: q for i, q in enumerate(queries) if isinstance(q, PictureError)})
        if broken and not several:
            raise next(iter(broken.values()))
        return [query for query in queries if isinstance(query, Query)]

    done, timings = await asking.answered(
        service.search,
        len(wanted),
        (options, body.rerank),
        search_call(service.memory, options, reranker),
        items,
    )
    hits = iter([hit_json(hit) for hit in found] for found in done.answers)
    results = [{"error": str(broken[i])} if i in broken else next(hits) for i in range(len(wanted))]
    exact = all(found.exact for found in done.answers)
    return results, {"exact": exact} | origin_json(
        None, service.memory, done, timings, asking.number
    )


async def _queries(asking: Asking, wanted: Sequence[Wanted]) -> list[Query | PictureError]:
    """The queries, or why a picture cannot be read; a row's picture need not be encoded again."""
    sent = [
        source
        for _, source, _ in wanted
        if source is not None and not (isinstance(source, PictureIn) and source.id is not None)
    ]
    size = asking.service.memory.encoder.picture_size
    opened = iter(await asking.each_picture(sent, size) if sent else ())
    queries: list[Query | PictureError] = []
    for text, source, weight in wanted:
        if isinstance(source, PictureIn) and source.id is not None:
            row = await asking.service.aside(asking.service.thumbnails.row, source.id)
            queries.append(Query(text, like=row.id, weight=weight))
        else:
            image = None if source is None else next(opened)
            if isinstance(image, PictureError):
                queries.append(image)
            else:
                queries.append(Query(text, image, weight=weight))
    return queries
