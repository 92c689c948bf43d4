"""The OpenAPI document: every endpoint is described, with examples that are true to its shapes."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from ravl.serving.bodies import Body
from tests.serving.conftest import Client
from tests.serving.helpers import fake

JSON = ("application/json", "application/problem+json")


@pytest.fixture
def document(client: Client) -> dict[str, Any]:
    prepare, _ = fake()
    found: dict[str, Any] = client(prepare=prepare).get("/v1/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_endpoint_is_described_with_examples(document: dict[str, Any]):
    assert len(operations(document)) > 30
    for name, operation in operations(document):
        assert name.split()[1].startswith("/v1/")
        assert operation["summary"] and operation["tags"] and operation["operationId"], name
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            assert "example" in content, (name, kind)
        assert any(status.startswith("2") for status in operation["responses"]), name
        for status, response in operation["responses"].items():
            assert response["description"], (name, status)
            for kind, content in response.get("content", {}).items():
                assert "example" in content or kind not in JSON, (name, status, kind)
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), (name, parameter["name"])


def test_examples_are_true_to_their_shapes(document: dict[str, Any]):
    checked = 0
    for _, operation in operations(document):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for body in bodies:
            for kind, content in body.get("content", {}).items():
                if kind in JSON:
                    schema = {**content["schema"], "components": document["components"]}
                    jsonschema.validate(content["example"], schema)
                    checked += 1
    assert checked > 100


def test_names_are_unique_and_references_lead_somewhere(document: dict[str, Any]):
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    schemas = document["components"]["schemas"]

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [r for inner in value.values() for r in references(inner)]
        if isinstance(value, list):
            return [r for inner in value for r in references(inner)]
        return []

    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas


def test_every_field_of_a_body_is_explained():
    def bodies(kind: type[Body]) -> list[type[Body]]:
        return [kind, *(b for inner in kind.__subclasses__() for b in bodies(inner))]

    for body in bodies(Body):
        assert body.__doc__, body
        for name, field in body.model_fields.items():
            obvious = ("task", "verdict", "state", "question", "answers", "rows", "ids")
            assert field.description or name in obvious, (body, name)
