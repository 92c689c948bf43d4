"""Fitted runs at work: answers, evidence, and a memory that changes meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ravl.data import Example
from ravl.errors import DataError, PictureError, QueryError
from ravl.memory import Memory
from ravl.runs.answers import Classification, Tagging
from ravl.tasks.model import load
from tests.helpers import ColourEncoder, database_of, draw
from tests.labelled import random_picture, shades

COLOURS = ("red", "green", "blue", "yellow")
TASKS = {
    "vote": "classify",
    "linear": "classify",
    "fusion": "classify",
    "tags": "tag",
    "tagvote": "tag",
}


@pytest.fixture
def shop(fitted) -> Iterator[Memory]:
    with Memory.open(fitted / "shop.ravl", ColourEncoder()) as memory:
        yield memory


@pytest.fixture
def new(tmp_path) -> list[Path]:
    """Pictures that no memory has seen."""
    (tmp_path / "new").mkdir()
    paths = [tmp_path / "new" / f"{i}.png" for i in range(8)]
    for i, path in enumerate(paths):
        draw(5000 + i, COLOURS[i % 4], (48, 32)).save(path)
    return paths


def answers(folder, name, memory, pictures, **how):
    return getattr(load(folder / name, memory), TASKS[name])(pictures, **how)


@pytest.mark.parametrize("name", ["vote", "linear", "fusion"])
def test_new_pictures_get_their_label(fitted, shop, new, name):
    found = answers(fitted, name, shop, new)
    assert all(isinstance(a, Classification) for a in found)
    assert np.mean([a.label == COLOURS[i % 4] for i, a in enumerate(found)]) >= 0.75
    for answer in found:
        assert answer.confidence == pytest.approx(max(answer.scores.values()))
        assert answer.scores[answer.label] == answer.confidence
        assert sum(answer.scores.values()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", ["tags", "tagvote"])
def test_new_pictures_get_their_tags(fitted, shop, new, name):
    found = answers(fitted, name, shop, new)
    assert all(isinstance(a, Tagging) and "drawn" in a.tags for a in found)
    warm = np.mean(
        [("warm" in a.tags) == (COLOURS[i % 4] in ("red", "yellow")) for i, a in enumerate(found)]
    )
    assert warm >= 0.75


@pytest.mark.parametrize("name", TASKS)
def test_shares_of_the_evidence_sum_to_the_gate(fitted, shop, new, name):
    for how in ({}, {"k": 3}, {"vote_only": True}):
        for answer in answers(fitted, name, shop, new, **how):
            shares = [e.share for e in answer.evidence]
            assert sum(shares) == pytest.approx(answer.gate, abs=1e-3)
            assert shares == sorted(shares, reverse=True)
            assert 0 <= answer.gate <= 1
            assert len(answer.evidence) == len({e.id for e in answer.evidence})
            if "k" in how:
                assert len(answer.evidence) == 3
            if "vote_only" in how:
                assert answer.gate == 1
                assert not answer.model
        assert all(e.says for a in answers(fitted, name, shop, new[:2]) for e in a.evidence)


@pytest.mark.parametrize("name", TASKS)
def test_lists_in_lists_out(fitted, shop, new, name):
    together = answers(fitted, name, shop, new)
    for i in (0, 3):
        alone = answers(fitted, name, shop, new[i])
        assert not isinstance(alone, list)
        assert alone.scores == pytest.approx(together[i].scores, abs=1e-4)
    assert answers(fitted, name, shop, []) == []
    assert len(answers(fitted, name, shop, (p for p in new[:2]))) == 2


def test_pictures_as_paths_bytes_and_pil(fitted, shop, new):
    kinds = [str(new[0]), new[0], new[0].read_bytes(), Image.open(new[0])]
    found = answers(fitted, "linear", shop, kinds)
    for answer in found[1:]:
        assert answer.scores == pytest.approx(found[0].scores, abs=1e-5)


def test_the_model_alone(fitted, shop, new):
    for name in ("linear", "fusion", "tags"):
        for answer in answers(fitted, name, shop, new[:3], retrieval=False):
            assert answer.gate == 0
            assert answer.evidence == ()
            assert not answer.memory
            assert answer.scores == answer.model
    with pytest.raises(DataError, match="only the neighbours' vote answers"):
        answers(fitted, "vote", shop, new, retrieval=False)


def test_neighbours_change_what_the_fusion_model_says(fitted, shop, new):
    """Its own part of the answer, not only the vote."""
    model = load(fitted / "fusion", shop)
    queries = model.predictor.look(new)
    said = model.predictor._testimony()
    predictor = said.predictor
    near = predictor.neighbours(queries, said.labels)
    with_near = predictor.logits(queries, near, said.evidence)
    without = predictor.logits(queries)
    assert np.abs(with_near - without).max() > 1e-4


def test_abstaining(fitted, shop, new):
    strange = [random_picture(i) for i in range(20)]
    for name in ("linear", "tags"):
        found = answers(fitted, name, shop, [*new, *strange], abstain=0.3)
        loose = answers(fitted, name, shop, [*new, *strange], abstain=0.9)
        assert not any(a.abstained for a in answers(fitted, name, shop, [*new, *strange]))
        assert sum(a.abstained for a in found) >= sum(a.abstained for a in loose)
    strict = answers(fitted, "linear", shop, [*new, *strange], abstain=0.001)
    assert all(a.abstained and a.label for a in strict)  # so few examples promise nothing
    assert "(abstains)" in str(strict[0])
    with pytest.raises(DataError, match="The risk is 2; it must lie between 0 and 1"):
        answers(fitted, "linear", shop, new, abstain=2)


@pytest.mark.parametrize("name", TASKS)
def test_k_beyond_the_memory(fitted, shop, new, name):
    found = answers(fitted, name, shop, new[:2], k=5000)
    assert len(found[0].evidence) == 48
    shop.delete([row.id for row in shop][3:])
    few = answers(fitted, name, shop, new[:2], k=50)
    assert len(few[0].evidence) == 3
    assert sum(e.share for e in few[0].evidence) == pytest.approx(few[0].gate, abs=1e-3)


def test_an_empty_memory_is_a_sentence(fitted, shop, new):
    model = load(fitted / "linear", shop)
    shop.delete([row.id for row in shop])
    with pytest.raises(DataError, match="holds no picture. Bring some in first"):
        model.classify(new)
    assert model.classify(new[0], retrieval=False).label  # the model needs none


def test_a_memory_without_any_label_leaves_the_model(fitted, shop, new, tmp_path):
    shop.delete([row.id for row in shop])
    shop.add([Example(f"n{i}", random_picture(i)) for i in range(4)])
    for name in ("linear", "fusion", "tags"):
        for answer in answers(fitted, name, shop, new[:2]):
            assert answer.gate == 0
            assert answer.scores == pytest.approx(answer.model, abs=1e-5)
    for answer in answers(fitted, "vote", shop, new[:2]):
        assert answer.gate == 0
        assert answer.evidence == ()


@pytest.mark.parametrize("name", ["vote", "linear", "fusion"])
def test_a_new_label_is_answered_once_it_is_there_and_not_after(fitted, shop, tmp_path, name):
    """The memory is followed by a model that stays loaded."""
    model = load(fitted / name, shop)
    query = draw(7777, "purple", (48, 32))
    before = model.classify(query)
    assert "purple" not in model.predictor.labels
    some = shades(tmp_path / "more", 12, ("purple",), first=300)
    shop.add(some)
    assert "purple" in model.predictor.labels
    after = model.classify(query)
    assert after.label == "purple"
    assert after.evidence[0].says == ("purple",)
    of_vote = 1 - model.predictor.label_predictor.means_weight  # class means name no rows
    shares = sum(e.share for e in after.evidence)
    assert shares == pytest.approx(after.gate * of_vote, abs=1e-3)
    shop.delete([e.id for e in some])
    again = model.classify(query)
    assert again.scores == pytest.approx(before.scores, abs=1e-5)


def test_a_new_tag_is_answered_once_it_is_there(fitted, shop, tmp_path):
    model = load(fitted / "tags", shop)
    query = draw(7777, "purple", (48, 32))
    assert "odd" not in model.tag(query).scores
    for e in (some := shades(tmp_path / "more", 40, ("purple",), first=300)):
        shop.add([Example(e.id, e.picture, tags=("odd",))])
    assert "odd" in model.tag(query).tags
    shop.delete([e.id for e in some])
    assert "odd" not in model.tag(query).scores


def test_an_updated_label_counts(fitted, shop, new):
    model = load(fitted / "vote", shop)
    assert model.classify(new[0]).label == "red"
    for row in list(shop.rows("label = 'red'")):
        shop.update(row.id, label="crimson")
    assert model.classify(new[0]).label == "crimson"


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"k": 0}, "k is 0; it must be at least 1"),
        ({"retrieval": False, "vote_only": True}, "Without retrieval there is no vote"),
    ],
)
def test_what_cannot_be_asked(fitted, shop, new, how, says):
    with pytest.raises(QueryError, match=says):
        answers(fitted, "linear", shop, new, **how)


def test_pictures_that_cannot_be_read(fitted, shop, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"none")
    for picture in (tmp_path / "broken.png", tmp_path / "gone.png", b"nothing"):
        with pytest.raises(PictureError):
            answers(fitted, "linear", shop, picture)


@pytest.mark.parametrize("name", ["vote", "fusion", "tags"])
def test_one_broken_picture_of_many(fitted, shop, new, tmp_path, name):
    """The error says which one it is before a network runs, or stands in its place."""
    broken = [new[0], tmp_path / "gone.png", *new[1:4], b"none"]
    shop.encoder.looked = 0
    with pytest.raises(PictureError, match=r"^Picture 2 of 6: .*gone\.png does not exist"):
        answers(fitted, name, shop, broken)
    assert shop.encoder.looked == 0
    found = answers(fitted, name, shop, broken, return_exceptions=True)
    assert [i for i, a in enumerate(found) if isinstance(a, PictureError)] == [1, 5]
    assert str(found[1]).endswith("gone.png does not exist. Check the path.")
    sound = [a for a in found if not isinstance(a, PictureError)]
    expected = answers(fitted, name, shop, new[:4])
    assert [str(a) for a in sound] == [str(a) for a in expected]
    assert [type(a) for a in answers(fitted, name, shop, [b"none"], return_exceptions=True)] == [
        PictureError
    ]
    with pytest.raises(PictureError):
        answers(fitted, name, shop, b"none", return_exceptions=True)
    with pytest.raises(QueryError):
        answers(fitted, name, shop, broken, return_exceptions=True, k=0)


def test_a_run_answers_its_own_task_alone(fitted, shop, new):
    with pytest.raises(QueryError, match="was fitted for classify, not for tag. Use ravl classify"):
        load(fitted / "linear", shop).tag(new)
    with pytest.raises(QueryError, match="was fitted for tag, not for classify. Use ravl tag"):
        load(fitted / "tags", shop).classify(new)


def test_a_given_memory_stays_open(fitted, shop, new):
    with load(fitted / "linear", shop) as model:
        model.classify(new[0])
    assert shop.search("a red thing", k=1)


def test_without_labels_and_texts_of_neighbours_it_still_answers(fitted, shop, new):
    with database_of(shop).transaction() as connection:
        connection.execute("UPDATE rows SET texts = '[]'")
    assert len(answers(fitted, "fusion", shop, new)) == 8
