"""A hub of the tests' own: the endpoints that huggingface_hub calls, over HTTP, in memory."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_" + "x" * 30
LARGE = (".ravl", ".safetensors", ".onnx")  # go by LFS, as .gitattributes says


@dataclass
class Repo:
    private: bool
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)  # files by commit
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, branch: str, files: dict[str, bytes]) -> str:
        names = json.dumps({name: hashlib.sha1(data).hexdigest() for name, data in files.items()})
        sha = hashlib.sha1(f"{len(self.commits)}{names}".encode()).hexdigest()
        self.commits[sha], self.branches[branch] = files, sha
        return sha

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        sha = self.branches.get(revision, revision)
        return (sha, self.commits[sha]) if sha in self.commits else None


@dataclass
class Hub:
    """Repositories by "models/owner/name"; what was asked for; what shall go wrong."""

    url: str = ""
    repos: dict[str, Repo] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)  # of LFS, by their hash
    asked: list[str] = field(default_factory=list)
    fail: dict[str, int] = field(default_factory=dict)  # status by a part of method and path


class Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._handle()

    do_HEAD = do_POST = do_PUT = do_GET

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(self._chunks())
        url = urlsplit(self.path)
        path = unquote(url.path).strip("/")
        self.hub.asked.append(f"{self.command} {path}")
        for part, status in self.hub.fail.items():
            if part in f"{self.command} {path}":
                return self._say(status, {"error": "as the test says"})
        if self.command != "GET" and self.command != "HEAD" and not path.startswith("lfs/"):
            reads = "paths-info" in path or path == "api/validate-yaml"
            if not reads and self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self._say(401, {"error": "Invalid username or password."})
        self._route(path, body, parse_qs(body.decode("latin1")))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _route(self, path: str, body: bytes, form: dict[str, list[str]]) -> None:
        parts = path.split("/")
        if path == "api/repos/create":
            return self._create(json.loads(body))
        if path == "api/validate-yaml":
            return self._say(200, {"warnings": [], "errors": []})
        if parts[0] == "lfs":
            self.hub.blobs[parts[1]] = body
            return self._say(200, {})
        if path.endswith(".git/info/lfs/objects/batch"):
            return self._batch(json.loads(body))
        if parts[0] == "api":
            name, rest = "/".join(parts[1:4]), parts[4:]
        else:
            kind = [] if parts[0] == "datasets" else ["models"]
            whole = kind + parts
            name, rest = "/".join(whole[:3]), whole[3:]
        repo = self.hub.repos.get(name)
        allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if repo is None or (repo.private and not allowed):
            return self._say(
                404 if allowed else 401, {"error": "?"}, {"X-Error-Code": "RepoNotFound"}
            )
        if not rest or rest[0] == "revision":
            return self._info(name, repo, "/".join(rest[1:]) or "main")
        what, revision = rest[0], rest[1]
        if what == "branch":
            if revision in repo.branches:
                return self._say(409, {"error": "exists"})
            repo.branches[revision] = repo.branches["main"]
            return self._say(200, {})
        if what == "preupload":
            files = json.loads(body)["files"]
            return self._say(
                200,
                {
                    "files": [
                        {
                            "path": f["path"],
                            "shouldIgnore": False,
                            "uploadMode": "lfs" if f["path"].endswith(LARGE) else "regular",
                        }
                        for f in files
                    ]
                },
            )
        if what == "commit":
            return self._commit(name, repo, revision, body)
        found = repo.at(revision)
        if found is None:
            return self._say(404, {"error": "?"}, {"X-Error-Code": "RevisionNotFound"})
        sha, stored = found
        if what == "tree":
            return self._say(200, [self._entry(n, d) for n, d in stored.items()])
        if what == "paths-info":
            names = form.get("paths", [])
            return self._say(200, [self._entry(n, stored[n]) for n in names if n in stored])
        if what == "resolve":
            return self._resolve(sha, stored, "/".join(rest[2:]))
        return self._say(404, {"error": f"the stand-in does not know {path}"})

    def _create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted.get('type', 'model')}s/{wanted['organization']}/{wanted['name']}"
        if name in self.hub.repos:
            url = f"{self.hub.url}/{name.removeprefix('models/')}"
            return self._say(409, {"error": "You already created this repo", "url": url})
        repo = self.hub.repos[name] = Repo(wanted.get("visibility") == "private")
        repo.commit("main", {".gitattributes": b"*.ravl filter=lfs\n"})
        self._say(200, {"url": f"{self.hub.url}/{name.removeprefix('models/')}"})

    def _info(self, name: str, repo: Repo, revision: str) -> None:
        found = repo.at(revision)
        if found is None:
            return self._say(404, {"error": "?"}, {"X-Error-Code": "RevisionNotFound"})
        id_ = name.partition("/")[2]
        self._say(200, {"id": id_, "sha": found[0], "private": repo.private, "siblings": []})

    def _batch(self, wanted: dict[str, Any]) -> None:
        objects = []
        for one in wanted["objects"]:
            actions = {"upload": {"href": f"{self.hub.url}/lfs/{one['oid']}"}}
            known = one["oid"] in self.hub.blobs
            objects.append({**one, **({} if known else {"actions": actions})})
        self._say(200, {"transfer": "basic", "objects": objects})

    def _commit(self, name: str, repo: Repo, branch: str, body: bytes) -> None:
        found = repo.at(branch)
        assert found is not None
        files = dict(found[1])
        for line in body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                files[value["path"]] = self.hub.blobs[value["oid"]]
            elif item["key"] == "deletedFile":
                del files[value["path"]]
        sha = repo.commit(branch, files)
        url = f"{self.hub.url}/{name.removeprefix('models/')}/commit/{sha}"
        self._say(200, {"commitUrl": url, "commitOid": sha})

    def _entry(self, name: str, data: bytes) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "type": "file",
            "path": name,
            "size": len(data),
            "oid": hashlib.sha1(data).hexdigest(),
        }
        if name.endswith(LARGE):
            sha = hashlib.sha256(data).hexdigest()
            entry["lfs"] = {"oid": sha, "size": len(data), "pointerSize": 130}
        return entry

    def _resolve(self, sha: str, stored: dict[str, bytes], name: str) -> None:
        if name not in stored:
            return self._say(404, {"error": "?"}, {"X-Error-Code": "EntryNotFound"})
        data = stored[name]
        kind = hashlib.sha256 if name.endswith(LARGE) else hashlib.sha1
        start, status = 0, 200
        if given := self.headers.get("Range"):
            start, status = int(given.removeprefix("bytes=").partition("-")[0]), 206
        self.send_response(status)
        self.send_header("ETag", f'"{kind(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", sha)
        self.send_header("Accept-Ranges", "bytes")
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data[start:])

    def _say(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {**(headers or {}), "Content-Type": "application/json"}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


@contextmanager
def stand_in() -> Iterator[Hub]:
    """A hub that listens on this machine."""
    hub = Hub()
    handler = type("OwnHandler", (Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
