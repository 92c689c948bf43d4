from __future__ import annotations

import re
from typing import get_args

import pytest
from docs._ext import metrics, rest

from ravl.client.problems import KINDS
from ravl.serving.fields import FIELDS
from ravl.serving.metrics import Metrics
from ravl.serving.problems import Kind
from tests.docs.pages import DOCS, PAGES, everything, page

OPERATIONS = {f"{method} {path}": operation for method, path, operation in rest.operations()}
CALLED = re.compile(r"localhost:8000(/v1/[\w/.{}-]*)")


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_endpoint_is_described(name):
    operation = OPERATIONS[name]
    assert operation["summary"]
    assert f"`{name}`" in everything(), (
        f"{name} is on no page: add <!-- ravl: rest {operation['tags'][0]} --> to one of "
        "docs/reference/rest"
    )
    for parameter in operation.get("parameters", ()):
        words = parameter.get("description") or parameter["schema"].get("description")
        assert words, f"{name}: the parameter {parameter['name']} has no description"


def test_every_field_is_described():
    missing = [
        f"{schema}.{field}"
        for schema, shape in rest.schemas().items()
        for field in shape.get("properties", {})
        if not schema.endswith("Form") and not _words(schema, field)
    ]
    assert not missing, f"describe them in the code: {missing}"


def test_the_table_of_fields_holds_nothing_that_is_not_needed():
    known = {
        key
        for schema, shape in rest.schemas().items()
        for name, field in shape.get("properties", {}).items()
        for key in (f"{schema}.{name}", name)
        if field.get("description") == FIELDS.get(key)
    }
    assert set(FIELDS) <= known


def test_addresses_on_pages_exist():
    known = [re.sub(r"\{\w+\}", "[^/]+", path) for path in rest.document()["paths"]]
    known.append("/v1/openapi.json")
    for path in PAGES:
        for called in CALLED.findall(path.read_text("utf-8")):
            assert any(re.fullmatch(k, called) for k in known), f"{path.name}: {called}"


def test_curl_lines_are_complete():
    line = rest.curl("POST", "/v1/search", OPERATIONS["POST /v1/search"])
    assert line.startswith("curl -H 'Content-Type: application/json' \\\n     -d '{\"text\"")
    assert max(map(len, line.splitlines())) < 100
    assert rest.curl("DELETE", "/v1/row", OPERATIONS["DELETE /v1/row"]) == (
        "curl -X DELETE 'localhost:8000/v1/row?id=shirts%2F17.jpg'"
    )


def test_every_metric_is_listed():
    text = page("reference/metrics.md")
    assert metrics.reference() in text
    for name in Metrics().registry._names_to_collectors:
        if name.startswith("ravl_") and not name.endswith(
            ("_created", "_bucket", "_sum", "_count")
        ):
            assert f"`{name}" in text


def test_every_kind_of_problem_is_listed():
    table = page("reference/rest/index.md").partition("| kind |")[2]
    listed = [kind for line in table.splitlines() for kind in re.findall(r"`([a-z_]+)`", line)]
    assert sorted(listed) == sorted(get_args(Kind))
    for kind, error in KINDS.items():
        line = next(line for line in table.splitlines() if f"`{kind}`" in line)
        assert f"`{error.__name__}`" in line


def test_pages_of_the_reference_are_generated():
    for path in (DOCS / "reference" / "rest").glob("*.md"):
        assert path.name == "index.md" or "<!-- ravl: re" in path.read_text("utf-8")


def _words(schema, field):
    try:
        return rest.described(schema, field)
    except KeyError:
        return ""
