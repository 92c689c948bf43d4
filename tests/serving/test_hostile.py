"""Whatever a client sends, nothing is a 500: schemathesis over the whole API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ravl.serving.keys import Keys, new_key
from ravl.serving.limits import Limits
from tests.serving.helpers import fake
from tests.waiting import PATIENCE

FEW, MANY = 3, 60
ANYONE, NOBODY = "anyone", "nobody"
# No server error; statuses, content types and shapes as documented. That all that fits the shapes
# is accepted is not asked: whether a picture can be decoded, no schema says.
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def attack(running: Callable[..., Any], examples: int, who: str = ANYONE) -> Counter[int]:
    """Ask everything many times; how often there was each status.

    Args:
        running: starts a server.
        examples: of each operation.
        who: the scope of the key that is sent; ``ANYONE`` for a server without keys, ``NOBODY`` to
            send none.
    """
    prepare, _ = fake()
    limits = Limits(rate=0, pixels=1_000_000, body=2**20)
    access: dict[str, Keys] = {}
    headers: dict[str, str] = {}
    if who != ANYONE:
        key, line = new_key("admin" if who == NOBODY else who)  # type: ignore[arg-type]
        access["keys"] = Keys(None, {"RAVL_KEYS": line})
        headers = {} if who == NOBODY else {"Authorization": f"Bearer {key}"}
    url, _ = running(prepare=prepare, limits=limits, allow_urls=True, **access)
    document = httpx.get(f"{url}/v1/openapi.json", timeout=PATIENCE, headers=headers).json()
    schema = schemathesis.openapi.from_dict(document)
    asked: Counter[int] = Counter()

    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]  # the document is sound

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            response = case.call(base_url=url, timeout=PATIENCE, headers=headers)
            asked[response.status_code] += 1
            case.validate_response(response, checks=CHECKS)
            assert "Traceback" not in response.text

        check()
    assert httpx.get(f"{url}/v1/ready", timeout=PATIENCE).status_code == 200
    assert max(asked) < 500
    return asked


def test_a_few_of_everything(running: Callable[..., Any]):
    assert attack(running, FEW).total() > 50


@pytest.mark.parametrize("who", [NOBODY, "read"])
def test_a_few_of_everything_with_keys(running: Callable[..., Any], who: str):
    asked = attack(running, 1, who)
    assert asked[401 if who == NOBODY else 403]
    assert who != NOBODY or asked[200] < 10  # what says whether the server is well


@pytest.mark.slow
@pytest.mark.parametrize("who", [ANYONE, NOBODY, "read", "write", "admin"])
def test_many_of_everything(running: Callable[..., Any], who: str):
    asked = attack(running, MANY, who)
    print(who, asked)
    assert asked.total() > 1000
