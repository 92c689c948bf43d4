"""The page's files as they are served."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

from ravl.serving.keys import Keys, new_key
from ravl.serving.routes.page import assets
from tests.serving.conftest import Client

FOLDER = Path(str(files("ravl.serving"))) / "page"
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def source(*endings: str) -> dict[str, str]:
    found = {f.name: f.read_text("utf-8") for f in FOLDER.iterdir() if f.suffix[1:] in endings}
    assert found
    return found


def test_every_file_is_served_as_what_it_is(client: Client):
    api = client()
    index = api.get("/")
    assert index.status_code == 200 and index.headers["content-type"].startswith("text/html")
    assert {f.name for f in FOLDER.iterdir() if f.is_file()} == set(assets())
    for name in assets():
        response = api.get(f"/page/{name}")
        assert response.content == (FOLDER / name).read_bytes()
        assert response.headers["content-type"].startswith(TYPES[name.rpartition(".")[2]])
        assert response.headers["x-content-type-options"] == "nosniff"
        assert api.head(f"/page/{name}").content == b""


def test_the_page_needs_no_key_and_is_no_part_of_the_api(client: Client):
    _, line = new_key("read")
    api = client(keys=Keys(None, {"RAVL_KEYS": line}))
    assert api.get("/").status_code == 200
    assert api.get("/page/main.js").status_code == 200
    assert api.get("/v1/runs").status_code == 401
    assert not any(
        not path.startswith("/v1/") for path in api.get("/v1/openapi.json").json()["paths"]
    )


def test_who_asks_is_told_what_they_may(client: Client):
    key, line = new_key("write", "web")
    api = client(keys=Keys(None, {"RAVL_KEYS": line}))
    asked = api.get("/v1/caller", headers={"authorization": f"Bearer {key}"})
    assert asked.json() == {"name": "web", "scope": "write", "keyed": True}
    assert api.get("/v1/caller").status_code == 401
    anyone = {"name": "anyone", "scope": "admin", "keyed": False}
    assert client().get("/v1/caller").json() == anyone


def test_the_policy_is_strict_and_that_of_the_frame_has_no_scripts(client: Client):
    api = client()
    for path in ("/", "/page/main.js", "/page/style.css", "/page/none.js"):
        policy = api.get(path).headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy and "http" not in policy
    frame = api.get("/page/report.html").headers["content-security-policy"]
    assert "default-src 'none'" in frame and "script-src" not in frame
    assert "frame-ancestors 'self'" in frame and "img-src data:" in frame


def test_what_the_browser_has_is_not_sent_again(client: Client):
    api = client()
    first = api.get("/page/main.js")
    assert first.headers["cache-control"] == "no-cache"
    again = api.get("/page/main.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"]
    other = api.get("/page/main.js", headers={"if-none-match": '"other"'})
    assert other.status_code == 200


OUTSIDE = [
    "../app.py",
    "..%2fapp.py",
    "%2e%2e%2fapp.py",
    "..\\app.py",
    "....//app.py",
    "",
    "%2fetc%2fpasswd",
    "main.js%00.css",
    "main.js/",
    "./main.js/none",
    "MAIN.JS",
    "none.js",
    "__init__.py",
    "a" * 5000,
]


def test_there_is_no_way_out_of_the_folder(client: Client):
    api = client()
    for path in OUTSIDE:
        response = api.get(f"/page/{path}")
        assert response.status_code in (404, 422), path
        assert response.headers["content-type"] == "application/problem+json"
        assert "/" not in response.json()["detail"].replace("/v1/openapi.json", "")


def test_nothing_comes_from_elsewhere():
    for name, text in source("html", "js", "css").items():
        hosts = re.findall(
            r"(?:https?:|wss?:)?//[\w.-]+\.\w+[^\s\"']*", re.sub(r"^\s*//.*", "", text, flags=re.M)
        )
        assert hosts == [], name
        assert "@import" not in text and "url(" not in text, name


def test_no_script_and_no_style_stands_inside_the_pages():
    for name, text in source("html").items():
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text, re.I), name
        for script in re.findall(r"<script[^>]*>(.*?)</script>", text, re.S):
            assert script == "", name


def test_what_people_wrote_is_never_read_as_html():
    for name, text in source("js").items():
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|\beval\b|new Function", text
        ), name
        # The report is the one exception: written into a frame that runs no scripts.
        assert ("inside.write(" in text) == (name == "runs.js"), name
    assert 'sandbox: "allow-same-origin"' in source("js")["runs.js"]


def test_files_are_short():
    for name, text in source("html", "js", "css").items():
        assert len(text.splitlines()) < 300, name


def test_modules_and_elements_that_are_named_exist():
    sources = source("js")
    ids = set(re.findall(r'\bid="([\w-]+)"', source("html")["index.html"]))
    for name, text in sources.items():
        for module in re.findall(r'from "\./([\w.]+)"', text):
            assert module in sources, (name, module)
        for id in re.findall(r'byId\("([\w-]+)"\)', text):
            assert id in ids, (name, id)
