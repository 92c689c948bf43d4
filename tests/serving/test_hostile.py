"""Whatever a client sends, nothing is a 500: schemathesis over the whole API."""

from __future__ import annotations

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

from ravl.serving.limits import Limits
from tests.serving.helpers import fake
from tests.waiting import PATIENCE

FEW, MANY = 3, 60
# No server error; statuses, content types and shapes as documented. That all that fits the shapes
# is accepted is not asked: whether a picture can be decoded, no schema says.
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def attack(running: Callable[..., Any], examples: int) -> int:
    prepare, _ = fake()
    limits = Limits(rate=0, pixels=1_000_000, body=2**20)
    url, _ = running(prepare=prepare, limits=limits, allow_urls=True)
    document = httpx.get(f"{url}/v1/openapi.json", timeout=PATIENCE).json()
    schema = schemathesis.openapi.from_dict(document)
    asked: list[int] = []

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
            response = case.call(base_url=url, timeout=PATIENCE)
            asked.append(response.status_code)
            case.validate_response(response, checks=CHECKS)
            assert "Traceback" not in response.text

        check()
    assert httpx.get(f"{url}/v1/ready", timeout=PATIENCE).status_code == 200
    assert 500 not in asked
    return len(asked)


def test_a_few_of_everything(running: Callable[..., Any]):
    assert attack(running, FEW) > 50


@pytest.mark.slow
def test_many_of_everything(running: Callable[..., Any]):
    assert attack(running, MANY) > 1000
