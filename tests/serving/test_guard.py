"""Limits, keys, other sites, headers."""

from __future__ import annotations

import io
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from ravl.memory import Memory
from ravl.serving.keys import SCOPES, Keys, Scope, new_key
from ravl.serving.limits import Limits
from ravl.serving.server import check_host
from tests.helpers import ColourEncoder
from tests.serving.conftest import Client
from tests.serving.helpers import fake


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it has very many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        sum_ = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + sum_

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def zipped() -> bytes:
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x", bytes(20_000_000))
    return out.getvalue()


HOSTILE = [
    (bomb(30_000, 30_000), "30,000 x 30,000 pixels, more than the 50,000,000 allowed"),
    (zipped(), "is not a picture of a known format"),
    (b"", "is empty"),
    (b"\xff\xd8\xff\xe0 cut", "truncated"),
    (b"<svg onload=alert(1)>", "an SVG drawing"),
    (b"%PDF-1.7", "a PDF document"),
]


def test_hostile_pictures_are_sentences(client: Client):
    api = client()
    for data, says in HOSTILE:
        for address in ("/v1/caption", "/v1/rows"):
            response = api.post(address, files={"picture": ("x.jpg", data, "image/jpeg")})
            assert response.status_code == 422
            assert response.headers["content-type"] == "application/problem+json"
            assert says in response.json()["detail"]
    assert api.get("/v1/rows/count").json() == {"count": 16}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_truncated_upload(client: Client, red: bytes):
    api = client()
    assert api.post("/v1/caption", files={"picture": red[: len(red) // 2]}).status_code == 422
    broken = b'--b\r\nContent-Disposition: form-data; name="picture"; filename="x"\r\n\r\nabc'
    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert api.post("/v1/caption", content=broken, headers=headers).status_code in (400, 422)
    headers = {"content-type": "multipart/form-data"}
    assert api.post("/v1/caption", content=broken, headers=headers).status_code == 400


def test_other_content_types_are_415(client: Client, red: bytes):
    api = client()
    for kind in ("image/jpeg", "text/plain", "application/x-www-form-urlencoded"):
        response = api.post("/v1/caption", content=red, headers={"content-type": kind})
        assert response.status_code == 415
        assert "send application/json or multipart/form-data" in response.json()["detail"]


def test_large_bodies_are_refused_by_their_word_and_by_their_weight(client: Client):
    api = client(limits=Limits(body=10_000))
    assert api.post("/v1/caption", files={"picture": bytes(20_000)}).status_code == 413

    def parts():
        for _ in range(20):
            yield bytes(1_000)

    headers = {"content-type": "application/json"}
    response = api.post("/v1/caption", content=parts(), headers=headers)
    assert response.status_code == 413
    assert "10,000 bytes allowed" in response.json()["detail"]
    wrong = api.post("/v1/caption", content=b"x", headers={"content-length": "many"})
    assert wrong.status_code == 400


def test_scopes(client: Client, shop: Path, red: bytes):
    made = {scope: new_key(scope) for scope in SCOPES}
    keys = Keys(None, {"RAVL_KEYS": ";".join(line for _, line in made.values())})
    api = client(keys=keys)

    def status(scope: Scope | None, method: str, path: str, **more: Any) -> int:
        headers = {"authorization": f"Bearer {made[scope][0]}"} if scope else {}
        return api.request(method, path, headers=headers, **more).status_code

    assert status(None, "GET", "/v1/rows") == 401
    assert api.get("/v1/rows", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert "www-authenticate" in api.get("/v1/rows").headers
    for path in ("/v1/health", "/v1/ready", "/v1/openapi.json"):
        assert status(None, "GET", path) == 200
    assert status("read", "GET", "/v1/rows") == 200
    assert api.get("/v1/rows", headers={"x-api-key": made["read"][0]}).status_code == 200
    row = {"id": "new", "texts": ["a note"]}
    assert status("read", "POST", "/v1/rows", json=row) == 403
    assert status("write", "POST", "/v1/rows", json=row) == 201
    everything = {"where": "price >= 0"}
    assert status("write", "POST", "/v1/rows/delete", json=everything) == 403
    assert status("read", "PATCH", "/v1/row?id=new", json={"label": "x"}) == 403
    assert status("read", "DELETE", "/v1/row?id=new") == 403
    assert status("admin", "POST", "/v1/rows/delete", json=everything) == 200
    paths = api.get("/v1/openapi.json").json()
    assert paths["paths"]["/v1/rows"]["post"]["security"] == [{"key": []}]
    log = [json.loads(x) for x in Path(f"{shop}.audit").read_text().splitlines()]
    assert [x["what"] for x in log] == ["rows.add", "rows.delete"]
    assert log[0]["caller"].startswith("write-") and log[0]["ids"] == ["new"]
    assert not any(key in Path(f"{shop}.audit").read_text() for key, _ in made.values())
    with Memory.open(shop, ColourEncoder()) as memory:
        newest, before, first = memory.history(limit=3)
        assert (newest.who, before.who) == (log[1]["caller"], log[0]["caller"])
        assert first.who not in {newest.who, before.who}


def test_too_many_requests_of_one_key(client: Client):
    key, line = new_key("read")
    api = client(limits=Limits(rate=60), keys=Keys(None, {"RAVL_KEYS": line}))
    headers = {"authorization": f"Bearer {key}"}
    codes = [api.get("/v1/rows/count", headers=headers).status_code for _ in range(12)]
    assert codes.count(200) == 10 and codes[-1] == 429
    assert api.get("/v1/rows/count").status_code == 401  # others do not suffer for it
    assert api.get("/v1/health").status_code == 200


def test_without_keys_only_loopback():
    for host in ("127.0.0.1", "localhost", "::1"):
        check_host(host, keyed=False)
    check_host("0.0.0.0", keyed=True)
    with pytest.raises(Exception, match=r"Without keys the server listens on 127\.0\.0\.1 only"):
        check_host("0.0.0.0", keyed=False)


def test_pages_of_other_sites_may_not_ask(client: Client, red: bytes):
    api = client()
    evil = {"origin": "https://evil.example"}
    response = api.post("/v1/rows", files={"picture": red}, headers=evil)
    assert response.status_code == 403
    assert (
        api.post("/v1/rows", files={"picture": red}, headers={"origin": "null"}).status_code == 403
    )
    rebound = api.get("/v1/rows", headers={"host": "evil.example"})
    assert rebound.status_code == 403
    own = {"origin": "http://localhost"}
    assert api.post("/v1/caption", files={"picture": red}, headers=own).status_code == 200


def test_headers_of_every_response(client: Client):
    api = client()
    for response in (api.get("/v1/health"), api.get("/nowhere"), api.get("/v1/rows?limit=0")):
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "unsafe" not in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"
        assert len(response.headers["x-request-id"]) == 12
        assert "server" not in response.headers


def test_no_stack_trace_reaches_a_client(client: Client, red: bytes, capsys):
    prepare, made = fake()
    api = client(prepare=prepare)

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("secret inside")

    made[0].classify = broken  # type: ignore[method-assign]
    response = api.post("/v1/classify", files={"picture": red})
    assert response.status_code == 500
    assert response.json()["detail"].startswith("Something went wrong here. The log knows it as")
    assert "secret" not in response.text and "Zero" not in response.text
    logged = capsys.readouterr().err
    assert "ZeroDivisionError" in logged and response.json()["request"] in logged


def test_addresses_and_methods_that_are_none(client: Client):
    api = client()
    assert api.get("/v1/../../etc/passwd").status_code == 404
    assert api.get("/v1/picture/../../etc").json()["title"] == "Not Found"
    wrong = api.delete("/v1/search")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
