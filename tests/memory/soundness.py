"""What holds of every memory, whatever was written to it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from ravl.encoders import Encoder
from ravl.encoders.base import SIDES, Side
from ravl.errors import PictureError
from ravl.memory import Memory
from ravl.store.collection import Collection
from ravl.store.space import Space, space_encoder
from tests.helpers import ColourEncoder, database_of
from tests.training.painted import Scrambled


def is_sound(memory: Memory) -> None:
    """Each row has the vectors of its own texts and picture, and is found by its own words."""
    connection = database_of(memory).connection
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    space, encoder = memory.store.spaces.current(), memory.encoder
    rows = {row.number: row for row in memory.rows()}
    assert memory.store.vectors.missing(space.number) == []
    assert set(memory.vectors().keys.tolist()) == {n for n, row in rows.items() if row.hash}
    assert set(memory.vectors("text_vectors").rows.tolist()) == {
        n for n, r in rows.items() if r.texts
    }
    assert {n for (n,) in connection.execute("SELECT rowid FROM keywords")} == set(rows)
    for number, row in rows.items():
        vectors = memory.store.vectors.read_texts(number)
        np.testing.assert_allclose(vectors, encoder.embed_texts(row.texts), atol=2e-3)
        if row.hash is not None:
            vector = memory.store.vectors.read("vectors", [number])[number]
            with suppress(PictureError):  # a file that was replaced, and not indexed since
                shown = encoder.embed_pictures([memory.picture(row, encoder.picture_size)])[0]
                np.testing.assert_allclose(vector, shown, atol=2e-3)
        for text in row.texts:
            found = memory.store.words.search(text, len(rows))
            assert number in [each for each, _ in found]


def find_colour_encoder(self: Collection, space: Space, sides: Sequence[Side] = SIDES) -> Encoder:
    """The encoder of a space, known by its turn, or trained on top of a known one.

    In place of ``Collection._find_encoder``.
    """
    for encoder in (*map(ColourEncoder, range(4)), Scrambled()):
        if encoder.is_compatible(space.fingerprint):
            return encoder
    state = self.store.spaces.encoder_state(space.number)
    return space_encoder(space, state, Scrambled(), "The memory")
