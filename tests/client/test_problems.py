"""Errors of the server, by the kind of its problem: each is the same here."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any, get_args

import pytest

from ravl import errors
from ravl.client import ServerError
from ravl.client.problems import KINDS, refusal
from ravl.data import Example
from ravl.errors import DataError, PictureError, QueryError, RavlError
from ravl.memory import Memory
from ravl.serving.keys import Keys, new_key
from ravl.serving.limits import Limits
from ravl.serving.problems import ERRORS, Kind, Problem, problem_of, problem_response
from tests.client.conftest import KINDS as CLIENTS
from tests.client.conftest import Running
from tests.client.test_sending import problem, scripted
from tests.serving.helpers import png
from tests.serving.test_streaming import Typist, with_generator

CLASSES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if kind not in (RavlError, errors.DivergedError)  # nothing is trained by a server
]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_class_is_the_same_on_the_other_side(memory_of: Memory, kind: type[RavlError]):
    sent = problem_of(kind("It says so. Do that."), memory_of)
    again = refusal(_json(sent))
    assert type(again) is kind and str(again) == "It says so. Do that."


def test_a_class_that_is_new_is_the_next_that_is_known(memory_of: Memory):
    class StalePictureError(PictureError):
        pass

    assert type(refusal(_json(problem_of(StalePictureError("Old."), memory_of)))) is PictureError
    assert type(refusal(_json(problem_of(RavlError("No."), memory_of)))) is QueryError


def test_both_sides_know_the_same_kinds():
    assert {kind: cls for cls, kind in ERRORS.items()}.items() <= KINDS.items()
    assert set(get_args(Kind)) - set(KINDS) == {"access", "busy", "failure"}
    assert set(KINDS) <= set(get_args(Kind))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, QueryError),
        (401, ServerError),
        (403, ServerError),
        (404, QueryError),
        (408, ServerError),
        (413, PictureError),
        (422, QueryError),
        (429, ServerError),
        (500, ServerError),
        (503, ServerError),
    ],
)
def test_what_is_no_error_of_ravl_is_told_by_its_status(status: int, kind: type[RavlError]):
    found = refusal(_json(Problem(status, "No.")))
    assert type(found) is kind
    if isinstance(found, ServerError):
        assert (found.status, found.request) == (status, "f0")


def test_problems_of_others_are_errors_of_the_server(connect):
    for kind in ("", "of another time"):
        client, _ = scripted(connect, "sync", problem(422, "There is no row 'x'.", kind))
        with pytest.raises(ServerError, match="There is no row 'x'"):
            client.count()


@pytest.fixture
def keyed(running: Running, tmp_path: Path) -> tuple[str, str]:
    """The address of a server with keys, and one of them."""
    key, line = new_key("write", "me")
    (tmp_path / "keys.txt").write_text(line)
    return running(keys=Keys(tmp_path / "keys.txt"), limits=Limits(text=50))[0], key


@pytest.mark.parametrize("kind", CLIENTS)
def test_what_servers_refuse(keyed: tuple[str, str], connect, kind: str):
    client, long = connect(keyed[0], kind, key=keyed[1]), "x" * 51
    calls: list[tuple[type[RavlError], str, Any]] = [
        (DataError, "There is a row 'red/0.png' already", lambda: client.add([_row("red/0.png")])),
        (DataError, "51 characters", lambda: client.add([_row(long)])),
        (DataError, "51 characters", lambda: client.update("red/0.png", label=long)),
        (DataError, "tags.0: ", lambda: client.update("red/0.png", tags=[1])),
        (DataError, "verdict: ", lambda: client.feedback("red", "maybe", task="classify")),
        (QueryError, "51 characters", lambda: client.search(long)),
        (QueryError, "k: ", lambda: client.caption(png("red"), k=0)),
        (QueryError, "No run at .* answers match", lambda: client.match(png("red"), "a")),
        (ServerError, "with the scope admin", lambda: client.delete(where="price < 1")),
    ]
    for error, says, call in calls:
        with pytest.raises(RavlError, match=says) as raised:
            call()
        assert type(raised.value) is error, says


@pytest.mark.parametrize("kind", CLIENTS)
def test_what_goes_wrong_in_a_stream(running: Running, connect, kind: str):
    class Broken(Typist):
        def stream(self, request: Any, how: Any = None) -> Any:
            raise DataError("Nothing can be written about it.")

    client = connect(running(prepare=with_generator(Broken()))[0], kind)
    with pytest.raises(DataError, match="Nothing can be written"):
        for _ in client.stream(png("red")):
            pass


def _row(text: str) -> Example:
    return Example("red/0.png" if "/" in text else "new", texts=(text,))


def _json(sent: Problem) -> Any:
    return json.loads(bytes(problem_response(sent, "f0").body))
