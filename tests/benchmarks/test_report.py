from __future__ import annotations

import json

import pytest
from benchmarks.__main__ import NAMES

from benchmarks import report


@pytest.mark.parametrize("name", NAMES)
def test_pages_say_what_the_records_say(name):
    """So a figure that is compared with the JSON is the one that people read."""
    record = json.loads((report.RESULTS / f"{name}.json").read_text("utf-8"))
    page = (report.RESULTS / f"{name}.md").read_text("utf-8")
    assert page == report.page(name, record)
