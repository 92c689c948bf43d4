from __future__ import annotations

import json

import pytest

from benchmarks import report

RECORDS = sorted(report.RESULTS.glob("*.json"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_pages_say_what_the_records_say(path):
    """So a figure that is compared with the JSON is the one that people read."""
    record = json.loads(path.read_text("utf-8"))
    page = path.with_suffix(".md").read_text("utf-8")
    assert page.startswith(f"# {path.stem}\n\n{record['about']}\n\n")
    assert page.endswith(f"\n\n{report.markdown(record['results'])}")
