"""Pictures by URL: never from this machine or its neighbours, whatever the name resolves to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import httpcore2 as httpcore
import pytest

from ravl.errors import PictureError
from ravl.serving.fetching import Fetcher, is_public

PUBLIC = "93.184.216.34"


class Backend(httpcore.AsyncMockBackend):
    """Answers with what it is given, a connection each, and remembers where it was led."""

    def __init__(self, *answers: bytes) -> None:
        super().__init__([])
        self.answers = list(answers)
        self.led: list[tuple[str, int]] = []

    async def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> Any:
        self.led.append((host, port))
        return httpcore.AsyncMockStream([self.answers.pop(0)])


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def moved(to: str) -> bytes:
    return b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %b\r\n\r\n" % to.encode()


def get(url: str, backend: Backend, names: Mapping[str, Any], most: int = 100) -> bytes:
    async def resolve(host: str, port: int) -> Sequence[str]:
        found: list[Any] = names[host]
        return list(found.pop(0) if found and isinstance(found[0], list) else found)

    return asyncio.run(Fetcher(most, 2, resolve, backend).get(url))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "172.16.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "100.64.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "ff02::1",
        "no address",
        "192.0.2.1",
        "198.18.0.1",
        "192.88.99.1",
        "192.0.0.8",
        "203.0.113.1",
        "240.0.0.1",
        "fec0::1",
        "feff::1",
        "fd00::1",
        "febf::1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "2002:a9fe:a9fe::1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::7f00:1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
        "2001:10::1",
        "3fff::1",
        "5f00::1",
        "100::1",
        "4000::1",
        "fe80::5efe:7f00:1",
    ],
)
def test_what_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        PUBLIC,
        "2606:2800:220:1::1",
        "::ffff:93.184.216.34",
        "2002:5db8:d822::1",
        "64:ff9b::5db8:d822",
    ],
)
def test_what_is_public(address):
    assert is_public(address)


def test_a_picture_from_the_checked_address():
    backend = Backend(ok(b"picture"))
    assert get("http://a.example/x.jpg", backend, {"a.example": [PUBLIC]}) == b"picture"
    assert backend.led == [(PUBLIC, 80)]


@pytest.mark.parametrize("addresses", [["10.0.0.1"], [PUBLIC, "127.0.0.1"], []])
def test_every_address_must_be_public(addresses):
    backend = Backend(ok(b"secret"))
    with pytest.raises(PictureError, match="not public"):
        get("http://a.example/", backend, {"a.example": addresses})
    assert backend.led == []


def test_a_name_that_resolves_otherwise_the_second_time_is_asked_once():
    """DNS rebinding: the connection goes to what was checked."""
    backend = Backend(ok(b"picture"))
    names: dict[str, Any] = {"a.example": [[PUBLIC], ["127.0.0.1"]]}
    assert get("http://a.example/", backend, names) == b"picture"
    assert backend.led == [(PUBLIC, 80)]
    assert names["a.example"] == [["127.0.0.1"]]


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("http://inside.example/", "not public"),
        ("http://127.0.0.1/", "not public"),
        ("file:///etc/passwd", "must begin with"),
        ("http://a.example:22/", "only 80 and 443"),
        ("//inside.example/x", "not public"),
        ("gopher://a.example", "must begin with"),
    ],
)
def test_redirects_are_checked_as_well(to, says):
    backend = Backend(moved(to), ok(b"secret"))
    names = {"a.example": [PUBLIC], "inside.example": ["10.0.0.1"], "127.0.0.1": ["127.0.0.1"]}
    with pytest.raises(PictureError, match=says):
        get("http://a.example/", backend, names)
    assert backend.led == [(PUBLIC, 80)]


def test_a_redirect_to_a_public_place_is_followed_but_not_for_ever():
    names = {"a.example": [PUBLIC], "b.example": ["93.184.216.35"]}
    backend = Backend(moved("http://b.example/y"), ok(b"picture"))
    assert get("http://a.example/", backend, names) == b"picture"
    with pytest.raises(PictureError, match="more than 3"):
        get("http://a.example/", Backend(*[moved("http://a.example/")] * 9), names)


def test_size_status_and_trouble_are_sentences():
    names = {"a.example": [PUBLIC]}
    with pytest.raises(PictureError, match="more than the 100 bytes"):
        get("http://a.example/", Backend(ok(b"x" * 101)), names)
    with pytest.raises(PictureError, match="answered 404"):
        get("http://a.example/", Backend(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"), names)
    with pytest.raises(PictureError, match="cannot be fetched"):
        get("http://a.example/", Backend(b"nonsense"), names)


def test_a_server_that_takes_too_long():
    class Slow(Backend):
        async def connect_tcp(self, *_: Any, **__: Any) -> Any:
            await asyncio.Event().wait()

    async def resolve(host: str, port: int) -> Sequence[str]:
        return [PUBLIC]

    with pytest.raises(PictureError, match=r"longer than 0\.05 s"):
        asyncio.run(Fetcher(100, 0.05, resolve, Slow()).get("http://a.example/"))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/",
        "http://",
        "http://user:word@a.example/",
        "http://a.example:8080/",
        "http://a.example/ x",
        "http://a.example/\r\nX: y",
        "http://[::1",
        "picture.jpg",
        "http://ä/",
        "http://a.example:99999/",
        "",
    ],
)
def test_urls_that_are_refused_before_anything_is_asked(url):
    backend = Backend()
    with pytest.raises(PictureError):
        get(url, backend, {})
    assert backend.led == []


def test_the_system_resolves_loopback_and_it_is_refused():
    with pytest.raises(PictureError, match="not public"):
        asyncio.run(Fetcher(100, 2).get("http://localhost/"))
