from __future__ import annotations

import json
from typing import Any

from ravl.memory import Row
from ravl.runs.answers import Classification, Evidence, Tagging

SHIRT = Row(3, "shirt.png", texts=("a shirt",), label="shirt")
SEEN = Evidence(SHIRT, 0.812345, 0.2512345, ("shirt",))
COMMON: dict[str, Any] = {
    "confidence": 0.912345,
    "gate": 0.3,
    "scores": {"shirt": 0.912345, "hat": 0.1},
    "memory": {"shirt": 1.0},
    "model": {"shirt": 0.8},
    "evidence": (SEEN,),
}


def test_a_label_prints_and_becomes_json():
    answer = Classification(label="shirt", abstained=False, **COMMON)
    assert str(answer) == "shirt  91 %"
    record = json.loads(json.dumps(answer.to_json()))
    assert next(iter(record)) == "label"
    assert record["label"] == "shirt"
    assert record["scores"] == {"shirt": 0.9123, "hat": 0.1}
    assert record["evidence"] == [
        {
            "id": "shirt.png",
            "picture": None,
            "says": ["shirt"],
            "texts": ["a shirt"],
            "similarity": 0.8123,
            "share": 0.2512,
        }
    ]
    assert answer.evidence[0].id == "shirt.png"


def test_an_answer_that_is_too_unsure_says_so():
    assert str(Classification(label="shirt", abstained=True, **COMMON)) == "shirt  91 %  (abstains)"


def test_tags_print_and_become_json():
    assert str(Tagging(tags=("a", "b"), abstained=False, **COMMON)) == "a, b  91 %"
    none = Tagging(tags=(), abstained=True, **COMMON)
    assert str(none) == "no tag  91 %  (abstains)"
    assert none.to_json()["tags"] == []
    assert none.to_json()["abstained"] is True
