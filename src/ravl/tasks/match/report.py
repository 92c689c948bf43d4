"""What a fit of match found, as the report's page and as the table for a terminal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ravl.evaluation import BINARY, confidences, text_report
from ravl.pages.fit_report import (
    Answer,
    CalibrationChart,
    Curves,
    EvidenceItem,
    ExampleGroup,
    FitPage,
    ReportExample,
    ScoreTable,
    Series,
    fit_report,
)
from ravl.pages.score_table import DifferenceRow, ScoreRow
from ravl.tasks.match.choose import MatchFitted
from ravl.tasks.match.dataset import MatchFitData
from ravl.tasks.match.evaluate_test import MatchTestResults
from ravl.tasks.match.model import evidence_of
from ravl.tasks.match.rerank import MEASURES, RerankGain
from ravl.tasks.match.results import NO, YES
from ravl.tasks.match.task import MatchTask
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

TITLES = {
    "zero_shot": ("zero-shot", "the pretrained encoder's cosine, scaled on validation (Platt)"),
    "vote": ("memory's vote", "texts and pictures of the nearest rows; scaled on validation"),
    "no_retrieval": ("fine-tuned, no retrieval", "the model alone"),
    "with_retrieval": ("fine-tuned, with retrieval", "model and memory, stacked"),
    "retrieval_on": ("retrieval on", "the run as it answers"),
    "retrieval_off": ("retrieval off", "the same model, shown no neighbours"),
    "retrieval_shuffled": ("retrieval shuffled", "the same model, shown random rows"),
    "linear alone": ("dual encoder", "two heads on frozen features, trained by contrast"),
    "linear": ("dual encoder + memory", "stacked"),
    "fusion_off alone": ("fusion, trained without", "the language model reads no neighbours"),
    "fusion_off": ("fusion without + memory", "stacked"),
    "fusion alone": ("fusion, neighbours hidden", "trained with them"),
    "fusion": ("fusion + memory", "the language model reads the neighbours; stacked"),
}
EXAMPLES = 6  # of each group
NEIGHBOURS = 6  # of each example
NEAR = 0.5  # cosine of a text of the evidence to the one asked about, from which it says the same


def rows_table(data: MatchFitData, judged: MatchTestResults, fitted: MatchFitted) -> ScoreTable:
    """The four rows."""
    pictures = len(np.unique(data.test.asked.picture))
    true = int(data.test.targets.sum())
    caption = (
        f"match: {len(data.test):,} pairs of {pictures:,} test pictures, {true:,} true and the "
        "others shuffled"
    )
    note = f"The run keeps the level {fitted.chosen!r}. 95 % intervals, by pictures."
    pairs = (
        ("with_retrieval", "no_retrieval"),
        ("with_retrieval", "vote"),
        ("no_retrieval", "zero_shot"),
    )
    return score_table(MatchTask(), judged, caption, note, ROWS, pairs, TITLES)


def page_of(
    data: MatchFitData,
    fitted: MatchFitted,
    judged: MatchTestResults,
    second: RerankGain,
    report: FitReport,
    command: str,
) -> str:
    """The whole report as HTML."""
    levels = score_table(
        MatchTask(),
        judged,
        "All levels",
        "What each adds to the one above it.",
        LEVELS,
        (("fusion", "fusion_off"),),
        TITLES,
    )
    retrieval = score_table(
        MatchTask(),
        judged,
        "Retrieval on, off and shuffled",
        "Good neighbours should help, none should cost little, wrong ones not much more.",
        RETRIEVAL,
        (("retrieval_on", "retrieval_off"), ("retrieval_on", "retrieval_shuffled")),
        TITLES,
    )
    final = judged.answers["with_retrieval"]
    page = FitPage(
        title="ravl: match, what retrieval gained",
        about=_about(data, fitted, report, command),
        rows=report.table,
        tables=[t for t in (levels, retrieval) if len(t.rows) > 1] + rerank_tables(second),
        calibration=[
            _calibration(judged, row)
            for row in ("no_retrieval", "with_retrieval")
            if row in judged.answers
        ],
        curves=curves_of(MatchTask(), fitted) + _dual_curve(fitted),
        text_report=text_report(
            BINARY, final.probabilities, judged.truth, (NO, YES), final.threshold
        ),
        examples=_examples(data, judged),
    )
    return fit_report(page)


def rerank_tables(second: RerankGain) -> list[ScoreTable]:
    """What reranking the top of a search gains, each way."""
    note = (
        f"{second.queries} queries look among the test pictures and their texts. The first ranking "
        f"is the dual encoder's; the run reranks the first {second.depth}, which takes "
        f"{second.milliseconds:.0f} ms a query, and counts {second.weight:g} as much (chosen on "
        "validation). Use it: ravl search MEMORY TEXT --rerank RUN."
    )
    return [
        ScoreTable(
            f"As a reranker of searches: {way}",
            note,
            MEASURES,
            [ScoreRow("before", "", found["before"]), ScoreRow("reranked", "", found["after"])],
            [DifferenceRow("reranked − before", found["difference"])],
            shares=frozenset(MEASURES) - {"MRR"},
        )
        for way, found in second.scores.items()
    ]


def _about(
    data: MatchFitData, fitted: MatchFitted, report: FitReport, command: str
) -> list[tuple[str, str]]:
    predictor, splits = fitted.levels[fitted.chosen], data.splits
    stack = predictor.stacks["both" if predictor.has_model else "vote"]
    weights = ", ".join(f"{n} {w:+.2f}" for n, w in zip(stack.names, stack.weights, strict=True))
    return [
        ("task", "match: does this text fit this picture?"),
        (
            "memory",
            f"{data.memory.path}, {len(data.datastore):,} rows as evidence, with "
            f"{len(data.row_texts.texts):,} texts",
        ),
        ("encoder", data.base.spec),
        ("pictures", f"{counts_of(splits)} ({splits.how}); {len(data.pairs):,} texts"),
        ("level", level_of(fitted)),
        ("vote", f"k {predictor.vote.k}, temperature {predictor.vote.temperature:g}"),
        ("weights", f"{weights} (log odds by a standard deviation of each score)"),
        *fit_lines(fitted, report, data.settings.seed, command),
    ]


def _calibration(judged: MatchTestResults, row: str) -> CalibrationChart:
    found = judged.answers[row]
    confidence, right = confidences(BINARY, found.probabilities, judged.truth, found.threshold)
    return calibration_chart(TITLES[row][0], confidence, right, judged.scores[row]["ECE"].value)


def _dual_curve(fitted: MatchFitted) -> list[Curves]:
    curve = fitted.curves.get("dual")
    if not curve:
        return []
    points = [(float(i), score) for i, (_, score) in enumerate(curve, 1)]
    title = "Dual encoder: R@10 on validation, the mean of both directions"
    return [Curves(title, "epoch", True, [Series("dual encoder", points)])]


def _examples(data: MatchFitData, judged: MatchTestResults) -> list[ExampleGroup]:
    """Right, wrong, and changed by retrieval; drawn by chance, not by how well they look."""
    after = _right(judged, "with_retrieval")
    before = _right(judged, "no_retrieval") if "no_retrieval" in judged.answers else after
    return gallery(
        changed_by_retrieval(after, before),
        EXAMPLES,
        data.settings.seed,
        "pair",
        lambda i: _example(data, judged, i),
    )


def _right(judged: MatchTestResults, row: str) -> NDArray[np.bool_]:
    found = judged.answers[row]
    right: NDArray[np.bool_] = (found.probabilities >= found.threshold) == (judged.truth > 0)
    return right


def _example(data: MatchFitData, judged: MatchTestResults, i: int) -> ReportExample:
    side = data.test
    answers = []
    for name in (row for row in ROWS if row in judged.answers):
        found = judged.answers[name]
        p = float(found.probabilities[i])
        fits = p >= found.threshold
        right = bool(_right(judged, name)[i])
        answers.append(Answer(TITLES[name][0], YES if fits else NO, p if fits else 1 - p, right))
    final = judged.answers["with_retrieval"]
    text = side.asked.texts[side.asked.text[i]]
    return ReportExample(
        thumbnail(data.examples.source, side.rows[i]),
        text,
        YES if judged.truth[i] else NO,
        answers,
        float(final.gate[i]),
        _evidence(data, judged, i),
    )


def _evidence(data: MatchFitData, judged: MatchTestResults, i: int) -> list[EvidenceItem]:
    """The rows that spoke; one agrees if its texts are like the text as far as the pair fits."""
    final, asked = judged.answers["with_retrieval"], data.test.asked
    fits = bool(final.probabilities[i] >= final.threshold)
    vector = asked.vectors[asked.text[i]][None]
    similarity = dict(
        zip(
            data.datastore.numbers.tolist(),
            data.row_texts.similarity(vector)[0].tolist(),
            strict=True,
        )
    )
    return [
        EvidenceItem(
            thumbnail(data.memory, item.row),
            "",
            item.says[0] if item.says else "",
            item.similarity,
            item.share,
            (similarity[item.row.number] >= NEAR) == fits,
        )
        for item in evidence_of(final, data.row_texts, i)[:NEIGHBOURS]
    ]
