"""What a fit found, as the report's page, as JSON, and as the table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ravl.evaluation import (
    confidences,
    confusion,
    per_label,
    text_report,
)
from ravl.evaluation.reports import LabelScore
from ravl.json_types import JsonRecord
from ravl.pages.fit_report import (
    Answer,
    CalibrationChart,
    Confusion,
    Curves,
    EvidenceItem,
    ExampleGroup,
    FitPage,
    LabelLine,
    ReportExample,
    ScoreTable,
    fit_report,
)
from ravl.tasks.labels.choose import Fitted
from ravl.tasks.labels.dataset import FitData
from ravl.tasks.labels.evaluate_test import TestResults, given, right
from ravl.tasks.registry import task as described_by
from ravl.training.fit_report import FitReport
from ravl.training.report_parts import (
    LEVELS,
    RETRIEVAL,
    calibration_chart,
    changed_by_retrieval,
    counts_of,
    curves_of,
    fit_lines,
    gallery,
    level_of,
    score_table,
    thumbnail,
)
from ravl.training.report_rows import ROWS
from ravl.training.run_record import risk_summary

if TYPE_CHECKING:
    from ravl.tasks.labels.keys.gain import Gain
    from ravl.tasks.labels.learning_curve import LearningCurve

TITLES = {
    "zero_shot": ("zero-shot", "pretrained, knows only the names; no memory"),
    "vote": ("neighbour vote", "the memory alone, nothing trained"),
    "vote_human": ("vote of people's labels", "without what ravl augment wrote"),
    "no_retrieval": ("fine-tuned, no retrieval", "the model alone"),
    "with_retrieval": ("fine-tuned, with retrieval", "model and memory, mixed by the gate"),
    "retrieval_on": ("retrieval on", "the run as it answers"),
    "retrieval_off": ("retrieval off", "the same model, shown no neighbours"),
    "retrieval_shuffled": ("retrieval shuffled", "the same model, shown random rows"),
    "linear alone": ("linear head", "on frozen features"),
    "linear": ("linear head + memory", "mixed by the gate"),
    "fusion_off alone": ("fusion, trained without", "the language model reads no neighbours"),
    "fusion_off": ("fusion without + memory", "mixed by the gate"),
    "fusion alone": ("fusion, neighbours hidden", "trained with them"),
    "fusion": ("fusion + memory", "the language model reads the neighbours; mixed by the gate"),
}
OF_ASK = {
    "zero_shot": ("zero-shot", "pretrained: known answers that are like picture and question"),
    "question_only": ("question only", "the same linear head, shown no picture"),
    "vote": ("neighbour vote", "answered questions of the memory alone, nothing trained"),
    "linear alone": ("linear head", "on frozen features of picture and question"),
}
SHOWN = 3  # measures in a terminal
EXAMPLES = 6  # of each group
NEIGHBOURS = 6  # of each example


def titles(data: FitData) -> Mapping[str, tuple[str, str]]:
    """Names of the rows, and what each is."""
    return TITLES | OF_ASK if data.task.asks else TITLES


def abstention(data: FitData, fitted: Fitted, judged: TestResults) -> dict[str, float] | None:
    """What the run does at the risk of its settings: the share that it answers, and errors in it.

    Of tags those that are given are answers. None where nothing was calibrated.
    """
    predictor, risk = fitted.levels[fitted.chosen], data.settings.target_risk
    if predictor.calibration is None:
        return None
    limit = predictor.calibration.threshold(risk)
    found, truth = judged.wide("with_retrieval"), judged.truth
    if data.task.exclusive:
        return risk_summary(found.max(1), found.argmax(1) == truth, limit, risk)
    return risk_summary(found, truth > 0, limit, risk, found >= predictor.limits(judged.names))


def rows_table(data: FitData, judged: TestResults, fitted: Fitted) -> ScoreTable:
    """The four rows."""
    task = data.task
    caption = f"{task.name}: {len(data.test):,} test {task.unit}s, {len(judged.names):,} names"
    note = f"The run keeps the level {fitted.chosen!r}. 95 % intervals."
    pairs = (
        ("with_retrieval", "no_retrieval"),
        ("with_retrieval", "vote"),
        ("no_retrieval", "question_only"),
        ("no_retrieval", "zero_shot"),
    )
    return _table(data, judged, caption, note, ROWS, pairs)


def page_of(
    data: FitData,
    fitted: Fitted,
    judged: TestResults,
    report: FitReport,
    command: str,
    gain: Gain | None = None,
    curve: LearningCurve | None = None,
) -> str:
    """The whole report as HTML.

    Args:
        data: that was fitted on.
        fitted: what was fitted.
        judged: the test split.
        report: for the terminal.
        command: that started the fit.
        gain: that of a retriever trained with the task.
        curve: scores by number of pictures.
    """
    kind, described = data.task.output_kind, described_by(data.task.name)
    thresholds = judged.thresholds["with_retrieval"]
    tables = [
        _table(
            data,
            judged,
            "All levels",
            "What each adds to the one above it.",
            LEVELS,
            (("fusion", "fusion_off"), ("vote", "vote_human")),
        ),
        _table(
            data,
            judged,
            "Retrieval on, off and shuffled",
            "Good neighbours should help, none should cost little, wrong ones not much more.",
            RETRIEVAL,
            (("retrieval_on", "retrieval_off"), ("retrieval_on", "retrieval_shuffled")),
        ),
    ]
    if gain is not None and (table := gain.table(described)) is not None:
        tables.append(table)
    if data.second is not None:
        tables.append(data.second.table(described))
    page = FitPage(
        title=f"ravl: {data.task.name}, what retrieval gained",
        about=_about(data, fitted, report, command),
        rows=report.table,
        tables=[t for t in tables if len(t.rows) > 1],
        calibration=[
            _calibration(data, judged, row)
            for row in ("no_retrieval", "with_retrieval")
            if row in judged.answers
        ],
        curves=[
            *_curves(data, fitted),
            *(gain.curves() if gain is not None else []),
            *([curve.curves()] if curve is not None else []),
        ],
        labels=_lines(data, judged),
        confusion=_confusion(data, judged),
        text_report=text_report(
            kind, judged.wide("with_retrieval"), judged.truth, judged.names, thresholds
        ),
        examples=_examples(data, judged),
    )
    return fit_report(page)


def _table(
    data: FitData,
    judged: TestResults,
    caption: str,
    note: str,
    names: Sequence[str],
    pairs: Sequence[tuple[str, str]],
) -> ScoreTable:
    return score_table(
        described_by(data.task.name), judged, caption, note, names, pairs, titles(data)
    )


def _about(data: FitData, fitted: Fitted, report: FitReport, command: str) -> list[tuple[str, str]]:
    settings, predictor = data.settings, fitted.levels[fitted.chosen]
    vote = predictor.vote
    return [
        ("task", f"{data.task.name}, {len(data.labels):,} {data.task.noun}s"),
        ("memory", f"{data.memory.path}, {len(data.datastore):,} rows as evidence"),
        ("encoder", data.memory.encoder.spec),
        (f"{data.task.unit}s", f"{counts_of(data)} ({data.splits.how})"),
        ("level", level_of(fitted)),
        (
            "vote",
            f"k {vote.k}, temperature {vote.temperature:g}, cap {vote.cap:g}"
            + (", labels propagated" if predictor.spread else ""),
        ),
        *fit_lines(fitted, report, settings.seed, command),
    ]


def _calibration(data: FitData, judged: TestResults, row: str) -> CalibrationChart:
    kind = data.task.output_kind
    confidence, right = confidences(kind, judged.wide(row), judged.truth, judged.thresholds[row])
    error = judged.scores[row]["ECE"].value
    return calibration_chart(titles(data)[row][0], confidence, right, error)


def _curves(data: FitData, fitted: Fitted) -> list[Curves]:
    return curves_of(described_by(data.task.name), fitted)


def _lines(data: FitData, judged: TestResults) -> list[LabelLine]:
    kind = data.task.output_kind

    def of(row: str) -> list[LabelScore]:
        return per_label(kind, judged.wide(row), judged.truth, judged.names, judged.thresholds[row])

    without = of("no_retrieval" if "no_retrieval" in judged.answers else "zero_shot")
    return [
        LabelLine(a.label, a.support, a.precision, a.recall, a.f1, b.f1)
        for a, b in zip(of("with_retrieval"), without, strict=True)
    ]


def _confusion(data: FitData, judged: TestResults) -> Confusion | None:
    if not data.task.exclusive:
        return None
    matrix, _ = confusion(judged.wide("with_retrieval"), judged.truth)
    return Confusion(judged.names, matrix.tolist())


def _examples(data: FitData, judged: TestResults) -> list[ExampleGroup]:
    """Right, wrong, and changed by retrieval; drawn by chance, not by how well they look."""
    correct = {
        row: right(judged.wide(row), judged.truth, judged.thresholds[row])
        for row in ROWS
        if row in judged.answers
    }
    after = correct["with_retrieval"]
    before = correct.get("no_retrieval", after)
    return gallery(
        changed_by_retrieval(after, before),
        EXAMPLES,
        data.settings.seed,
        data.task.unit,
        lambda i: _example(data, judged, correct, i),
    )


def _example(data: FitData, judged: TestResults, correct: JsonRecord, i: int) -> ReportExample:
    row = data.test.examples.rows[i]
    answers = []
    for name, of_row in correct.items():
        words = ", ".join(_names(judged, name, i)) or "nothing"
        confidence = float(judged.wide(name)[i].max(initial=0))
        answers.append(Answer(titles(data)[name][0], words, confidence, bool(of_row[i])))
    final = judged.answers["with_retrieval"]
    evidence: list[EvidenceItem] = []
    if final.neighbours is not None:
        own = set(_names(judged, "with_retrieval", i))
        for item in final.evidence(data.datastore, i, data.task.of)[:NEIGHBOURS]:
            evidence.append(
                EvidenceItem(
                    thumbnail(data.memory, item.row),
                    ", ".join(item.says),
                    item.row.texts[0] if item.row.texts else "",
                    item.similarity,
                    item.share,
                    bool(own & set(item.says)),
                )
            )
    truth = ", ".join(data.task.of(row))
    return ReportExample(
        thumbnail(data.test.examples.source, row),
        data.task.question(row),
        truth,
        answers,
        float(final.gate[i]),
        evidence,
    )


def _names(judged: TestResults, row: str, i: int) -> list[str]:
    return given(judged.wide(row)[i], judged.names, judged.thresholds[row])
