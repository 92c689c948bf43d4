from __future__ import annotations

import threading

import numpy as np
import pytest

from ravl.errors import EncoderMismatchError
from ravl.memory import Memory
from tests.helpers import ColourEncoder, database_of, draw


def fresh_vectors(memory: Memory, encoder: ColourEncoder) -> np.ndarray:
    pictures = [memory.picture(row, hint=encoder.picture_size) for row in memory]
    return encoder.embed_pictures(pictures)


def test_gives_the_vectors_of_the_new_encoder(memory):
    new = ColourEncoder(mirror=True)
    report = memory.reembed(new)
    assert (report.rows, report.reused, report.rejected) == (16, 0, [])
    np.testing.assert_allclose(memory.vectors().matrix, fresh_vectors(memory, new), atol=1e-3)
    assert memory.info().without_vector == 0
    memory.close()
    with pytest.raises(EncoderMismatchError):
        Memory.open(memory.path, ColourEncoder())
    with Memory.open(memory.path, new) as again:
        assert again.search("a red picture", k=1)[0].row.label == "red"
        assert again.info().without_vector == 0


def test_same_network_decodes_no_picture_again(memory, tmp_path):
    for path in (tmp_path / "pictures").iterdir():
        path.unlink()  # so that it cannot
    new = ColourEncoder(turn=7)
    report = memory.reembed(new)
    assert (report.rows, report.reused, report.rejected) == (16, 16, [])
    assert new.looked == 1  # the fingerprint's probe
    assert memory.search("a red picture", k=1)[0].row.label == "red"
    assert memory.reembed(ColourEncoder(turn=9)).reused == 16  # the features moved along


def test_the_same_encoder_costs_nothing(memory):
    assert memory.reembed(ColourEncoder()).rows == 0


def test_pictures_that_are_gone_are_set_aside(memory, tmp_path):
    (tmp_path / "pictures" / "red_000.png").unlink()
    report = memory.reembed(ColourEncoder(mirror=True))
    assert [r.place.endswith("red_000.png") for r in report.rejected] == [True]
    assert memory.info().without_vector == 1
    assert len(memory) == 16
    assert "red_000.png" in [h.id for h in memory.search("number 0", mode="keyword")]
    assert memory.quarantine()[0].place.endswith("red_000.png")


def test_readers_keep_the_old_space_until_the_end_and_changes_are_not_lost(memory):
    found: list[object] = []
    other = Memory.open(memory.path, ColourEncoder())

    class Nosy(ColourEncoder):
        def features(self, prepared):
            if found or not prepared or self.looked < 1:
                return super().features(prepared)
            found.append(other.search("a blue picture", k=1)[0].row.label)
            other.update("red_000.png", texts=["a crimson picture"])
            other.delete(["green_001.png"])
            return super().features(prepared)

    memory.reembed(Nosy(mirror=True))
    assert found == ["blue"]
    assert len(memory) == 15
    assert memory.get("red_000.png").texts == ("a crimson picture",)
    assert len(memory.vectors().keys) == 15
    assert len(memory.vectors("text_vectors").keys) == 29
    with pytest.raises(EncoderMismatchError):  # its own encoder is no longer the memory's
        other.search(image=draw(1, "blue"))
    assert other.search("a blue picture", k=1)[0].row.label == "blue"  # texts are read as before
    other.close()


def test_going_on_does_only_what_is_left(memory):
    class Stops(ColourEncoder):
        batch_size = 2

        def features(self, prepared):
            if self.looked >= 9:
                raise KeyboardInterrupt
            return super().features(prepared)

    with pytest.raises(KeyboardInterrupt):
        memory.reembed(Stops(mirror=True))
    assert memory.search("a red picture", k=1)[0].row.label == "red"
    report = memory.reembed(ColourEncoder(mirror=True))
    assert 0 < report.rows < 16


def test_another_encoder_starts_anew(memory):
    class Stops(ColourEncoder):
        batch_size = 2

        def features(self, prepared):
            if self.looked >= 9:
                raise KeyboardInterrupt
            return super().features(prepared)

    with pytest.raises(KeyboardInterrupt):
        memory.reembed(Stops(mirror=True))
    assert memory.reembed(ColourEncoder(turn=3)).rows == 16
    tables = database_of(memory).connection.execute(
        "SELECT count(*) FROM sqlite_master WHERE name LIKE 'vectors_%'"
    )
    assert tables.fetchone() == (1,)


def test_threads_search_while_their_own_memory_is_reembedded(memory):
    stop = threading.Event()
    failed: list[Exception] = []

    def search():
        while not stop.is_set():
            try:
                assert len(memory.search("red", k=3)) == 3
            except Exception as error:
                failed.append(error)
                return

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for mirror in (True, False, True, False):
        memory.reembed(ColourEncoder(mirror=mirror))
    stop.set()
    for thread in threads:
        thread.join()
    assert failed == []
