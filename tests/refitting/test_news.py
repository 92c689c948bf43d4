from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from ravl.errors import DataError
from ravl.refitting.champion import Champion
from ravl.refitting.memory_changes import _replayed, examples, read_news
from ravl.tasks.model import Model
from ravl.training.refit_plan import HELD
from tests.helpers import ColourEncoder
from tests.labelled import shades, table
from tests.refitting.shop import fitted, grow, relabel


def news_of(memory, run, tmp_path, replay=0, newest=0.2):
    with Model(run, memory) as model:
        champion = Champion.of(model)
        with examples(champion, tmp_path / "work") as source:
            return read_news(champion, source, replay=replay, newest=newest)


def hashes(news, part):
    return {news.examples.rows[i].hash for i in part}


def test_nothing_is_new_at_first(run, shop, tmp_path):
    news = news_of(shop, run, tmp_path)
    split = json.loads((run / "split.json").read_text())
    assert news.count == 0
    for name in ("train", "validation", "test"):
        assert hashes(news, getattr(news.splits, name)) == set(split["hashes"][name])


def test_new_changed_and_gone(run, shop, tmp_path):
    split = json.loads((run / "split.json").read_text())
    before = news_of(shop, run, tmp_path)
    grow(shop, ("purple", "red"), 20, 200)
    shop.update(split["train"][0], label="odd")
    shop.update(split["train"][1], texts=["another text, the same label"])
    shop.delete([split["train"][2]])
    news = news_of(shop, run, tmp_path)
    assert (len(news.fresh), len(news.changed), len(news.gone)) == (20, 1, 1)
    assert news.counts == {"purple": 10, "red": 10}
    assert news.gone == [split["hashes"]["train"][2]]
    assert news.digest != before.digest == before.digest
    parts = [news.splits.train, news.splits.validation, news.splits.test]
    assert len(np.unique(np.concatenate(parts))) == 48 - 1 + 20
    assert 2 <= len(news.newest) <= 6
    assert set(news.newest) <= set(news.fresh)
    assert hashes(news, news.frozen) == set(split["hashes"]["test"])
    assert set(news.splits.test) == set(news.frozen) | set(news.newest)
    assert not set(news.splits.train) & set(news.splits.test)


def test_a_renamed_test_picture_is_not_learned_from(run, shop, tmp_path):
    id = json.loads((run / "split.json").read_text())["test"][0]
    row = shop.get(id)
    other = tmp_path / "elsewhere" / "another.png"
    other.parent.mkdir()
    shutil.copy(row.path, other)
    shop.delete([id])
    shop.add([type(row.example())("another", other, label=row.label)])
    news = news_of(shop, run, tmp_path)
    assert news.count == 0
    assert row.hash in hashes(news, news.frozen)


def test_a_near_duplicate_of_a_test_picture_is_left_out(shop, tmp_path):
    from PIL import Image

    run = fitted(shop, tmp_path / "run")
    row = shop.get(json.loads((run / "split.json").read_text())["test"][0])
    copy = tmp_path / "copy.png"
    picture = Image.open(row.path).convert("RGB")
    picture.putpixel((3, 3), (1, 2, 3))
    picture.save(copy)
    shop.add([type(row.example())("copy", copy, label=row.label)])
    news = news_of(shop, run, tmp_path)
    assert news.count == 0
    assert "copy" in [news.examples.rows[i].id for i in news.splits.left_out]


def test_of_two_equal_calls_the_parts_are_equal(run, shop, tmp_path):
    grow(shop, ("purple", "red", "blue"), 30, 200)
    assert news_of(shop, run, tmp_path).digest == news_of(shop, run, tmp_path).digest


def test_replay_is_even_over_the_labels(run, shop, tmp_path):
    grow(shop, ("purple",), 10, 200)
    news = news_of(shop, run, tmp_path, replay=8)
    old = np.setdiff1d(news.splits.train, news.fresh)
    labels = [news.examples.rows[i].label for i in old]
    assert sorted(labels) == sorted(["red", "green", "blue", "yellow"] * 2)
    few = _replayed(np.arange(10), ["a"] * 8 + ["b"] * 2, 6, 0)
    assert [(few < 8).sum(), (few >= 8).sum()] == [4, 2]


@pytest.mark.parametrize("remember", [True, False])
def test_a_run_of_a_table_keeps_what_it_held_out(shop, tmp_path, remember):
    file = table(tmp_path / "labels.csv", shades(tmp_path / "others", 40, first=400))
    run = fitted(shop, tmp_path / "run", data=file, add_to_memory=remember)
    split = json.loads((run / "split.json").read_text())
    from ravl.memory import Memory

    with Memory.open(run / HELD, ColourEncoder()) as held:
        kept = {row.hash for row in held}
    parts = ("validation", "test") if remember else ("train", "validation", "test")
    assert kept == {hash for part in parts for hash in split["hashes"][part]}
    news = news_of(shop, run, tmp_path)
    assert news.count == 0, "what the memory knew before, and the table did not name, stays out"
    assert hashes(news, news.frozen) == set(split["hashes"]["test"])
    grow(shop, ("purple",), 10, 600)
    news = news_of(shop, run, tmp_path)
    assert news.counts == {"purple": 10}
    assert hashes(news, news.splits.train) > set(split["hashes"]["train"])
    if remember:
        shop.delete([row.id for row in shop if row.hash == split["hashes"]["train"][0]])
        assert news_of(shop, run, tmp_path).gone == [split["hashes"]["train"][0]]


def test_runs_of_an_older_ravl(run, shop, tmp_path):
    split = json.loads((run / "split.json").read_text())
    hashes_then = split.pop("hashes")
    (run / "split.json").write_text(json.dumps(split))
    news = news_of(shop, run, tmp_path)
    assert news.count == 0
    assert hashes(news, news.frozen) == set(hashes_then["test"])
    names = ("train", "validation", "test")
    of_table = {name: [f"{name}/{id}" for id in split[name]] for name in names}
    (run / "split.json").write_text(json.dumps(of_table))
    with pytest.raises(DataError, match="by an older ravl, which did not keep the pictures"):
        news_of(shop, run, tmp_path)


def test_what_cannot_be_told(run, shop, tmp_path):
    split = json.loads((run / "split.json").read_text())
    shop.delete(split["test"])
    with pytest.raises(DataError, match="No picture of the test split"):
        news_of(shop, run, tmp_path)
    (run / "split.json").unlink()
    with pytest.raises(DataError, match="missing or damaged"):
        news_of(shop, run, tmp_path)


def test_relabelled_rows_are_changed_once(run, shop, tmp_path):
    relabel(shop, 1)
    news = news_of(shop, run, tmp_path)
    assert len(news.changed) == len(news.splits.train)
    relabel(shop, 3)
    assert news_of(shop, run, tmp_path).count == 0, "back where they were"
