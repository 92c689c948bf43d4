"""What a fit of caption found, as the report's page and as the table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from ravl.pages.fit_report import (
    Answer,
    Curves,
    EvidenceItem,
    ExampleGroup,
    FitPage,
    ReportExample,
    ScoreTable,
    Series,
    fit_report,
)
from ravl.tasks.caption.choose import TextFitted
from ravl.tasks.caption.dataset import TextFitData
from ravl.tasks.caption.evaluate_test import GENERATED, ROBUST, TextTestResults
from ravl.tasks.caption.writing_task import WritingTask
from ravl.tasks.registry import task as described
from ravl.training.fit_report import FitReport
from ravl.training.report_parts import (
    calibration_chart,
    counts_of,
    fit_lines,
    gallery,
    level_of,
    score_table,
    thumbnail,
)
from ravl.training.report_rows import ROWS

TITLES = {
    "zero_shot": ("zero-shot", "the name of what the pretrained encoder sees"),
    "vote": ("memory alone", "what the neighbours' texts agree with most, nothing trained"),
    "no_retrieval": ("fine-tuned, no retrieval", "a generator that reads no neighbours"),
    "with_retrieval": ("fine-tuned, with retrieval", "generator and memory"),
    "vote_human": ("people's texts alone", "the memory alone without generated ones"),
    "nearest": ("nearest neighbour's text", "its first"),
    "generator_off alone": ("generator, trained without", "sees the picture alone"),
    "generator_off": ("generator without + memory", "chosen among its texts and the memory's"),
    "generator alone": ("generator, neighbours hidden", "trained with them"),
    "generator first": ("generator, its likeliest", "reads the neighbours; no choice"),
    "generator": ("generator + memory", "reads the neighbours; chosen among all texts"),
    "retrieval_on": ("retrieval on", "the run as it answers"),
    "retrieval_off": ("retrieval off", "the same generator, shown no neighbours"),
    "retrieval_shuffled": ("retrieval shuffled", "random rows in place of the neighbours"),
    "retrieval_misleading": (
        "retrieval misleading",
        "another picture's neighbours, with their similarities",
    ),
}
LEVELS = (
    "nearest",
    "vote_human",
    "vote",
    "generator_off alone",
    "generator_off",
    "generator alone",
    "generator first",
    "generator",
)
RETRIEVAL = ("retrieval_on", "retrieval_off", "retrieval_shuffled", "retrieval_misleading")
SHOWN = 12  # pictures of a group
NEIGHBOURS = 6  # of each


def titles_of(writing: WritingTask, fitted: TextFitted) -> dict[str, tuple[str, str]]:
    """Names of the rows, and what each is."""
    words = "a generator trained without pictures and neighbours"
    if "question_only" not in fitted.finished:
        words = "the same generator, shown a blank picture and no neighbours"
    return TITLES | {"question_only": ("question only", words)} | dict(writing.titles)


def rows_table(
    writing: WritingTask, data: TextFitData, judged: TextTestResults, fitted: TextFitted
) -> ScoreTable:
    """The four rows, and that of the question alone where there is one."""
    task, texts = data.task, sum(map(len, data.test.texts))
    noun = "answers" if task.noun == "answer" else "texts"
    caption = f"{task.name}: {len(data.test):,} test {task.unit}s, {texts:,} {noun} of people's"
    note = f"The run keeps the level {fitted.chosen!r}. 95 % intervals, by pictures."
    pairs = (
        ("with_retrieval", "no_retrieval"),
        ("with_retrieval", "vote"),
        ("no_retrieval", "question_only"),
        ("no_retrieval", "zero_shot"),
    )
    titles = titles_of(writing, fitted)
    return score_table(described(task.name), judged, caption, note, ROWS, pairs, titles)


def page_of(
    writing: WritingTask,
    data: TextFitData,
    fitted: TextFitted,
    judged: TextTestResults,
    report: FitReport,
    command: str,
) -> str:
    """The whole report as HTML."""
    task, titles = data.task, titles_of(writing, fitted)
    levels = score_table(
        described(task.name), judged, "All levels", "What each adds.", LEVELS, (GENERATED,), titles
    )
    robust = score_table(
        described(task.name),
        judged,
        "Retrieval on, off, and wrong",
        "Good neighbours should help, none should cost little, wrong ones not much more.",
        RETRIEVAL,
        (("retrieval_on", "retrieval_off"), *ROBUST),
        titles,
    )
    page = FitPage(
        title=f"ravl: {task.name}, what retrieval gained",
        about=_about(writing, data, fitted, report, command),
        rows=report.table,
        tables=[table for table in (levels, robust) if len(table.rows) > 1],
        calibration=[
            calibration_chart(
                f"with retrieval: is the {task.noun} good?", judged.confidence, judged.right
            )
        ],
        curves=_curves(fitted),
        examples=_gallery(writing, data, judged, titles),
    )
    return fit_report(page)


def _about(
    writing: WritingTask, data: TextFitData, fitted: TextFitted, report: FitReport, command: str
) -> list[tuple[str, str]]:
    predictor, task = fitted.levels[fitted.chosen], data.task
    texts = sum(map(len, data.train.texts))
    weights = "none"
    if predictor.chooser is not None:
        pairs = zip(predictor.chooser.names, predictor.chooser.weights, strict=True)
        weights = ", ".join(f"{n} {w:+.2f}" for n, w in pairs)
    return [
        (
            "task",
            f"{task.name}: {writing.about}"
            + (f", as the column {task.column!r}" if task.column else ""),
        ),
        (
            "memory",
            f"{data.memory.path}, {len(data.datastore):,} rows as evidence, with "
            f"{len(data.index.row_texts.texts):,} texts",
        ),
        (f"{task.unit}s", f"{counts_of(data)} ({data.splits.how}); {texts:,} texts to learn from"),
        ("level", level_of(fitted, fitted.measure)),
        ("choice among texts", weights),
        (f"a good {'text' if task.noun == 'caption' else task.noun}", predictor.good),
        *fit_lines(fitted, report, data.settings.seed, command),
    ]


def _curves(fitted: TextFitted) -> list[Curves]:
    names = {
        "generator": "with retrieval",
        "generator_off": "without",
        "question_only": "without pictures",
    }
    series = [
        Series(names[name], [(float(at), score) for at, score in curve])
        for name, curve in fitted.curves.items()
        if curve and name in names
    ]
    title = f"{fitted.measure} of greedy texts on the validation split, by seconds of training"
    return [Curves(title, "second", False, series)] if series else []


def _gallery(
    writing: WritingTask,
    data: TextFitData,
    judged: TextTestResults,
    titles: Mapping[str, tuple[str, str]],
) -> list[ExampleGroup]:
    """Pictures with their evidence: those of good answers, then the others."""
    right, wrong = writing.groups
    return gallery(
        [(*right, judged.right), (*wrong, ~judged.right)],
        SHOWN,
        data.settings.seed,
        data.task.unit,
        lambda i: _example(data, judged, titles, i),
    )


def _example(
    data: TextFitData, judged: TextTestResults, titles: Mapping[str, tuple[str, str]], i: int
) -> ReportExample:
    side = data.test
    answers = [
        Answer(
            titles[row][0],
            judged.answers[row][i],
            float(judged.confidence[i]) if row == "with_retrieval" else 0.0,
            row == "with_retrieval" and bool(judged.right[i]),
        )
        for row in ROWS
        if row in judged.answers
    ]
    asked = side.questions[i] if side.questions is not None else None
    return ReportExample(
        thumbnail(side.examples.source, side.examples.rows[i]),
        asked,
        " / ".join(side.texts[i]),
        answers,
        None,
        _evidence(data, judged, i),
    )


def _evidence(data: TextFitData, judged: TextTestResults, i: int) -> list[EvidenceItem]:
    """The nearest rows with the text of theirs that the others agree with most."""
    recalled, index = judged.final[i].recalled, data.index
    if recalled is None:
        return []
    rows = [int(r) for r in data.test.neighbours.positions[i] if r >= 0][:NEIGHBOURS]
    found = []
    for place, row in enumerate(rows):
        text = recalled.text_of(index, row)
        share = float(recalled.shares[index.row_texts.owners[recalled.voters] == row].sum())
        similarity = float(data.test.neighbours.similarity[i, place])
        picture = thumbnail(data.memory, data.datastore.rows[row])
        agrees = text in judged.final[i].texts
        asked = data.task.question(data.datastore.rows[row])
        item = EvidenceItem(
            picture, text if asked else "", asked or text, similarity, share, agrees
        )
        found.append(item)
    return found
