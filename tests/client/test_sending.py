"""Chunks, retries, keys and servers that cannot be had."""

from __future__ import annotations

import asyncio
import logging
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

import ravl
from ravl.client import ServerError, plans
from ravl.client.sending import how_of
from ravl.data import Example
from ravl.errors import DataError, PictureError, QueryError
from ravl.models.generation.base import Decoding
from ravl.serving.keys import Keys, new_key
from ravl.serving.limits import Limits
from tests.client.conftest import KINDS, Running
from tests.serving.helpers import fake, png

Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, none of which takes time."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("time.sleep", pauses.append)
    monkeypatch.setattr("asyncio.sleep", sleep)
    return pauses


def problem(status: int, detail: str, kind: str = "busy", **headers: str) -> httpx.Response:
    body = {
        "type": "about:blank",
        "title": "",
        "status": status,
        "kind": kind,
        "detail": detail,
        "request": "f0",
    }
    return httpx.Response(status, json=body, headers={"X-Request-Id": "f0", **headers})


BUSY = "3 requests are before yours, and 3 is all that may wait. Ask again in a moment."
FINE = httpx.Response(200, json={"count": 3})


class Scripted:
    """A server that answers what was written for it, in that order."""

    def __init__(self, *replies: httpx.Response | Exception) -> None:
        self.replies = list(replies)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status_code, content=reply.content, headers=reply.headers)


def scripted(connect: Any, kind: str, *replies: Any, **options: Any) -> tuple[Any, Scripted]:
    client, server = connect("http://127.0.0.1:9", kind, **options), Scripted(*replies)
    if kind == "sync":
        client._http = httpx.Client(base_url="http://x", transport=httpx.MockTransport(server))
    else:
        client.client._http = httpx.AsyncClient(
            base_url="http://x", transport=httpx.MockTransport(server)
        )
    return client, server


@pytest.mark.parametrize("kind", KINDS)
def test_a_busy_server_is_asked_again_after_the_time_it_says(connect, waited, kind: str):
    busy = problem(429, BUSY, **{"Retry-After": "2"})
    down = problem(503, "The server is being stopped. Ask again later.", **{"Retry-After": "5"})
    client, server = scripted(connect, kind, busy, down, problem(503, "Later."), FINE)
    assert client.count() == 3
    assert waited == [2.0, 5.0, 1.0] and len(server.asked) == 4
    client, server = scripted(connect, kind, busy, busy, busy, retries=1)
    with pytest.raises(ServerError, match="all that may wait") as raised:
        client.count()
    assert len(server.asked) == 2
    assert (raised.value.status, raised.value.request) == (429, "f0")
    client, server = scripted(connect, kind, problem(429, BUSY, **{"Retry-After": "3600"}))
    with pytest.raises(ServerError):
        client.count()


def test_what_may_not_be_repeated_is_not(connect, waited):
    added = httpx.Response(201, json={"rows": [{"id": "a"}]})
    client, server = scripted(connect, "sync", problem(503, "Later."))
    with pytest.raises(ServerError, match="Later"):
        client.add([Example("a", texts=("b",))])
    client, server = scripted(connect, "sync", httpx.ReadError("reset"))
    with pytest.raises(ServerError, match=r"connection to http://127.0.0.1:9 broke \(reset\)"):
        client.delete("a")
    client, server = scripted(connect, "sync", problem(429, BUSY), added)
    assert client.add([Example("a", texts=("b",))]).added == 1  # 429: nothing was done


def test_a_connection_that_was_idle_too_long_is_made_anew(connect, waited):
    client, server = scripted(connect, "sync", httpx.RemoteProtocolError("disconnected"), FINE)
    assert client.count() == 3
    client, server = scripted(connect, "sync", *[httpx.ReadError("reset")] * 4)
    with pytest.raises(ServerError, match="broke"):
        client.count()
    client, server = scripted(connect, "sync", httpx.ReadTimeout("slow"))
    with pytest.raises(ServerError, match="did not answer in time"):
        client.count()


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_is_not_there_is_a_sentence(connect, kind: str):
    client = connect("http://127.0.0.1:1", kind)
    with pytest.raises(ServerError, match=r"no answer at http://127.0.0.1:1 .* ravl serve runs"):
        client.count()
    assert not client.health() and not client.ready()


def test_what_is_no_ravl_server_is_a_sentence(connect):
    for reply in (
        httpx.Response(200, text="<html>hello"),
        httpx.Response(404, text="<html>gone"),
        httpx.Response(200, json={"size": 3}),
        httpx.Response(502, text="bad gateway"),
        httpx.Response(200, json=[1]),
    ):
        client, _ = scripted(connect, "sync", reply, retries=0)
        with pytest.raises(ServerError, match="http://x is not from a ravl server"):
            client.count()
    moved = httpx.Response(301, headers={"Location": "https://x/v1/rows/count?where=1"})
    client, _ = scripted(connect, "sync", moved)
    with pytest.raises(ServerError, match="redirects to https://x/v1/rows/count"):
        client.count()


def test_addresses(connect):
    for url in ("shop:8000", "http://", "ftp://shop", "http://shop?x=1", "", "/shop"):
        with pytest.raises(QueryError, match="is not a server's address"):
            ravl.Client(url)
    with pytest.raises(QueryError, match="name or password") as raised:
        ravl.Client("http://me:secret@shop")
    assert "secret" not in str(raised.value)
    for url in ("http://shop:8000", "http://shop:8000/", "http://shop:8000/v1/"):
        assert repr(connect(url)) == "Client('http://shop:8000')"


@pytest.mark.parametrize("kind", KINDS)
def test_keys(running: Running, connect, tmp_path: Path, caplog, kind: str):
    key, line = new_key("read", "web")
    (tmp_path / "keys.txt").write_text(line)
    url, _ = running(keys=Keys(tmp_path / "keys.txt"))
    caplog.set_level(logging.DEBUG)
    client = connect(url, kind, key=f"{key}\n")
    assert client.count() == 16 and client.caption(png("red")).text == "a red thing"
    with pytest.raises(ServerError, match="takes a key with the scope write") as raised:
        client.delete("red/0.png")
    assert raised.value.status == 403
    for wrong in (None, "ravl_wrong"):
        with pytest.raises(ServerError, match="key") as raised:
            connect(url, kind, key=wrong).count()
        assert raised.value.status == 401 and "ravl_wrong" not in str(raised.value)
    assert key not in caplog.text + repr(client) + repr(vars(getattr(client, "client", client)))


@pytest.mark.parametrize("key", ["", " ", "two words", "schlüssel", "a\nb"])
def test_what_is_no_key_is_refused_and_not_repeated(key: str):
    with pytest.raises(QueryError, match="The key is empty or contains") as raised:
        ravl.Client("http://127.0.0.1:9", key)
    assert not key.strip() or key not in str(raised.value)


@pytest.mark.parametrize("kind", KINDS)
def test_long_lists_go_in_chunks(running: Running, connect, kind: str):
    prepare, made = fake()
    client = connect(running(prepare=prepare, limits=Limits(batch=5))[0], kind)
    pictures = [png(colour) for colour in ("red", "blue", "red")] * 4
    assert [a.label for a in client.classify(pictures)] == ["True", "False", "True"] * 4
    assert sum(made[0].calls) == 12 and max(made[0].calls) <= 5
    assert [a.text for a in client.match(pictures[0], [str(i) for i in range(12)])] == [
        str(i) for i in range(12)
    ]
    assert len(client.search(["red"] * 11, k=1)) == 11
    assert len(client.search([pictures[0]] * 6, k=1)) == 6
    assert client.add([Example(f"n/{i}", texts=("t",)) for i in range(7)]).added == 7
    assert client._server.batch == 5 if kind == "sync" else client.client._server.batch == 5


def test_bytes_are_few_enough(running: Running, connect, monkeypatch):
    size = len(png("red"))
    prepare, made = fake()
    url, _ = running(prepare=prepare, limits=Limits(body=3 * size + 1_500))
    client = connect(url)
    pictures = [png("red")] * 10
    assert len(client.classify(pictures)) == 10  # after a 413 half as many are sent
    assert len(client.search(pictures, k=1)) == 10
    assert client._server.batch == plans.BATCH
    made[0].calls.clear()
    monkeypatch.setattr("ravl.client.sending.BYTES", 2 * size)
    assert len(client.classify(pictures)) == 10
    assert made[0].calls == [2] * 5  # they were weighed before
    with pytest.raises(PictureError, match="more than the .* bytes allowed"):
        client.classify([png("red") + b"x" * (4 * size + 3_000), png("red")])


def test_what_takes_too_long_goes_in_parts(running: Running, connect):
    prepare, made = fake()
    url, service = running(prepare=prepare, limits=Limits(queue=4))
    client = connect(url, retries=0)
    assert len(client.classify([png("red")] * 10)) == 10
    assert max(made[0].calls) <= 4


@pytest.mark.parametrize("kind", KINDS)
def test_one_broken_picture_of_many(running: Running, connect, tmp_path: Path, kind: str):
    """The error says which one it is, or stands in its place; in several requests and one."""
    prepare, made = fake()
    url, service = running(prepare=prepare)
    client = connect(url, kind)
    gone, row = tmp_path / "gone.png", client.get("red/0.png")
    pictures = [png("red"), row, b"none", png("blue"), b"none either", png("red")]
    for batch in (64, 2, 1):
        (client.client if kind == "async" else client)._server.batch = batch
        with pytest.raises(PictureError, match=r"^Picture 3 of 6: .*not a picture"):
            client.classify(pictures)
        found = client.classify(pictures, return_exceptions=True)
        assert [type(a).__name__ for a in found] == [
            *("Classification", "Classification", "PictureError"),
            *("Classification", "PictureError", "Classification"),
        ]
        assert "not a picture" in str(found[2]) and "of 6" not in str(found[2])
    before = sum(made[0].calls)
    with pytest.raises(PictureError, match=r"^Picture 2 of 3: .*gone\.png does not exist"):
        client.classify([png("red"), gone, b"none"])
    assert sum(made[0].calls) == before, "nothing is sent where a file is missing here"
    first, second = client.classify([gone, b""], return_exceptions=True)
    assert "does not exist" in str(first) and "empty" in str(second)
    for broken in (gone, b"none"):
        with pytest.raises(PictureError, match="^(?!Picture 1 of 1)"):
            client.classify(broken, return_exceptions=True)  # a single one raises
    assert service.memory.count() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_one_broken_query_of_many(running: Running, connect, tmp_path: Path, kind: str):
    client = connect(running()[0], kind)
    queries = ["red", b"none", tmp_path / "gone.png", png("blue")]
    found = client.search(queries, k=1, return_exceptions=True)
    assert [found[0][0].row.label, found[3][0].row.label] == ["red", "blue"]
    assert "not a picture" in str(found[1]) and "does not exist" in str(found[2])
    with pytest.raises(PictureError, match="^Query 2 of 4: .*not a picture"):
        client.search([*queries[:2], "red", "blue"])
    with pytest.raises(PictureError, match="^Query 3 of 4: .*does not exist"):
        client.search(queries)


def test_answers_can_be_pickled_and_compared(running: Running, connect):
    client = connect(running()[0])
    one, two = client.caption(png("red")), client.caption(png("red"))
    assert one == two and one.origin.request != two.origin.request
    again = pickle.loads(pickle.dumps(one))
    assert again == one and again.origin == one.origin


def test_a_decoding_is_sent_as_its_fields(running: Running, connect):
    how = Decoding(num_return_sequences=2, require=("red",), seed=3)
    assert how_of({"how": how, "k": None, "abstain": 0.1, "instruction": ""}) == {
        "num_return_sequences": 2,
        "require": ["red"],
        "seed": 3,
        "abstain": 0.1,
    }
    client = connect(running()[0])
    assert client.caption(png("red"), how=Decoding(forbid=("cat",))).text == "a red thing"
    with pytest.raises(QueryError, match="num_beams"):
        client.caption(png("red"), how=Decoding(num_beams=2))


def test_feedback(running: Running, connect, shop: Path):
    url, service = running()
    client = connect(url)
    picture = png("red")
    number = client.feedback(
        client.caption(picture), "corrected", picture=picture, correction="a scarlet thing"
    )
    entry = service.feedback.get(number)
    assert (entry.task, entry.answer, entry.correction) == (
        "caption",
        "a red thing",
        "a scarlet thing",
    )
    assert entry.version == 1 and service.feedback.picture(number) == picture
    row = client.get("blue/2.png")
    reply = client.ask(row, "what colour is it?")
    entry = service.feedback.get(client.feedback(reply, "accepted", picture=row, note="yes"))
    assert (entry.asked, entry.answer, entry.row, entry.note) == (
        "what colour is it?",
        "blue",
        "blue/2.png",
        "yes",
    )
    entry = service.feedback.get(client.feedback("red/0.png", "rejected", task="search", asked="r"))
    assert (entry.task, entry.answer, entry.asked) == ("search", ["red/0.png"], "r")
    with pytest.raises(DataError, match="correction"):
        client.feedback(reply, "corrected")


def test_what_is_served(running: Running, connect, runs: Path):
    client = connect(running(runs / "linear", runs / "tags")[0])
    info = client.info()
    assert info.memory["rows"] == 48 and info.tasks[0] == "search" and info.runs == client.runs()
    assert {(run.name, run.task) for run in info.runs} >= {("linear", "classify"), ("tags", "tag")}
    assert "ravl_requests_total" in client.metrics()
    assert client.health() and client.ready()


def test_many_tasks_of_one_client_at_once(running: Running):
    async def main(url: str) -> list[Any]:
        async with ravl.AsyncClient(url) as client:
            return await asyncio.gather(*(client.caption(png("red", i)) for i in range(8)))

    found = asyncio.run(main(running()[0]))
    assert {one.text for one in found} == {"a red thing"}
    assert len({one.origin.request for one in found}) == 8


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import ravl; ravl.Client", "torch transformers sklearn onnxruntime fastapi pydantic"),
        ("from ravl.cli import cli", "httpx2 numpy"),
    ],
)
def test_nothing_heavy_is_imported(code: str, heavy: str):
    program = f"import sys; {code}; print([m for m in {heavy.split()} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr


def test_what_is_missing_is_named():
    program = (
        "import sys; sys.modules['httpx2'] = None\n"
        "from ravl.cli import main; main(['list', '--server', 'http://127.0.0.1:9'])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.returncode == 1
    assert found.stderr.strip() == (
        'ravl: The client needs the package httpx2. Install it with: pip install "ravl[client]"'
    )
