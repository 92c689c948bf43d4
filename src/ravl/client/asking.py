"""The plans of searches and answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import httpx2 as httpx
from PIL import Image

from ravl.client import reading
from ravl.client.places import Places
from ravl.client.plans import Ask, Body, Opening, Plan, Server, fetched
from ravl.client.problems import checked
from ravl.client.provenance import ServedHits
from ravl.client.sending import (
    Source,
    files_first,
    how_of,
    in_chunks,
    in_json,
    paired,
    size_of,
    source_list,
    unusual,
    with_pictures,
)
from ravl.errors import PictureError, QueryError
from ravl.json_types import JsonRecord, JsonValue
from ravl.memory import Picture, Row
from ravl.retrieval import Query
from ravl.retrieval.options import Options
from ravl.runs.answers import Answer
from ravl.tasks import registry
from ravl.tasks.pairing import text_list

Item = tuple[Source, str]


def query_of(given: object, image: Picture | str | None, like: str | None, weight: float) -> Query:
    """A query; a text is never a file name.

    Raises:
        QueryError: the query is empty, or has another type.
    """
    if isinstance(given, Query):
        return given
    if isinstance(given, Row):
        return Query(None, None, given.id, weight)
    if given is None or isinstance(given, str):
        return Query(given, image, like, weight)
    if isinstance(given, Path | bytes | Image.Image) and image is None:
        return Query(None, given, like, weight)
    raise QueryError(
        "A query is a text, a picture (Path, bytes, PIL or a row), a Query, or a list of these; "
        f"not {type(given).__name__}."
    )


def search(
    server: Server, given: object, k: int, options: JsonRecord, return_exceptions: bool
) -> Plan[ServedHits | list[ServedHits] | list[ServedHits | PictureError]]:
    """Hits of a query, or of each query in a list."""
    how = dict(options)
    image, like, weight = how.pop("image", None), how.pop("like", None), how.pop("weight", 0.5)
    rerank = how.pop("rerank", None)
    values = how_of(_search_values(Options(k=k, **how)) | {"rerank": rerank})
    if not isinstance(given, list | tuple):
        query = query_of(given, image, like, weight)
        reply = yield from fetched(server, Ask("POST", "/v1/search", _one_query(query, values)))
        return reading.read(reply, lambda whole: reading.hits(whole["hits"], whole))

    def ask(chunk: list[Query]) -> Ask:
        body = {**values, "queries": [_in_json(query) for query in chunk]}
        return Ask("POST", "/v1/search/batch", {"json": body}, divisible=len(chunk) > 1)

    def reader(reply: httpx.Response, count: int) -> list[ServedHits | PictureError]:
        def hits(whole: JsonValue) -> list[ServedHits | PictureError]:
            found = [whole["results"][i] for i in range(count)]
            return [reading.unread(one) or reading.hits(one, whole) for one in found]

        return places.read(reading.read(reply, hits))

    queries = [query_of(one, None, None, weight) for one in given]
    places: Places[ServedHits] = Places(
        [query.image for query in queries], "Query", return_exceptions
    )
    sound = [queries[i] for i in places.sendable(range(len(queries)))]
    yield from in_chunks(server, sound, lambda q: size_of(q.image), ask, reader)
    return places.results()


def answers(
    server: Server,
    task: str,
    pictures: Source | Iterable[Source],
    texts: str | Iterable[str] | None,
    options: Mapping[str, object],
    return_exceptions: bool = False,
) -> Plan[Answer | list[Answer] | list[Answer | PictureError]]:
    """The answer about a picture, or about each picture in a list.

    Args:
        server: the server that answers.
        task: the task of the answers.
        pictures: one or several pictures.
        texts: questions or texts; None for a task without texts.
        options: options of the answer.
        return_exceptions: True for errors in the places of pictures that cannot be read.
    """
    values, field = how_of(options), registry.of_command(task)[0].beside
    sources, one = source_list(pictures)
    items: list[Item] = [(source, "") for source in sources]
    if field:
        items = paired(sources, text_list(texts or ()), field)

    def ask(chunk: list[Item]) -> Ask:
        words = {} if not field else {f"{field}s": [text for _, text in chunk]}
        shown = [source for source, _ in (chunk if len(sources) > 1 else chunk[:1])]
        body = with_pictures("pictures", shown, {**values, **words})
        return Ask("POST", f"/v1/{task}/batch", body, divisible=len(chunk) > 1)

    def reader(reply: httpx.Response, count: int) -> list[Answer | PictureError]:
        def answers(whole: JsonValue) -> list[Answer | PictureError]:
            found = [whole["answers"][i] for i in range(count)]
            return [reading.unread(one) or reading.answer(task, one, whole) for one in found]

        return places.read(reading.read(reply, answers))

    def weigh(item: Item) -> int:
        return size_of(item[0]) if len(sources) > 1 else 0  # a single picture is sent only once

    single = one and (texts is None or isinstance(texts, str))
    places: Places[Answer] = Places(sources, "Picture", return_exceptions and not single)
    order = places.sendable(files_first([source for source, _ in items]))
    yield from in_chunks(server, [items[i] for i in order], weigh, ask, reader)
    found = places.results()
    if not single:
        return found
    assert not isinstance(found[0], PictureError)  # it is raised
    return found[0]


def opening(
    server: Server, picture: Source, question: str | None, options: Mapping[str, object]
) -> Opening:
    """A streamed reply: a caption, or the answer to a question."""
    beside = "" if question is None else "question"
    task = next(t.command for t in registry.tasks() if t.writes and t.beside == beside)

    def plan() -> Plan[httpx.Response]:
        values = {**how_of(options), **({} if question is None else {beside: question})}
        body = with_pictures("picture", [picture], values)
        reply = yield from fetched(server, Ask("POST", f"/v1/{task}/stream", body, stream=True))
        return checked(reply)

    return Opening(task, plan())


def _search_values(options: Options) -> dict[str, object]:
    """The options that differ from their defaults."""
    values = unusual(options)
    return {n: list(options.exclude) if n == "exclude" else v for n, v in values.items()}


def _one_query(query: Query, values: Mapping[str, object]) -> Body:
    """The body of one search; a picture is uploaded."""
    if query.image is None:
        return {"json": {**values, **_in_json(query)}}
    return with_pictures("picture", [query.image], {**values, **_words(query)})


def _in_json(query: Query) -> dict[str, object]:
    """A query as part of JSON."""
    if query.like is not None:
        return {**_words(query), "picture": {"id": query.like}}
    return _words(query) | ({"picture": in_json(query.image)} if query.image is not None else {})


def _words(query: Query) -> dict[str, object]:
    """The fields of a query beside its picture."""
    if query.text is None:
        return {}
    return {"text": query.text} | ({"weight": query.weight} if query.pictured else {})
