from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ravl
from ravl.data import Example
from ravl.errors import DataError, EncoderError
from ravl.evaluation.generation.quality import Quality, QualityBar
from ravl.memory import Memory
from ravl.models.generation.base import Decoding
from ravl.models.generation.vocabulary import END, PAD
from ravl.retrieval.datastore import Neighbours, SimilarityFloor
from ravl.runs.run import open_run
from ravl.tasks.caption.batches import TextBatches, TrainingExamples, _without
from ravl.tasks.caption.dataset import TextFitData, texts_of
from ravl.tasks.caption.evaluate import evaluate_texts
from ravl.tasks.caption.evaluate_test import misleading_neighbours, random_neighbours
from ravl.tasks.caption.files import load_text_predictor
from ravl.tasks.caption.fit import TextRecipe
from ravl.tasks.caption.generator import untrained
from ravl.tasks.caption.model import CaptionPipeline
from ravl.tasks.caption.reward import SAMPLES, OwnTexts
from ravl.tasks.caption.settings import CaptionSettings
from ravl.tasks.caption.targets import CaptionTargets
from ravl.tasks.caption.task import CaptionTask
from ravl.tasks.caption.writing_task import CAPTION
from ravl.training.engine import open_data
from ravl.training.fit_report import FitReport
from ravl.training.neighbour_noise import EpochSampler, RetrievalNoise
from tests.helpers import ColourEncoder
from tests.tasks.caption.coloured import coloured
from tests.training.tiny_bert import tiny_bert

HELD: dict[str, Any] = {"validation": "part = 'validation'", "test": "part = 'test'"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A memory, a language model, and a fitted run."""
    made = tmp_path_factory.mktemp("caption")
    tiny_bert(made / "bert")
    with Memory.create(made / "m.ravl", ColourEncoder()) as memory:
        memory.add(coloured(made / "pictures"))
        fitted(memory, made, "run", model="generator")
    return made


@pytest.fixture
def memory(folder: Path) -> Iterator[Memory]:
    with Memory.open(folder / "m.ravl", ColourEncoder()) as opened:
        yield opened


def settings_of(folder: Path, **changes: Any) -> CaptionSettings:
    options: dict[str, Any] = {
        "epochs": 2,
        "batch_size": 16,
        "learning_rate": 3e-3,
        "language_model": str(folder / "bert"),
        "layers": 1,
        "words": 300,
        "num_beams": 2,
        "reward_epochs": 1,
        "num_evidence": 2,
        "k": 8,
        "precision": "full",
        **changes,
    }
    return CaptionSettings(**options)


def fitted(memory: Memory, folder: Path, name: str, **changes: Any) -> FitReport:
    report: FitReport = CaptionTask().fit(
        memory, folder / name, settings_of(folder, **changes), **HELD, progress=False
    )
    return report


@pytest.fixture
def data(memory: Memory, folder: Path, tmp_path: Path) -> Iterator[TextFitData]:
    with open_data(TextRecipe(CAPTION, memory, settings_of(folder)), tmp_path, **HELD) as (made, _):
        yield made


def test_the_report_has_the_four_rows(folder: Path) -> None:
    told = json.loads((folder / "run" / "metrics.json").read_text("utf-8"))
    assert list(told["rows"]) == ["zero_shot", "vote", "no_retrieval", "with_retrieval"]
    for row in told["rows"].values():
        assert set(row["CIDEr-D"]) == {"value", "low", "high"}
    assert {"retrieval_on", "retrieval_off", "retrieval_shuffled", "retrieval_misleading"} == set(
        told["retrieval"]
    )
    assert "with_retrieval - no_retrieval" in told["differences"]
    assert len(told["curves"]["generator"]) == 3  # two epochs, and one of reward
    page = (folder / "run" / "report.html").read_text("utf-8")
    assert "memory alone" in page
    assert "data:image" in page


def test_neighbours_of_the_right_colour_help(folder: Path) -> None:
    told = json.loads((folder / "run" / "metrics.json").read_text("utf-8"))
    rows = {name: row["CIDEr-D"]["value"] for name, row in told["rows"].items()}
    assert rows["vote"] > rows["zero_shot"]
    assert rows["with_retrieval"] > rows["no_retrieval"]


def test_a_loaded_run_answers_as_it_was_judged(folder: Path, memory: Memory) -> None:
    predictor = CaptionPipeline(memory, open_run(folder / "run"))
    assert predictor.has_generator
    again = evaluate_texts(predictor, "part = 'test'")
    told = json.loads((folder / "run" / "metrics.json").read_text("utf-8"))
    # The judged run had only the training split as evidence; here others than its own are there.
    assert again["pictures"] == 24
    assert (
        again["rows"]["with_retrieval"]["CIDEr-D"]["value"]
        >= 0.3 * (told["rows"]["with_retrieval"]["CIDEr-D"]["value"])
    )
    assert set(again["rows"]) == {"with_retrieval", "no_retrieval", "vote"}


def test_the_run_describes_new_pictures(folder: Path, memory: Memory) -> None:
    model = ravl.load(folder / "run", memory)
    answers = model.caption([folder / "pictures" / "000.png", folder / "pictures" / "001.png"])
    assert len(answers) == 2
    assert all(0 <= a.confidence <= 1 for a in answers)
    one = model.caption(
        folder / "pictures" / "000.png", abstain=0.5, how=Decoding(num_return_sequences=2)
    )
    assert one.text == answers[0].text
    alone = model.caption(folder / "pictures" / "000.png", retrieval=False)
    assert alone.gate == 0


def test_vote_alone_trains_nothing(folder: Path, memory: Memory) -> None:
    report = fitted(memory, folder, "vote", model="vote")
    assert report.chosen == "vote"
    assert not (folder / "vote" / "generator").exists()
    answer = CaptionPipeline(memory, open_run(folder / "vote")).predict(
        [folder / "pictures" / "003.png"], abstain=0.9
    )
    assert answer[0].text
    assert answer[0].parts


def test_a_run_of_before_answers_with_whole_texts(folder: Path, memory: Memory) -> None:
    run = open_run(folder / "run")
    assert load_text_predictor(run, CaptionTargets()).composes
    record = {name: value for name, value in run.record.items() if name != "composes"}
    model = CaptionPipeline(memory, replace(run, record=record))
    (found,) = model.predict([folder / "pictures" / "003.png"], vote_only=True)
    assert not found.written
    assert not found.parts


def test_a_column_is_written_as_it_is(folder: Path, memory: Memory) -> None:
    report = fitted(
        memory,
        folder,
        "code",
        target="code",
        model="generator",
        reward_epochs=0,
        compare="hidden",
        epochs=1,
    )
    assert report.metrics["rows"]["vote"]["CIDEr-D"]["value"] > 0
    (answer,) = CaptionPipeline(memory, open_run(folder / "code")).predict(
        [folder / "pictures" / "000.png"], vote_only=True
    )
    assert json.loads(answer.text)["colour"]


def test_a_schema_makes_all_texts_valid(folder: Path, memory: Memory) -> None:
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "blue", "green"]}},
        "required": ["colour"],
        "additionalProperties": False,
    }
    (folder / "schema.json").write_text(json.dumps(schema))
    report = fitted(
        memory,
        folder,
        "valid",
        target="code",
        model="generator",
        reward_epochs=0,
        compare="hidden",
        epochs=1,
        schema=str(folder / "schema.json"),
    )
    rows = report.metrics["rows"]
    assert rows["no_retrieval"]["valid"]["value"] == 1
    assert rows["with_retrieval"]["valid"]["value"] == 1
    assert rows["zero_shot"]["valid"]["value"] == 0


def test_interrupted_it_goes_on(
    folder: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ravl.tasks.caption import fit

    def killed(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fit, "judge", killed)
        with pytest.raises(KeyboardInterrupt):
            fitted(memory, folder, "again", epochs=1, reward_epochs=0, compare="hidden")
    assert (folder / "again" / "work" / "generator").is_dir()
    with pytest.raises(DataError, match="other settings"):
        fitted(memory, folder, "again", epochs=2)
    fitted(memory, folder, "again", epochs=1, reward_epochs=0, compare="hidden")
    assert not (folder / "again" / "work").exists()


def test_no_training_picture_sees_itself(data: TextFitData) -> None:
    numbers = data.datastore.numbers
    for i, row in enumerate(data.train.examples.rows):
        found = data.train.neighbours.positions[i]
        assert row.number not in numbers[found[found >= 0]]
    held = {r.number for r in data.test.examples.rows + data.validation.examples.rows}
    assert not held & set(numbers.tolist())


def test_a_batch_has_all_texts_of_its_pictures(data: TextFitData) -> None:
    torch.manual_seed(0)
    generator = untrained(data, retrieval=True)
    batch = batches_of(data, generator).__getitems__([0, 1, 2])
    assert batch["owners"].tolist() == [0, 0, 1, 1, 2, 2]
    texts = [generator.vocabulary.text(ids) for ids in batch["ids"]]
    assert texts == [t for its in data.train.texts[:3] for t in its]
    assert batch["prior"].shape == (3, len(generator.vocabulary))
    loss = generator.model(**batch)["loss"]
    assert torch.isfinite(loss)


def test_without_neighbours_nothing_is_heard(data: TextFitData) -> None:
    generator = untrained(data, retrieval=True)
    how = RetrievalNoise(dropout=1.0)
    batch = batches_of(data, generator, how).__getitems__([0, 1])
    assert not batch["neighbours"]["picture"].any()
    assert float(batch["prior"].abs().sum()) == 0


def test_own_texts_are_worth_what_they_are_better_than_others(data: TextFitData) -> None:
    torch.manual_seed(0)
    generator = untrained(data, retrieval=True)
    order = EpochSampler(np.arange(len(data.train)), 0)
    own = OwnTexts(
        batches_of(data, generator),
        data.train.texts,
        generator,
        Quality.of(data.train.texts),
        0,
        order,
    )
    batch = own.__getitems__([0, 1])
    assert len(batch["ids"]) == 2 * SAMPLES == len(batch["worth"])
    assert batch["worth"].view(2, SAMPLES).sum(1).abs().max() < 1e-4
    for ids in batch["ids"].tolist():
        if END in ids:
            assert set(ids[ids.index(END) + 1 :]) <= {PAD}
    again = own.__getitems__([0, 1])
    assert torch.equal(batch["ids"], again["ids"])  # a resumed run draws the same


def test_wrong_neighbours_are_others(data: TextFitData) -> None:
    side = data.test
    assert not np.array_equal(misleading_neighbours(side).positions, side.neighbours.positions)
    found = random_neighbours(data, side)
    assert ((found.positions >= 0) & (found.positions < len(data.datastore))).all()
    keys = data.keys(side.examples.features)
    np.testing.assert_allclose(  # a stranger does not claim to be a neighbour
        found.similarity, data.datastore.similarity(keys, found.positions), atol=1e-5
    )
    assert (np.diff(found.similarity, axis=1) <= 0).all()


def test_a_generator_is_not_shown_what_is_alike_by_chance(
    data: TextFitData, folder: Path, memory: Memory
) -> None:
    predictor = load_text_predictor(open_run(folder / "run"), data.task)
    usual = predictor.usual
    assert usual is not None
    assert usual.together == pytest.approx(
        SimilarityFloor.of(data.train.neighbours).together, abs=1e-5
    )
    near = random_neighbours(data, data.test)
    believed = predictor.above_floor(near)
    assert believed.found.sum() < near.found.sum()
    alone = believed.found & (near.mean_similarity < usual.together)[:, None]
    assert (believed.similarity[alone] >= usual.single).all()
    assert predictor.above_floor(near, vote_only=True) is near  # nobody else could answer


def test_strangers_neighbours_are_shown_as_noise(data: TextFitData) -> None:
    generator = untrained(data, retrieval=True)
    quiet = batches_of(data, generator, RetrievalNoise(dropout=0, noise=0))
    noisy = batches_of(data, generator, RetrievalNoise(dropout=0, noise=1))
    positions = list(range(12))
    own, others = quiet.__getitems__(positions), noisy.__getitems__(positions)
    assert not torch.equal(own["prior"] > 0, others["prior"] > 0)
    assert torch.equal(own["features"], others["features"])


def test_a_stranger_may_not_show_the_example_itself() -> None:
    near = Neighbours(np.array([[3, 4], [3, 4]]), np.array([[0.9, 0.8]] * 2, np.float32))
    own = [np.array([3]), np.array([3])]
    kept = _without(near, own, np.array([True, False]))
    assert kept.positions.tolist() == [[-1, 4], [3, 4]]
    assert kept.similarity[0, 0] == 0


def test_what_is_good_comes_from_people() -> None:
    texts = [["a red dog", "a red dog runs"], ["a blue cat", "one blue cat"], ["x y", "z"]]
    good = QualityBar.of(Quality.of(texts), texts)
    assert good.least > 0
    assert "weakest quarter" in good.words
    alone = QualityBar.of(Quality.of([["a"]]), [["a"]])
    assert alone.least == 1.0


def test_captions_are_tidied_and_columns_are_not(memory: Memory) -> None:
    from dataclasses import replace

    from ravl.tasks.caption.targets import CaptionTargets

    row = replace(
        memory.get("000.png"),
        texts=("A dog  runs .", "Wait , what ?"),
        columns={"code": "f( x ) ."},
    )
    assert texts_of(CaptionTargets(), row) == ["A dog runs.", "Wait, what?"]
    assert texts_of(CaptionTargets("code"), row) == ["f( x ) ."]


def test_a_memory_without_captions_cannot_be_fitted(folder: Path, tmp_path: Path) -> None:
    with Memory.create(tmp_path / "silent.ravl", ColourEncoder()) as silent:
        rows = [Example(e.id, e.picture, label="x") for e in coloured(tmp_path / "p", 16)]
        silent.add(rows)
        with pytest.raises(DataError, match="has a caption"):
            CaptionTask().fit(silent, tmp_path / "run", settings_of(folder), progress=False)
    assert not (tmp_path / "run").exists()


def test_a_language_model_that_is_not_there_is_a_sentence(folder: Path, memory: Memory) -> None:
    with pytest.raises(EncoderError, match="does not exist"):
        fitted(memory, folder, "nowhere", language_model=str(folder / "nobody"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"k": 0}, "k is 0"),
        ({"num_beams": 0}, "num_beams is 0"),
        ({"layers": 0}, "layers is 0"),
        ({"words": 10}, "words is 10"),
        ({"generator": "gpt"}, "generator is 'gpt'"),
        ({"target_risk": 1.0}, "target_risk is 1.0"),
        ({"tune_language_model": "some"}, "some"),
    ],
)
def test_settings_that_make_no_sense(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        CaptionSettings(**changes)


def batches_of(data: TextFitData, generator: Any, how: RetrievalNoise | None = None) -> TextBatches:
    lesson = TrainingExamples.of(
        data,
        data.train,
        generator.vocabulary,
        generator.max_new_tokens,
        True,
        data.recalled(data.train),
    )
    order = EpochSampler(np.arange(len(data.train)), 0)
    return TextBatches(lesson, generator.words, 2, 0, how or RetrievalNoise(), order, 0)


def test_settings_of_captions_can_be_searched(folder: Path, memory: Memory, tmp_path: Path) -> None:
    from ravl.tuning.tune import tune

    report = tune(
        "caption", memory, out=tmp_path / "tuned", trials=2, model="vote", progress=False, **HELD
    )
    assert report.measure == "CIDEr-D"
    assert {t.state for t in report.trials} == {"complete"}
    assert report.judged().startswith("CIDEr-D ")
    assert (tmp_path / "tuned" / "best" / "run.json").is_file()


def test_generated_texts_speak_but_do_not_judge(folder: Path, tmp_path: Path) -> None:
    from ravl.runs.generated import CAPTION

    with Memory.create(tmp_path / "half.ravl", ColourEncoder()) as half:
        half.add(coloured(tmp_path / "pictures"))
        rows = list(half.rows("part = 'train'"))
        for row in rows[16:]:  # most training pictures have only a generated text
            half.update(row.id, texts=())
        half.update_columns({r.id: {CAPTION: r.texts[1]} for r in rows[16:]}, "augment")
        report = fitted(half, tmp_path, "run", model="vote", use_generated=True)
        levels = report.metrics["levels"]
        assert levels["vote"]["CIDEr-D"]["value"] > levels["vote_human"]["CIDEr-D"]["value"]
        assert "vote - vote_human" in report.metrics["differences"]
        split = json.loads((tmp_path / "run" / "split.json").read_text("utf-8"))
        assert len(split["train"]) == 16
        predictor = CaptionPipeline(half, open_run(tmp_path / "run"))
        assert predictor.task.generated


def test_the_dual_encoder_is_kept_with_the_run(folder: Path, memory: Memory) -> None:
    record = json.loads((folder / "run" / "run.json").read_text("utf-8"))
    assert record["choosers"]["chooser"][-1] == "fits"
    assert set(record["powers"]) == {"picture", "text"}
    predictor = CaptionPipeline(memory, open_run(folder / "run"))
    (answer,) = predictor.predict([folder / "pictures" / "000.png"])
    assert -1 <= answer.signals["fits"] <= 1


def test_a_memory_with_another_encoder_is_refused(folder: Path, tmp_path: Path) -> None:
    from ravl.errors import EncoderMismatchError

    with Memory.create(tmp_path / "other.ravl", ColourEncoder(mirror=True)) as other:
        other.add(coloured(tmp_path / "pictures", 8))
        with pytest.raises(EncoderMismatchError, match="ravl fit caption"):
            CaptionPipeline(other, open_run(folder / "run"))


def test_regions_are_read_in_training_and_after(folder: Path, memory: Memory) -> None:
    fitted(
        memory,
        folder,
        "closer",
        model="generator",
        regions=2,
        epochs=1,
        reward_epochs=1,
        compare="hidden",
    )
    pipeline = CaptionPipeline(memory, open_run(folder / "closer"))
    predictor, _ = pipeline._ready()
    assert predictor.regions is not None
    assert predictor.regions.count == predictor.generator.regions == 4
    pictures = [folder / "pictures" / f"00{i}.png" for i in range(3)]
    together = [a.text for a in pipeline.predict(pictures)]
    assert together == [pipeline.predict([p])[0].text for p in pictures]
    judged = evaluate_texts(pipeline, "part = 'test'")
    assert judged["rows"]["with_retrieval"]["CIDEr-D"]["value"] >= 0
