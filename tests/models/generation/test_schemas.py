from __future__ import annotations

from pathlib import Path

import pytest

from ravl.errors import QueryError
from ravl.models.generation.schemas import are_json, read_schema, satisfies

SCHEMA = """{
  "type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}, "required": ["colour"]
}"""


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ('{"colour": "red"}', True),
        ('{"colour": "pink"}', False),
        ("{}", False),
        ("red", False),
        ('{"colour": "red"', False),
        ("[" * 5000, False),
    ],
)
def test_a_text_satisfies_a_schema(text: str, good: bool) -> None:
    assert satisfies(text, SCHEMA) is good


def test_without_a_schema_any_json_will_do() -> None:
    assert satisfies("[1, 2]", "")
    assert not satisfies("[1, 2", "")


def test_texts_that_are_json() -> None:
    assert are_json(['{"a": 1}', "[2]"])
    assert not are_json(['{"a": 1}', "a dog"])
    assert not are_json(["12", "13"])  # numbers are captions as well
    assert not are_json([])


def test_what_is_no_schema_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('{"type": "thing"}')
    (tmp_path / "worse.json").write_text("{")
    for name in ("bad.json", "worse.json"):
        with pytest.raises(QueryError, match="not a valid JSON schema"):
            read_schema(tmp_path / name)
    with pytest.raises(QueryError, match="cannot be read"):
        read_schema(tmp_path / "nowhere.json")
