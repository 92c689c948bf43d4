"""A donor: what another memory has looked at is not looked at again."""

from __future__ import annotations

import numpy as np
import pytest

from ravl.memory import Memory
from tests.helpers import ColourEncoder, draw, make_pictures


@pytest.fixture
def folder(memory, tmp_path):
    """The sixteen pictures that the memory has, and four more."""
    make_pictures(tmp_path / "pictures", 20)
    return tmp_path / "pictures"


def test_nothing_is_encoded_twice(memory, folder, tmp_path):
    eye = ColourEncoder()
    with Memory.create(tmp_path / "new.ravl", eye) as new:
        eye.looked = 0
        report = new.index(folder, reuse_from=memory, progress=False)
        assert (report.added, report.encoded, eye.looked) == (20, 4, 4)
        assert new.info().without_vector == 0
        again = new.index(folder, reuse_from=memory, progress=False)
        assert (again.unchanged, again.encoded, eye.looked) == (20, 0, 4)
    with Memory.create(tmp_path / "alone.ravl", eye) as alone:
        eye.looked = 0
        assert alone.index(folder, progress=False).encoded == eye.looked == 20


def test_what_is_given_is_what_a_look_would_find(memory, folder, tmp_path):
    with (
        Memory.create(tmp_path / "new.ravl", ColourEncoder()) as new,
        Memory.create(tmp_path / "alone.ravl", ColourEncoder()) as alone,
    ):
        new.index(folder, reuse_from=memory, progress=False)
        alone.index(folder, progress=False)
        one, other = new.vectors(), alone.vectors()
        np.testing.assert_allclose(one.matrix, other.matrix, atol=2e-3)
        facts = [
            [(r.id, r.hash, r.phash, r.width, r.height, r.duplicate_of) for r in m]
            for m in (new, alone)
        ]
        assert facts[0] == facts[1]
        assert all(row.texts == () for row in new)  # what is said of them is not taken over


def test_names_do_not_matter_but_content_does(memory, tmp_path):
    eye = ColourEncoder()
    (tmp_path / "other").mkdir()
    draw(0, "red").save(tmp_path / "other" / "blue.png")  # the memory's red_000.png
    draw(99, "red").save(tmp_path / "other" / "red_000.png")
    with Memory.create(tmp_path / "new.ravl", eye) as new:
        eye.looked = 0
        report = new.index(tmp_path / "other", reuse_from=memory, progress=False)
        assert (report.encoded, eye.looked) == (1, 1)
        expected = ColourEncoder().embed_pictures([draw(0, "red"), draw(99, "red")])
        for id, vector in zip(("blue.png", "red_000.png"), expected, strict=True):
            vectors = new.vectors()
            found = vectors.matrix[list(vectors.keys).index(new.get(id).number)]
            np.testing.assert_allclose(found, vector, atol=2e-3)


def test_the_donor_is_not_changed(memory, folder, tmp_path):
    before = [(row, memory.history(row.id)) for row in memory]
    with Memory.create(tmp_path / "new.ravl", ColourEncoder()) as new:
        new.index(folder, reuse_from=memory, progress=False)
    assert [(row, memory.history(row.id)) for row in memory] == before
