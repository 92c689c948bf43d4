"""All methods of both clients.

The methods are those of :class:`ravl.Memory` and of the models of :func:`ravl.load`. A picture is a
path, bytes, a PIL picture, or a :class:`ravl.Row` of the server's memory, which is sent by its id:
the row of a hit, of evidence, or the result of ``get``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Unpack
from urllib.parse import quote

import httpx2 as httpx
from PIL import Image

from ravl.client import asking, reading
from ravl.client.callables import (
    Query,
    answering,
    captioning,
    matching,
    replying,
    searching,
)
from ravl.client.decorators import Page, listed, planned, streamed
from ravl.client.info import DriftInfo, RunInfo, ServerInfo, drift_of, info_of
from ravl.client.judging import judged
from ravl.client.options import AboutOptions, FindOptions, HowOptions, WriteOptions
from ravl.client.plans import Ask, Body, Opening, Plan, Server, fetched
from ravl.client.problems import ServerError, checked
from ravl.client.provenance import ServedHits
from ravl.client.sending import Source, in_chunks, in_json, new_row, qa_of, size_of
from ravl.data import QA, Example, Scalar
from ravl.data.pictures import decode
from ravl.errors import PictureError
from ravl.memory import IndexReport, Row
from ravl.retrieval.retriever import Many
from ravl.runs.answers import Answer, Classification, Tagging
from ravl.tasks.ask.results import Reply
from ravl.tasks.caption.results import Caption
from ravl.tasks.match.results import Matching

PAGE = 500  # rows per request
LISTED = 1_000  # ids per request


class Methods:
    """Methods for :class:`ravl.Client`; for :class:`ravl.AsyncClient` they are awaited."""

    _server: Server

    @searching
    def search(
        self,
        query: Query | Many | None = None,
        k: int = 10,
        *,
        return_exceptions: bool = False,
        **options: Unpack[FindOptions],
    ) -> Plan[ServedHits | list[ServedHits] | list[ServedHits | PictureError]]:
        """The k best rows for a text, a picture, or both; see :meth:`ravl.Memory.search`.

        Args:
            query: a text, a picture, a row, a :class:`ravl.Query`, or a list of these.
            k: the number of hits.
            return_exceptions: True for a :class:`~ravl.errors.PictureError` in the place of the
                hits of each query of a list whose picture cannot be read, instead of raising it.
            **options: see :class:`ravl.client.options.FindOptions`.

        Returns:
            :class:`ravl.Hits`, or a list of them; with ``origin``.
        """
        return asking.search(self._server, query, k, options, return_exceptions)

    @planned
    def predict(
        self,
        /,
        task: str,
        pictures: Source | Iterable[Source],
        beside: str | Iterable[str] | None = None,
        *,
        return_exceptions: bool = False,
        **options: object,
    ) -> Plan[Answer | list[Answer] | list[Answer | PictureError]]:
        """The answer of any task, also of one that a package adds, or of each in a list.

        Args:
            task: its command, such as "caption".
            pictures: as for :meth:`classify`.
            beside: for a task that takes them the text or question, or as many as there are
                pictures.
            return_exceptions: see :meth:`classify`.
            **options: of the task, and ``run``.

        Raises:
            DataError: no such task is installed here.
            QueryError: no run of the server has this task, or an option is out of range.
        """
        return asking.answers(self._server, task, pictures, beside, options, return_exceptions)

    @answering(Classification)
    def classify(
        self,
        pictures: Source | Iterable[Source],
        *,
        return_exceptions: bool = False,
        **options: Unpack[HowOptions],
    ) -> Plan[Answer | list[Answer] | list[Answer | PictureError]]:
        """The label of a picture, or of each picture in a list.

        Args:
            pictures: a path, bytes, PIL picture or row, or a list of these, of any length.
            return_exceptions: True for a :class:`~ravl.errors.PictureError` in the place of the
                answer to each picture of a list that cannot be read, instead of raising it. A
                single picture always raises.
            **options: see :class:`ravl.client.options.HowOptions`.

        Returns:
            :class:`ravl.Classification`, or a list of them; with ``origin``.

        Raises:
            QueryError: no run of the server has this task, or an option is out of range.
            PictureError: a picture cannot be read; of a list the message says which one.
            ServerError: the server cannot be reached, refuses the key, or is too busy.
        """
        return asking.answers(self._server, "classify", pictures, None, options, return_exceptions)

    @answering(Tagging)
    def tag(
        self,
        pictures: Source | Iterable[Source],
        *,
        return_exceptions: bool = False,
        **options: Unpack[HowOptions],
    ) -> Plan[Answer | list[Answer] | list[Answer | PictureError]]:
        """The tags of a picture, or of each picture in a list; otherwise as :meth:`classify`."""
        return asking.answers(self._server, "tag", pictures, None, options, return_exceptions)

    @matching(Matching)
    def match(
        self,
        pictures: Source | Iterable[Source],
        texts: str | Iterable[str],
        *,
        return_exceptions: bool = False,
        **options: Unpack[HowOptions],
    ) -> Plan[Answer | list[Answer] | list[Answer | PictureError]]:
        """Whether a text fits a picture, or each text its picture; one side can be one item."""
        return asking.answers(self._server, "match", pictures, texts, options, return_exceptions)

    @captioning(Caption)
    def caption(
        self,
        pictures: Source | Iterable[Source],
        *,
        return_exceptions: bool = False,
        **options: Unpack[WriteOptions],
    ) -> Plan[Answer | list[Answer] | list[Answer | PictureError]]:
        """A text about a picture, or about each picture in a list.

        Args:
            pictures: as for :meth:`classify`.
            return_exceptions: as for :meth:`classify`.
            **options: see :class:`ravl.client.options.WriteOptions`.
        """
        return asking.answers(self._server, "caption", pictures, None, options, return_exceptions)

    @replying(Reply)
    def ask(
        self,
        pictures: Source | Iterable[Source],
        questions: str | Iterable[str],
        *,
        return_exceptions: bool = False,
        **options: Unpack[WriteOptions],
    ) -> Plan[Answer | list[Answer] | list[Answer | PictureError]]:
        """The answer to a question about a picture; one side may be a single item."""
        return asking.answers(self._server, "ask", pictures, questions, options, return_exceptions)

    @streamed
    def stream(
        self, picture: Source, question: str | None = None, **options: Unpack[WriteOptions]
    ) -> Opening:
        """A caption, or the answer to a question, in pieces while it is generated.

        Args:
            picture: as for :meth:`classify`.
            question: None for a caption.
            **options: of :meth:`caption` or :meth:`ask`.
        """
        return asking.opening(self._server, picture, question, options)

    # --- the memory --------------------------------------------------------------------------

    @planned
    def get(self, id: str) -> Plan[Row]:
        """The row with that id.

        Raises:
            RowNotFoundError: there is no such row.
        """
        reply = yield from self._get("/v1/row", id=id)
        return reading.read(reply, reading.row)

    @listed
    def rows(self, where: str | None = None) -> Page[Row]:
        """All rows, or the rows that match a filter, oldest first."""

        def page(after: int) -> Plan[tuple[list[Row], int | None]]:
            reply = yield from self._get("/v1/rows", where=where, after=after, limit=PAGE)
            return reading.read(
                reply,
                lambda body: (
                    [reading.row(row) for row in body["rows"]],
                    body["next"],
                ),
            )

        return page

    @planned
    def count(self, where: str | None = None) -> Plan[int]:
        """The number of rows, or of rows that match a filter."""
        reply = yield from self._get("/v1/rows/count", where=where)
        return reading.read(reply, lambda body: int(body["count"]))

    @planned
    def add(self, examples: Iterable[Example]) -> Plan[IndexReport]:
        """Add examples; pictures are copied into the memory.

        Unlike :meth:`ravl.Memory.add`, it replaces no row. Many examples are sent in several
        requests: if one example is refused, those of earlier requests have been added, and those of
        the same request have not.

        Raises:
            DataError: a row with this id exists, or the memory cannot store the example.
            PictureError: a picture cannot be read.
        """

        def ask(chunk: list[Example]) -> Ask:
            body: Body = {"json": {"rows": [new_row(example) for example in chunk]}}
            return Ask("POST", "/v1/rows/batch", body, safe=False, divisible=len(chunk) > 1)

        added = yield from in_chunks(
            self._server,
            list(examples),
            lambda example: size_of(example.picture),
            ask,
            lambda reply, count: reading.read(
                reply, lambda body: [body["rows"][i]["id"] for i in range(count)]
            ),
        )
        return IndexReport(added=len(added))

    @planned
    def update(
        self,
        id: str,
        *,
        texts: Iterable[str] | None = None,
        label: str | None = None,
        tags: Iterable[str] | None = None,
        qa: Iterable[QA] | None = None,
        columns: dict[str, Scalar] | None = None,
    ) -> Plan[Row]:
        """Change a row; None leaves a field unchanged, an empty value deletes it.

        Raises:
            RowNotFoundError: there is no such row.
            DataError: the memory cannot store a value.
        """
        change = {
            "label": label,
            "qa": qa_of(qa),
            "columns": columns,
            "texts": None if texts is None else list(texts),
            "tags": None if tags is None else list(tags),
        }
        given = {name: value for name, value in change.items() if value is not None}
        ask = Ask("PATCH", "/v1/row", {"params": {"id": id}, "json": given})
        reply = yield from fetched(self._server, ask)
        return reading.read(reply, reading.row)

    @planned
    def delete(self, ids: Iterable[str] = (), *, where: str | None = None) -> Plan[int]:
        """Delete rows by id, or all rows that match a filter; returns their number.

        A filter needs a key with the scope admin.

        Raises:
            RowNotFoundError: one of the ids does not exist; then no more rows are deleted.
            QueryError: neither ids nor a filter were given.
        """
        wanted = [ids] if isinstance(ids, str) else list(ids)
        deleted = 0
        for start in range(0, max(1, len(wanted)), LISTED):
            body: dict[str, object] = {"ids": wanted[start : start + LISTED]}
            if where is not None and start + LISTED >= len(wanted):
                body["where"] = where
            ask = Ask("POST", "/v1/rows/delete", {"json": body}, safe=False)
            reply = yield from fetched(self._server, ask)
            deleted += reading.read(reply, lambda body: int(body["deleted"]))
        return deleted

    @planned
    def picture(self, row: Row | str) -> Plan[Image.Image]:
        """The picture of a row or id, RGB and upright."""
        reply = yield from self._get("/v1/picture", id=_id_of(row))
        return decode(checked(reply).content)

    @planned
    def picture_bytes(self, row: Row | str) -> Plan[bytes]:
        """The original file of a row's picture."""
        reply = yield from self._get("/v1/picture", id=_id_of(row))
        return checked(reply).content

    @planned
    def thumbnail(self, row: Row | str, side: int = 160) -> Plan[Image.Image]:
        """A thumbnail of a row's picture, with a side of about this many pixels, at most 640."""
        reply = yield from self._get("/v1/thumbnail", id=_id_of(row), side=side)
        return decode(checked(reply).content)

    # --- the server --------------------------------------------------------------------------

    @planned
    def feedback(
        self,
        answer: object,
        verdict: str,
        *,
        picture: Source | None = None,
        correction: object = None,
        note: str | None = None,
        **about: Unpack[AboutOptions],
    ) -> Plan[int]:
        """Send feedback on an answer; returns the number of the entry.

        Args:
            answer: an answer of this client; or a text, boolean or list of tags, then with
                ``task``, and with ``run``, ``version`` and ``asked`` (the question or text) if
                known.
            verdict: accepted, corrected or rejected.
            picture: the picture of the answer.
            correction: the right answer; only for corrected.
            note: a free text.
            **about: overrides the fields of the answer.
        """
        verdicts = {"verdict": verdict, "correction": correction, "note": note}
        entry: dict[str, object] = {**judged(answer), **verdicts, **about}
        values = {name: value for name, value in entry.items() if value is not None}
        if picture is not None:  # not as a form, which cannot distinguish a boolean from a text
            values["picture"] = in_json(picture)
        ask = Ask("POST", "/v1/feedback", {"json": values}, safe=False)
        reply = yield from fetched(self._server, ask)
        return reading.read(reply, lambda entry: int(entry["number"]))

    @planned
    def info(self) -> Plan[ServerInfo]:
        """The memory, tasks and runs of the server."""
        reply = yield from self._get("/v1/runs")
        return reading.read(reply, info_of)

    @planned
    def runs(self) -> Plan[tuple[RunInfo, ...]]:
        """The runs of the server."""
        reply = yield from self._get("/v1/runs")
        return reading.read(reply, info_of).runs

    @planned
    def drift(self, run: str) -> Plan[DriftInfo]:
        """The result of the drift test of a run.

        Raises:
            QueryError: there is no such run.
            DataError: the run has no reference.
        """
        reply = yield from self._get(f"/v1/runs/{quote(run, safe='')}/drift")
        return reading.read(reply, drift_of)

    @planned
    def metrics(self) -> Plan[str]:
        """The server's metrics in Prometheus's format."""
        reply = yield from self._get("/v1/metrics")
        return checked(reply).text

    @planned
    def health(self) -> Plan[bool]:
        """True if the server runs."""
        return self._fine("/v1/health")

    @planned
    def ready(self) -> Plan[bool]:
        """True if the server is ready: its models are warm, and its memory can be read."""
        return self._fine("/v1/ready")

    def _fine(self, path: str) -> Plan[bool]:
        try:
            reply = yield from fetched(self._server, Ask("GET", path), retries=0)
        except ServerError:
            return False
        return reply.is_success

    def _get(self, path: str, **params: str | int | None) -> Plan[httpx.Response]:
        given = {name: value for name, value in params.items() if value is not None}
        return fetched(self._server, Ask("GET", path, {"params": given}))


def _id_of(row: Row | str) -> str:
    return row if isinstance(row, str) else row.id
