from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ravl.encoders.trained import TrainedEncoder
from ravl.errors import DataError
from ravl.memory import Memory
from ravl.models.reader import Reader
from ravl.models.stacking import fit_stack
from ravl.models.tokenizer import WordPieceTokenizer
from ravl.runs.row_texts import TextTargets
from ravl.runs.run import open_run
from ravl.tasks.match import fusion as match_fusion
from ravl.tasks.match.dataset import MatchFitData
from ravl.tasks.match.evaluate import evaluate_match
from ravl.tasks.match.files import load_match_predictor
from ravl.tasks.match.levels import best_threshold, fit_dual, fit_unseen, fit_vote, out_of_fold
from ravl.tasks.match.model import MatchPipeline
from ravl.tasks.match.task import MatchTask
from ravl.training.fit_report import FitReport
from ravl.training.fit_settings import FitSettings
from ravl.training.language_model import words_of
from tests.helpers import ColourEncoder, random_head
from tests.tasks.match.test_dataset import ground_of
from tests.training.painted import TEST, VALIDATION, Scrambled, paint
from tests.training.tiny_bert import tiny_bert


def fitted(memory: Memory, out: Path, **changes: Any) -> FitReport:
    options: dict[str, Any] = {"model": "linear", "epochs": 2, "batch_size": 8, **changes}
    report: FitReport = MatchTask().fit(
        memory, out, FitSettings(**options), validation=VALIDATION, test=TEST, progress=False
    )
    return report


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a memory, a run of each kind, and a language model."""
    folder = tmp_path_factory.mktemp("match")
    bert = str(tiny_bert(folder / "bert"))
    with Memory.create(folder / "painted.ravl", Scrambled()) as memory:
        memory.add(paint(folder / "pictures", 80))
        fitted(memory, folder / "linear")
        fitted(
            memory,
            folder / "fusion",
            model="fusion",
            language_model=bert,
            tune_language_model="full",
            learning_rate=3e-3,
        )
    return folder


@pytest.fixture
def memory(made: Path) -> Iterator[Memory]:
    with Memory.open(made / "painted.ravl", Scrambled()) as opened:
        yield opened


def figures(made: Path, run: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((made / run / "metrics.json").read_text())
    return found


def test_a_run_says_what_each_row_is_worth(made: Path) -> None:
    metrics = figures(made, "linear")
    rows = metrics["rows"]
    assert list(rows) == ["zero_shot", "vote", "no_retrieval", "with_retrieval"]
    assert {"AUC", "accuracy", "average_precision", "log_loss", "ECE"} == set(rows["vote"])
    assert rows["zero_shot"]["AUC"]["value"] < 0.7  # it cannot read these texts
    assert rows["vote"]["AUC"]["value"] > 0.75
    assert rows["no_retrieval"]["AUC"]["value"] > 0.75
    assert rows["with_retrieval"]["AUC"]["value"] > 0.8
    assert set(metrics["retrieval"]) == {"retrieval_on", "retrieval_off", "retrieval_shuffled"}
    assert "with_retrieval - no_retrieval" in metrics["differences"]
    shuffled = metrics["differences"]["retrieval_on - retrieval_shuffled"]["AUC"]
    assert shuffled["value"] > 0


def test_a_run_of_the_fusion_level_compares_it_with_one_that_read_nothing(made: Path) -> None:
    metrics = figures(made, "fusion")
    assert {"fusion", "fusion alone", "fusion_off", "fusion_off alone"} < set(metrics["levels"])
    assert metrics["rows"]["no_retrieval"] == metrics["levels"]["fusion_off alone"]
    assert "fusion - fusion_off" in metrics["differences"]
    assert set(metrics["curves"]) == {"dual", "fusion", "fusion_off"}


@pytest.mark.parametrize("run", ["linear", "fusion"])
def test_the_report_shows_texts_and_evidence(made: Path, run: str) -> None:
    page = (made / run / "report.html").read_text()
    assert "neighbours" in page and "does not fit" in page
    assert "shuffled" in page and "Platt" in page
    assert "data:image" in page
    names = {p.name for p in (made / run).iterdir()}
    assert {"run.json", "metrics.json", "settings.yaml", "split.json"} < names
    assert "work" not in names


@pytest.mark.parametrize("run", ["linear", "fusion"])
def test_what_is_loaded_answers_as_what_was_judged(made: Path, run: str, memory: Memory) -> None:
    model = MatchPipeline(open_run(made / run), memory)
    rows = [memory.get(f"{i:03d}.png") for i in range(6)]
    pictures = [row.path for row in rows if row.path is not None]
    texts = [row.texts[0] for row in rows]
    first = model.predict(pictures, texts)
    again = MatchPipeline(open_run(made / run), memory).predict(pictures, texts)
    assert [a.to_json() for a in first] == [a.to_json() for a in again]
    scores = model.scores(pictures, texts)
    np.testing.assert_allclose(np.diag(scores), [a.score for a in first], atol=1e-5)


def test_the_same_seed_gives_the_same_run(made: Path, memory: Memory, tmp_path: Path) -> None:
    fitted(memory, tmp_path / "again")
    again = json.loads((tmp_path / "again" / "metrics.json").read_text())
    assert again["rows"] == figures(made, "linear")["rows"]


def test_an_untrained_fusion_model_answers_as_the_dual_encoder(memory: Memory, made: Path) -> None:
    data = ground_of(memory, language_model=str(made / "bert"), num_evidence=3)
    dual = replace(fit_vote(data), picture_head=random_head(48), text_head=random_head(48))
    model = match_fusion._new(data, dual, 3)
    words = words_of(model, str(made / "bert"), 6)
    level = replace(dual, reader=Reader(model), words=words)
    side = data.validation
    signals = level.from_model(side.asked, side.clues.neighbours, level.evidence(data.row_texts))
    np.testing.assert_allclose(signals["fusion"], 0, atol=1e-5)
    logits = fit_stack(signals, ("dual",), side.targets).logits(signals)
    base = Reader(model).base(signals["dual"][:, None])[:, 0]
    np.testing.assert_allclose(base, logits, atol=1e-4)


def test_the_fusion_model_looks_at_the_text_and_at_the_evidence(made: Path, memory: Memory) -> None:
    model = MatchPipeline(open_run(made / "fusion"), memory)
    predictor = model.match_predictor
    assert predictor.reader is not None
    with torch.no_grad():  # two epochs do not move it far
        predictor.reader.model.out.weight.normal_()
    row = memory.get("003.png")
    assert row.path is not None
    before = model.predict(row.path, row.texts[0])[0]
    near = next(e.row for e in before.evidence if e.row.id != row.id)
    memory.update(near.id, texts=("purple and yellow number 77",))
    try:
        after = model.predict(row.path, row.texts[0])[0]
        assert after.signals["dual"] == pytest.approx(before.signals["dual"])
        assert after.signals["fusion"] != pytest.approx(before.signals["fusion"], abs=1e-4)
        hidden = model.predict(row.path, row.texts[0], retrieval=False)[0]
        assert hidden.signals["fusion"] != pytest.approx(after.signals["fusion"], abs=1e-4)
        other = model.predict(row.path, "black below white number 3", retrieval=False)[0]
        assert other.signals["fusion"] != pytest.approx(hidden.signals["fusion"], abs=1e-4)
    finally:
        memory.update(near.id, texts=near.texts)


def test_the_loss_prefers_the_right_text(made: Path) -> None:
    class Fixed(torch.nn.Module):
        def __init__(self, logits: list[float]) -> None:
            super().__init__()
            self.logits = torch.tensor(logits)[:, None]

        def forward(self, *_: Any) -> Any:
            return self

    def loss(logits: list[float], there: list[list[bool]]) -> float:
        model = match_fusion.PairModel(Fixed(logits))  # type: ignore[arg-type]
        nothing = torch.zeros(0)
        return float(model(nothing, nothing, nothing, torch.tensor(there))["loss"])

    all_there = [[True] * 3]
    assert loss([3.0, -3.0, -3.0], all_there) < loss([0.0, 0.0, 0.0], all_there)
    assert loss([0.0, 0.0, 0.0], all_there) < loss([-3.0, 3.0, 3.0], all_there)
    lonely = [[True, False, False]]
    assert loss([1.0, 50.0, 50.0], lonely) == loss([1.0, -50.0, 0.0], lonely)


@pytest.mark.slow  # of labels: tests/tasks/labels/test_fit.py
def test_auto_keeps_the_simplest_of_equals(memory: Memory, made: Path, tmp_path: Path) -> None:
    report = fitted(
        memory,
        tmp_path / "auto",
        model="auto",
        language_model=str(made / "bert"),
        tune_language_model="head",
        epochs=1,
        learning_rate=1e-7,
    )
    scores = report.metrics["validation"]
    assert list(scores) == ["linear", "vote", "fusion"]
    assert report.chosen != "fusion"  # it has learned nothing that the dual encoder had not
    assert not (tmp_path / "auto" / "fusion").exists()


def test_a_vision_tower_is_not_trained(memory: Memory, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="match leaves the vision tower as it is"):
        fitted(memory, tmp_path / "run", tune_vision="top:1")
    assert not (tmp_path / "run").exists()


def test_a_table_is_remembered_and_its_test_pictures_are_not(tmp_path: Path) -> None:
    examples = paint(tmp_path / "pictures", 60)
    lines = [
        {
            "image": str(e.picture),
            "captions": list(e.texts),
            "split": "test" if i % 4 == 0 else "train",
        }
        for i, e in enumerate(examples)
    ]
    table = tmp_path / "pictures" / "captions.jsonl"
    table.write_text(
        "\n".join(json.dumps({**line, "image": Path(str(line["image"])).name}) for line in lines)
    )
    with Memory.create(tmp_path / "m.ravl", Scrambled()) as memory:
        memory.add(paint(tmp_path / "more", 10, first=200))
        report = MatchTask().fit(
            memory, tmp_path / "run", FitSettings(model="vote"), data=table, progress=False
        )
        split = json.loads((tmp_path / "run" / "split.json").read_text())
        known = {row.path.name for row in memory.rows() if row.path}
        assert {Path(i).name for i in split["train"]} <= known
        assert not {Path(i).name for i in split["test"]} & known
        assert any("new or changed" in note for note in report.notes)
        model = MatchPipeline(open_run(tmp_path / "run"), memory)
        judged = evaluate_match(model, table, progress=False)
    assert judged["pictures"] == 60
    assert judged["rows"]["with_retrieval"]["AUC"]["value"] > 0.7


def test_a_table_with_false_pairs_is_refused(tmp_path: Path) -> None:
    examples = paint(tmp_path / "pictures", 12)
    lines = [
        {"image": e.picture.name, "caption": e.texts[0], "match": int(i % 3 > 0)}
        for i, e in enumerate(examples)
        if isinstance(e.picture, Path)
    ]
    table = tmp_path / "pictures" / "pairs.jsonl"
    table.write_text("\n".join(map(json.dumps, lines)))
    with Memory.create(tmp_path / "m.ravl", ColourEncoder()) as memory:
        with pytest.raises(DataError, match="says of 4 rows that their text does not fit"):
            MatchTask().fit(memory, tmp_path / "run", FitSettings(), data=table, progress=False)
        assert len(memory) == 0
    assert not (tmp_path / "run").exists()  # so that it can be asked for in other words


def test_a_run_judges_pictures_of_the_memory_without_themselves(made: Path, memory: Memory) -> None:
    model = MatchPipeline(open_run(made / "linear"), memory)
    judged = evaluate_match(model, TEST)
    rows = judged["rows"]
    assert set(rows) == {"with_retrieval", "no_retrieval", "vote"}
    assert rows["vote"]["AUC"]["value"] < 0.99  # it would find each picture's own text
    assert set(judged["differences"]) == {"with_retrieval - no_retrieval", "with_retrieval - vote"}
    with pytest.raises(DataError, match="it takes two"):
        evaluate_match(model, 'id = "003.png"')


def test_a_trained_retriever_does_not_change_the_ground(memory: Memory) -> None:
    before = ground_of(memory)
    trained = TrainedEncoder(memory.encoder, random_head(48), random_head(48, 1), 0.5, 0.5)
    memory.reembed(trained, progress=False)
    try:
        after = ground_of(memory)
        np.testing.assert_allclose(after.row_texts.vectors, before.row_texts.vectors, atol=2e-3)
        np.testing.assert_allclose(after.vectors, before.vectors, atol=2e-3)
        assert after.base.spec == before.base.spec
    finally:
        memory.reembed(trained.base, progress=False)


def test_a_text_in_another_language_is_set_aside(tmp_path: Path) -> None:
    examples = paint(tmp_path / "pictures", 30)
    examples[0] = replace(examples[0], texts=("红色和蓝色",))
    examples[1] = replace(examples[1], texts=(*examples[1].texts, "绿色"))
    with Memory.create(tmp_path / "m.ravl", English()) as memory:
        memory.add(examples)
        report = MatchTask().fit(
            memory, tmp_path / "run", FitSettings(model="vote"), progress=False
        )
        assert any(note.startswith("2 texts are set aside") for note in report.notes)
        model = MatchPipeline(open_run(tmp_path / "run"), memory)
        picture = examples[0].picture
        assert picture is not None
        unread, read = model.predict(picture, ["红色", "red and blue"], abstain=0.9)
        assert not unread.to_json()["read"] and unread.abstained
        assert read.to_json()["read"]
        assert "does not read" in str(unread)
        row_texts = {text for _, text in zip(range(99), model._row_texts()[0].texts, strict=False)}
        assert not {"红色和蓝色", "绿色"} & row_texts


class English(ColourEncoder):
    spec = "english"

    def supports_language(self, text: str) -> bool:
        return text.isascii()


def test_pairs_of_a_picture_are_in_one_fold(memory: Memory) -> None:
    side = ground_of(memory).validation
    # A score that knows the pictures: only who has seen a picture could use it.
    truth = np.where(side.targets == 1, 1.0, 0.0).astype(np.float32)
    found = out_of_fold({"truth": truth}, ("truth",), side, 0)
    assert ((found > 0.5) == (side.targets == 1)).all()
    assert best_threshold(found, side.targets) == 0.5


def test_heads_are_trained_once_and_found_again(memory: Memory, tmp_path: Path) -> None:
    data: MatchFitData = ground_of(memory)
    vote = fit_vote(data)
    first, curve, seconds, count = fit_dual(data, vote, tmp_path, False)
    again, same, took, _ = fit_dual(data, vote, tmp_path, False)  # as after an interruption
    assert (curve, seconds) == (same, took)
    assert count > 48 * 256
    a, b = (m.from_model(data.test.asked)["dual"] for m in (first, again))
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_heads_that_have_not_seen_a_picture_are_less_sure_of_it(
    memory: Memory, tmp_path: Path
) -> None:
    data = ground_of(memory)
    dual = fit_dual(data, fit_vote(data), tmp_path, False)[0]
    unseen = fit_unseen(data, dual, tmp_path, False)
    train, pairs = data.splits.train, data.pairs
    assert set(unseen.fold.tolist()) == {0, 1}
    assert dual.picture_head is not None and dual.text_head is not None
    first = np.searchsorted(pairs.owners, train)  # the first text of each
    own = np.einsum("nd,nd->n", unseen.seen, unseen.read[unseen.fold, pairs.which[first]])
    known = (
        dual.picture_head(pairs.features[train]) * dual.text_head(data.vectors)[pairs.which[first]]
    )
    assert own.mean() < known.sum(1).mean() - 0.02


def test_words_fit_the_language_model(made: Path, tmp_path: Path) -> None:
    words = WordPieceTokenizer.load(made / "bert", 4)
    short, long, strange = words(["red", "red and blue and green", "\ud800 æ"])
    assert (len(short), len(long)) == (1, 4)
    assert len(strange) >= 1
    words.save(tmp_path / "again")
    np.testing.assert_array_equal(
        WordPieceTokenizer.load(tmp_path / "again", 4)(["red and blue"])[0],
        words(["red and blue"])[0],
    )


def test_a_task_takes_its_text_from_a_column(tmp_path: Path) -> None:
    examples = [
        replace(e, texts=(), columns={**e.columns, "title": e.texts[0]})
        for e in paint(tmp_path / "pictures", 30)
    ]
    with Memory.create(tmp_path / "m.ravl", Scrambled()) as memory:
        memory.add(examples)
        fitted(memory, tmp_path / "run", model="vote", column="title")
        predictor = load_match_predictor(open_run(tmp_path / "run"))
        assert predictor.task == TextTargets("title")
        model = MatchPipeline(open_run(tmp_path / "run"), memory)
        picture, title = examples[3].picture, examples[3].columns["title"]
        assert picture is not None
        answer = model.predict(picture, str(title))[0]
    assert answer.evidence[0].says
