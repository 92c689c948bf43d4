from __future__ import annotations

import json

import numpy as np
import pytest

from ravl.drift import report
from ravl.drift import windows as module
from ravl.drift.windows import Windows
from ravl.errors import QueryError
from tests.drift.samples import sample


def test_the_rate_holds_for_a_stream(monkeypatch):
    """Many streams without drift, each with windows that are tested as they fill."""
    from ravl.drift.permutation import permutation_test

    monkeypatch.setattr(
        report, "permutation_test", lambda a, b, seed: permutation_test(a, b, 99, seed)
    )
    random = np.random.default_rng(0)
    tested = alarms = 0
    for _ in range(100):
        watch = Windows(sample(random, 80), size=40, rate=0.1)
        for _ in range(16):  # answers come ten at a time, and the state is asked for in between
            watch.add(sample(random, 10))
        tested, alarms = tested + watch.tested, alarms + watch.alarms
    assert tested == 400
    # windows of one stream share a reference, so that their alarms go together a little
    assert alarms / tested == pytest.approx(0.1, abs=0.055)


def test_a_shift_alarms_with_its_first_window():
    random = np.random.default_rng(1)
    watch = Windows(sample(random, 200), size=50)
    assert watch.add(sample(random, 49)) == [] and watch.last is None
    assert not watch.add(sample(random, 1))[0].drifted
    outcomes = watch.add(sample(random, 120, "similarity"))
    assert [o.drifted for o in outcomes] == [True, True]
    assert (watch.tested, watch.alarms, len(watch.waiting)) == (3, 2, 20)
    assert watch.last is not None and watch.last["drifted"]


def test_every_picture_counts_once(monkeypatch):
    random = np.random.default_rng(2)
    seen: list[tuple[str, ...]] = []
    real = report.compare_signals

    def compare(then, now, rate, seed):
        seen.extend(now.answers)
        return real(then, now, rate, seed)

    monkeypatch.setattr(module, "compare_signals", compare)
    watch, stream = Windows(sample(random, 60), size=30), sample(random, 100)
    for start in range(0, 100, 7):
        watch.add(stream.take(range(start, min(start + 7, 100))))
    assert seen == list(stream.answers or [])[:90]


def test_it_goes_on_after_a_restart():
    random = np.random.default_rng(3)
    reference, stream = sample(random, 100), sample(random, 70, "confidence")
    watch = Windows(reference, size=50)
    watch.add(stream)
    again = Windows(reference, size=50)
    again.go_on(json.loads(json.dumps(watch.to_json())))
    assert (again.tested, again.alarms, len(again.waiting)) == (1, watch.alarms, 20)
    assert again.last == watch.last
    with pytest.raises(KeyError):
        again.go_on({"waiting": {}})
    assert again.tested == 1  # a damaged record changes nothing


def test_a_rate_that_cannot_be_held_is_refused():
    with pytest.raises(QueryError, match=r"0\.005 to 0\.5"):
        Windows(sample(np.random.default_rng(0), 30), rate=0.0)
