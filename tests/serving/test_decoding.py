"""Decoded size and time count: pictures that are small files and large pictures."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import threading
from typing import Any

import pytest
from PIL import Image

from ravl.data import pictures
from ravl.data.decoder_process import DecoderProcess
from ravl.errors import PictureError
from ravl.serving import decoding
from ravl.serving.decoding import Decoders
from ravl.serving.problems import Problem
from ravl.serving.service import Service
from tests.serving.conftest import Client
from tests.serving.helpers import png
from tests.waiting import wait_until


def encoded(size: tuple[int, int], format_: str = "WEBP", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (10, 20, 30)).save(out, format_, **options)
    return out.getvalue()


def decode(decoders: Decoders, *data: bytes, hint: int = 32) -> list[Image.Image]:
    return asyncio.run(decoders.decode(data, hint))


def test_pictures_are_reduced_as_they_are_decoded() -> None:
    decoders = Decoders(50_000_000)
    large = encoded((3000, 2000), lossless=True)
    assert len(large) < 400
    found = decode(decoders, large, large)
    assert [picture.size for picture in found] == [(188, 125), (188, 125)]
    assert pictures.reduced_pixels(3000, 2000, 32) == 188 * 125
    decoders.close()


def test_what_is_too_large_together_is_refused_before_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoders = Decoders(50_000_000)
    monkeypatch.setattr(pictures, "decode", None)
    flat = encoded((6000, 5000), lossless=True)
    with pytest.raises(Problem, match="pixels together") as caught:
        decode(decoders, *[flat] * 34)
    assert caught.value.status == 413
    long = encoded((8000, 40), "PNG")  # a thin one cannot be reduced
    monkeypatch.setattr(decoding, "MOST_KEPT", 600_000)
    decoders._most = 600_000
    with pytest.raises(Problem, match="once they are reduced"):
        decode(decoders, long, long)
    decoders.close()


def test_one_that_is_too_large_says_so() -> None:
    decoders = Decoders(1_000_000)
    with pytest.raises(PictureError, match="more than the 600,000 allowed for WebP"):
        decode(decoders, png("red"), encoded((2000, 2000)))
    decoders.close()


def test_too_many_that_wait_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    decoders = Decoders(50_000_000)
    began, go = threading.Event(), threading.Event()
    usual = pictures.decode

    def slow(*args: Any, **kwargs: Any) -> Image.Image:
        began.set()
        assert go.wait(60)
        return usual(*args, **kwargs)

    monkeypatch.setattr(pictures, "decode", slow)
    monkeypatch.setattr(decoding, "MOST_WAITING", 50_000)
    first = threading.Thread(target=decode, args=(decoders, encoded((200, 200))))
    first.start()
    assert began.wait(60)
    with pytest.raises(Problem, match="Too many pixels are waiting") as caught:
        decode(decoders, encoded((200, 200)))
    assert caught.value.status == 429
    go.set()
    first.join()
    assert decode(decoders, encoded((200, 200)))[0].size == (100, 100)
    decoders.close()


def test_what_can_take_long_is_decoded_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = encoded((200, 200), "PNG"), encoded((2100, 2000), "PNG")
    decoders = Decoders(50_000_000)
    assert decode(decoders, small)[0].size == (100, 100)
    assert decoders._processes == []
    assert [p.size for p in decode(decoders, large, small)] == [(132, 125), (100, 100)]
    (process,) = decoders._processes
    worker = process._process
    assert worker is not None
    assert worker.poll() is None
    monkeypatch.setattr(decoding, "SMALL", 100)  # bytes, too
    assert decode(decoders, small)[0].size == (100, 100)
    monkeypatch.setattr(decoding, "DEADLINE", 0.0)
    monkeypatch.setattr(DecoderProcess, "start", lambda self: hang(self))
    with pytest.raises(PictureError, match="takes more than 0 seconds"):
        decode(decoders, large)
    assert decoders.free
    decoders.close()
    assert worker.poll() is not None


def hang(process: DecoderProcess) -> None:
    process.close()
    pipe = subprocess.PIPE
    code = "import time; time.sleep(1000)"
    process._process = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe)


def test_a_server_whose_decoders_are_stuck_is_not_ready(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Service] = []
    api = client(prepare=found.append)
    service = found[0]
    assert api.get("/v1/ready").status_code == 200
    go = threading.Event()
    usual = pictures.decode
    monkeypatch.setattr(pictures, "decode", lambda *a, **k: (go.wait(60), usual(*a, **k))[1])
    monkeypatch.setattr(decoding, "STUCK", -1.0)
    waiting = [
        threading.Thread(target=decode, args=(service.decoders, png("red")))
        for _ in range(decoding.THREADS)
    ]
    for each in waiting:
        each.start()
    wait_until(lambda: not service.decoders.free)
    answer = api.get("/v1/ready")
    assert (answer.status_code, "busy" in answer.text) == (503, True)
    assert api.get("/v1/health").status_code == 200
    go.set()
    for each in waiting:
        each.join()
    assert api.get("/v1/ready").status_code == 200


def test_one_request_of_many_bombs(client: Client) -> None:
    api = client()
    flat = encoded((6000, 5000), lossless=True)
    files = [("pictures", (f"{i}.webp", flat)) for i in range(34)]
    answer = api.post("/v1/caption/batch", files=files)
    assert (answer.status_code, "pixels together" in answer.text) == (413, True)


@pytest.mark.parametrize("address", ["/v1/health", "/v1/ready", "/v1/runs", "/v1/openapi.json"])
def test_head_is_get_without_the_body(client: Client, address: str) -> None:
    api = client()
    got, head = api.get(address), api.head(address)
    assert (head.status_code, head.content) == (got.status_code, b"") == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]
    assert head.headers["x-content-type-options"] == "nosniff"


def test_head_of_what_is_not_there(client: Client) -> None:
    api = client()
    assert api.head("/v1/nothing").status_code == 404
    assert api.head("/v1/search").status_code == 405


@pytest.mark.parametrize("cut", [1, 4, 20, 60, 300])
def test_a_form_that_is_cut_is_refused(client: Client, cut: int) -> None:
    api = client()
    request = api.build_request("POST", "/v1/caption", files={"picture": ("a.png", png("red"))})
    body, kind = request.read(), request.headers["content-type"]
    whole = api.post("/v1/caption", content=body, headers={"content-type": kind})
    assert whole.status_code == 200
    more = api.post("/v1/caption", content=body + b"\r\n", headers={"content-type": kind})
    assert more.status_code == 200
    for lost in (cut + 2,):
        answer = api.post("/v1/caption", content=body[:-lost], headers={"content-type": kind})
        assert answer.status_code == 400, answer.text


def test_one_broken_picture_of_a_batch_stops_no_other(client: Client) -> None:
    api = client()
    files = [("pictures", ("x.png", data)) for data in (png("red"), png("blue")[:90], png("green"))]
    answer = api.post("/v1/caption/batch", files=files)
    assert answer.status_code == 200, answer.text
    first, broken, third = answer.json()["answers"]
    assert (first["text"], third["text"]) == ("a red thing", "a green thing")
    assert set(broken) == {"error"} and "truncated" in broken["error"]
    alone = api.post("/v1/caption/batch", files=files[1:2])
    assert alone.status_code == 200, alone.text
    assert [set(answer) for answer in alone.json()["answers"]] == [{"error"}]
    assert api.post("/v1/caption", files={"picture": png("red")[:90]}).status_code == 422
