from __future__ import annotations

import json

import pytest

from ravl.errors import RowNotFoundError
from ravl.forgetting import forget, learned_from
from ravl.refitting import refit
from tests.refitting.shop import fitted, grow


def test_who_has_learned_from_it(run, shop, tmp_path):
    other = fitted(shop, tmp_path / "other", model="vote")
    grow(shop, ("red", "purple"), 16, 300)
    split = json.loads((run / "split.json").read_text())
    ids = [split["train"][0], split["test"][0]]
    refit(run, shop, promote="always")
    found = learned_from(shop, ids, [run, other])
    assert [each.folder for each in found] == [
        str(place) for place in (run, run / "history" / "1", run / "history" / "2", other)
    ]
    assert {tuple(each.learned) for each in found} == {(ids[0],)}
    assert {tuple(each.judged) for each in found} == {(ids[1],)}
    assert found[0].remedy == f"ravl refit {run} --promote always"
    assert found[1].remedy == f"Delete {run / 'history' / '1'}, once another version answers."
    late = next(row.id for row in shop if row.label == "purple")
    assert str(run / "history" / "1") not in [
        each.folder for each in learned_from(shop, [late], [run])
    ]
    with pytest.raises(RowNotFoundError):
        forget(shop, [*ids, "nobody"], [run])
    assert ids[0] in shop
    forget(shop, ids, [run])
    assert ids[0] not in shop and ids[1] not in shop
    report = refit(run, shop, promote="always")
    assert report.news["gone"] == 1 and report.state == "promoted"
    assert ids[0] not in json.loads((run / "split.json").read_text())["train"]
