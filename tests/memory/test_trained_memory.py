"""A memory whose encoder is a trained one: its heads are kept in the memory's file."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ravl.cli import main
from ravl.encoders import load_encoder
from ravl.encoders.trained import TrainedEncoder
from ravl.errors import EncoderError, EncoderMismatchError
from ravl.memory import Memory
from tests.encoders import tiny
from tests.helpers import ColourEncoder, database_of, make_examples, trained_on


class Stops(ColourEncoder):
    """Is interrupted after nine pictures."""

    batch_size = 2

    def features(self, prepared):
        if self.looked >= 9:
            raise KeyboardInterrupt
        return super().features(prepared)


def kept_parts(memory: Memory) -> int:
    found = database_of(memory).connection.execute("SELECT count(*) FROM encoder_parts")
    return int(found.fetchone()[0])


def check_vectors(memory: Memory) -> None:
    """All vectors are those that the memory's encoder computes."""
    pictures = [memory.picture(row, hint=memory.encoder.picture_size) for row in memory]
    fresh = memory.encoder.embed_pictures(pictures)
    np.testing.assert_allclose(memory.vectors().matrix, fresh, atol=2e-3)
    texts = memory.encoder.embed_texts([t for row in memory for t in row.texts])
    np.testing.assert_allclose(memory.vectors("text_vectors").matrix, texts, atol=2e-3)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """The folder of a training run whose base is a tiny CLIP; copy it before changing it."""
    folder: Path = tmp_path_factory.mktemp("run")
    model = tiny.make("clip", folder / "model")
    trained_on(load_encoder(f"hf:{model}"), hidden=4).save(folder / "encoder")
    return folder


@pytest.fixture
def trained(memory: Memory) -> Memory:
    """The memory of 16 rows, after it was given trained heads on its ColourEncoder."""
    memory.reembed(trained_on(ColourEncoder()))
    return memory


@pytest.mark.parametrize("how", ["created", "reembedded"])
def test_the_file_is_all_that_is_needed(run, tmp_path, how):
    mine = Path(shutil.copytree(run / "encoder", tmp_path / "run" / "encoder")).parent
    first = f"run:{mine}" if how == "created" else f"hf:{run / 'model'}"
    examples = make_examples(tmp_path / "pictures")
    with Memory.create(tmp_path / "shop.ravl", first) as memory:
        memory.add(examples[:12])
        if how == "reembedded":
            assert memory.reembed(f"run:{mine}").reused == 12
        spec = memory.encoder.spec
        before = memory.search("a red picture", k=12, mode="dense")
    (tmp_path / "else").mkdir()
    moved = shutil.move(tmp_path / "shop.ravl", tmp_path / "else" / "moved.ravl")
    shutil.rmtree(mine)
    with Memory.open(moved) as memory:
        assert memory.info().encoder == memory.encoder.spec == spec
        assert spec.startswith("trained:")
        assert memory.info().dimension == 32 + tiny.DIMENSION
        hits = memory.search("a red picture", k=12, mode="dense")
        assert [(h.id, h.score) for h in hits] == [(h.id, h.score) for h in before]
        assert memory.search(image=examples[3].picture, k=1)[0].id == examples[3].id
        assert memory.add(examples).added == 4  # and indexing goes on
        assert memory.info().without_vector == 0


def test_to_trained_heads_and_back_no_picture_is_decoded_again(memory, tmp_path):
    base = ColourEncoder()
    aside = (tmp_path / "pictures").rename(tmp_path / "aside")  # so that it cannot
    report = memory.reembed(trained_on(base))
    assert (report.rows, report.reused, report.rejected) == (16, 16, [])
    assert base.looked == 2  # the probes of two fingerprints
    assert memory.vectors().matrix.shape == (16, 32 + 48)
    assert memory.search("a red picture", k=1)[0].row.label == "red"
    assert kept_parts(memory) == 2
    assert memory.reembed(trained_on(ColourEncoder(), seed=1, share=1.0)).reused == 16
    assert memory.vectors().matrix.shape == (16, 32)
    assert kept_parts(memory) == 2
    report = memory.reembed(ColourEncoder())
    assert (report.rows, report.reused) == (16, 16)
    assert kept_parts(memory) == 0
    aside.rename(tmp_path / "pictures")
    check_vectors(memory)


def test_from_another_network_pictures_are_decoded(memory):
    report = memory.reembed(trained_on(ColourEncoder(mirror=True)))
    assert (report.rows, report.reused) == (16, 0)
    check_vectors(memory)


def test_the_same_heads_cost_nothing_and_others_do(trained):
    assert trained.reembed(trained_on(ColourEncoder())).rows == 0
    assert trained.reembed(trained_on(ColourEncoder(), share=0.4999)).rows == 16


def test_rows_added_later_go_through_the_heads(trained, tmp_path):
    trained.add(make_examples(tmp_path / "more", 24)[16:])
    trained.update("red_000.png", texts=["a crimson picture"])
    assert len(trained) == 24
    check_vectors(trained)


def test_going_on_after_an_interruption_does_only_what_is_left(memory):
    with pytest.raises(KeyboardInterrupt):
        memory.reembed(trained_on(Stops(mirror=True)))
    assert memory.search("a red picture", k=1)[0].row.label == "red"
    assert kept_parts(memory) == 2  # of the space being built
    with Memory.open(memory.path, ColourEncoder()) as again:
        report = again.reembed(trained_on(ColourEncoder(mirror=True)))
        assert 0 < report.rows < 16
        assert kept_parts(again) == 2
        check_vectors(again)


def test_other_heads_start_anew(memory):
    with pytest.raises(KeyboardInterrupt):
        memory.reembed(trained_on(Stops(mirror=True)))
    assert memory.reembed(trained_on(ColourEncoder(mirror=True), seed=1)).rows == 16
    assert kept_parts(memory) == 2
    check_vectors(memory)


def test_opened_with_the_base_it_takes_the_heads_from_the_file(trained):
    trained.close()
    with Memory.open(trained.path, ColourEncoder()) as memory:
        assert isinstance(memory.encoder, TrainedEncoder)
        check_vectors(memory)
    with Memory.open(trained.path, trained_on(ColourEncoder())) as memory:
        assert memory.search("a red picture", k=1)[0].row.label == "red"
    with pytest.raises(EncoderMismatchError, match="belong to the base encoder 'colour'"):
        Memory.open(trained.path, ColourEncoder(mirror=True))
    with pytest.raises(EncoderMismatchError, match="--encoder run:FOLDER, the folder of its"):
        Memory.open(trained.path, trained_on(ColourEncoder(), seed=1))


def test_a_base_that_cannot_be_loaded_is_named(trained):
    trained.close()
    with Memory.open(trained.path) as memory:
        with pytest.raises(EncoderError, match="The base 'colour' of the trained encoder"):
            memory.search("red")
        assert memory.search("number 3", k=1, mode="keyword")[0].row.label == "yellow"


def test_merging_asks_for_the_same_heads(trained, tmp_path):
    examples = make_examples(tmp_path / "more", 24)[16:]
    for seed in (0, 1):
        path = tmp_path / f"other{seed}.ravl"
        with Memory.create(path, trained_on(ColourEncoder(), seed=seed)) as other:
            other.add(examples)
    with (
        Memory.open(tmp_path / "other1.ravl", ColourEncoder()) as other,
        pytest.raises(EncoderMismatchError, match="ravl reembed .* run:FOLDER, the folder of"),
    ):
        trained.merge(other)
    assert len(trained) == 16
    with Memory.open(tmp_path / "other0.ravl") as other:  # it needs no network
        assert trained.merge(other).added == 8
    check_vectors(trained)


def test_on_the_command_line(run, tmp_path, capsys):
    file = tmp_path / "shop.ravl"
    with Memory.create(file, f"hf:{run / 'model'}") as memory:
        memory.add(make_examples(tmp_path / "pictures"))

    def ravl(*arguments: object) -> str:
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        assert not ended.value.code
        return str(capsys.readouterr().out)

    reembed = ("reembed", file, "--encoder", f"run:{run}")
    assert "16 rows embedded with run:" in ravl(*reembed)
    assert "already has the vectors" in ravl(*reembed)
    assert "trained:" in ravl("info", file)
    found = ravl("search", file, "--image", tmp_path / "pictures" / "blue_002.png", "-k", 1)
    assert "blue_002.png" in found
