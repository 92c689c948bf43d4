"""``ravl classify``, ``tag``, ``match``, ``evaluate``: answers of fitted runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

import click

from ravl.cli.options import Decorator, Options, with_options
from ravl.cli.output import flat, json_option, print_json, print_table
from ravl.cli.remote import (
    Place,
    PlaceCommand,
    at_option,
    key_option,
    name_option,
    pipeline_at,
    refused,
    server_option,
)
from ravl.cli.settings import column_names, column_options

if TYPE_CHECKING:
    from ravl.runs.answers import Answer

run_argument = click.argument("run", type=click.Path(path_type=Path))
place_argument = click.argument("run", metavar="RUN", type=Place())
memory_option = click.option(
    "--memory", type=click.Path(path_type=Path), help="Answer from this memory, not the run's own."
)
PLACE: tuple[Decorator, ...] = (memory_option, at_option, server_option, name_option, key_option)
shown_options: tuple[Decorator, ...] = (
    click.option(
        "--evidence", "shown", default=3, show_default=True, help="Number of neighbours to print."
    ),
    json_option,
)
HOW: tuple[Decorator, ...] = (
    memory_option,
    at_option,
    click.option("-k", type=int, help="Neighbours that vote. [default: as fitted]"),
    click.option("--no-retrieval", is_flag=True, help="Use the model alone."),
    click.option("--vote-only", is_flag=True, help="Use the memory's neighbours alone."),
    click.option(
        "--abstain",
        type=float,
        metavar="RISK",
        help="Mark answers that are too unsure to keep this error rate, such as 0.05.",
    ),
    shown_options[0],
    server_option,
    name_option,
    key_option,
    json_option,
)
LONGEST = 90  # characters of a neighbour's text
BATCH = 64  # pictures per pass


how_options = with_options(HOW)  # how to answer: the options that all tasks share
name_options = with_options(  # labels, without a fitted run
    (
        click.option(
            "--label",
            "labels",
            multiple=True,
            help="A label to choose from, known only by its name; may be repeated.",
        ),
        click.option(
            "--template", multiple=True, help="Text around a label's name, such as 'a photo of {}'."
        ),
    )
)


@click.command(cls=PlaceCommand)
@place_argument
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path))
@name_options
@how_options
def classify(run: Path | str, pictures: tuple[Path, ...], **options: object) -> None:
    """Give pictures a label: ravl classify runs/shirts new.jpg

    Without a fitted run, give the labels, and a memory in place of RUN: ravl classify shop.ravl
    new.jpg --label shirt --label hat
    """
    _label("classify", run, pictures, options)


@click.command(cls=PlaceCommand)
@place_argument
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path))
@name_options
@how_options
def tag(run: Path | str, pictures: tuple[Path, ...], **options: object) -> None:
    """Give pictures tags: ravl tag runs/keywords new.jpg

    Without a fitted run, give the tags, and a memory in place of RUN, as for classify.
    """
    _label("tag", run, pictures, options)


@click.command(cls=PlaceCommand)
@place_argument
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--text",
    "texts",
    multiple=True,
    required=True,
    help="A text to judge: one for all pictures, or one for each picture, in their order.",
)
@click.option(
    "--assign", is_flag=True, help="Find the best one-to-one assignment of texts to pictures."
)
@how_options
def match(
    run: Path | str,
    pictures: tuple[Path, ...],
    texts: tuple[str, ...],
    assign: bool,
    as_json: bool,
    shown: int,
    no_retrieval: bool,
    **given: object,
) -> None:
    """Judge whether a text fits: ravl match runs/fits new.jpg --text "a red shirt"

    With --assign, any number of texts is assigned to the pictures, one to one.
    """
    options: Options = {**given, "retrieval": not no_retrieval}
    if isinstance(run, str):
        refused(assign=assign)
    with pipeline_at(run, "match", options) as pipeline:
        wanted = expanded(pictures)
        if assign:
            from ravl.tasks.match.model import MatchPipeline

            assert isinstance(pipeline, MatchPipeline)
            del options["abstain"]
            found = pipeline.assign(wanted, list(texts), **options)
            _print_pairs([(str(wanted[p]), texts[t], round(s, 4)) for p, t, s in found], as_json)
            return
        answers = pipeline.predict(wanted, list(texts), **options)
    print_answers(wanted, answers, as_json, shown)


def _print_pairs(lines: list[tuple[str, str, float]], as_json: bool) -> None:
    if as_json:
        print_json([{"picture": p, "text": t, "score": s} for p, t, s in lines])
    else:
        print_table(["picture", "text", "score"], lines)


@click.command()
@run_argument
@click.option(
    "--data",
    required=True,
    help="A table or folder of labelled pictures, or a filter that selects rows of the memory.",
)
@memory_option
@json_option
def evaluate(
    run: Path,
    data: str,
    memory: Path | None,
    root: Path | None,
    as_json: bool,
    **columns: object,
) -> None:
    """Evaluate a run on labelled pictures that it was not fitted on.

    If a picture is in the memory, its row and its near-duplicates are hidden from its search.
    """
    from ravl.evaluation import Score, percent_names
    from ravl.tasks.fit import evaluate as judge

    found = judge(run, data, memory=memory, columns=column_names(columns), root=root)
    if as_json:
        print_json(found)
        return
    asked = f"{found['questions']:,} questions about " if "questions" in found else ""
    click.echo(f"{asked}{found['pictures']:,} pictures, {found['set_aside']:,} set aside.")
    for reason in found["reasons"]:
        click.echo(f"  {reason}", err=True)

    percent = percent_names()

    def words(metric: str, score: dict[str, float]) -> str:
        value = Score(**score)
        return value.percent() if metric in percent else str(value)

    metrics = list(found["rows"]["with_retrieval"])
    tables = {**found["rows"], **found["differences"]}
    lines = [[n, *(words(m, s[m]) if m in s else "" for m in metrics)] for n, s in tables.items()]
    if not sys.stdout.isatty():  # a piped table has no header, so numbers need their names
        click.echo("\t".join(["", *metrics]))
    print_table(["", *metrics], lines)


evaluate = with_options(column_options)(evaluate)


def _label(task: str, run: Path | str, pictures: tuple[Path, ...], options: Options) -> None:
    as_json, shown = options.pop("as_json"), options.pop("shown")
    labels, templates = options.pop("labels"), options.pop("template")
    wanted = expanded(pictures)
    if isinstance(run, str):
        refused(label=labels, template=templates)
    elif labels:
        print_answers(wanted, _by_name(task, run, wanted, labels, templates), as_json, 0)
        return
    options["retrieval"] = not options.pop("no_retrieval")
    with pipeline_at(run, task, options) as pipeline:
        answers: list[Answer] = []
        for start in range(0, len(wanted), BATCH):
            answers += pipeline.predict(wanted[start : start + BATCH], **options)
    print_answers(wanted, answers, as_json, shown)


def _by_name(
    task: str,
    memory: Path,
    pictures: list[Path],
    labels: tuple[str, ...],
    templates: tuple[str, ...],
) -> list[Answer]:
    """Zero-shot answers by the encoder of a memory."""
    from ravl.memory import Memory
    from ravl.models.zero_shot import TEMPLATES
    from ravl.tasks import registry
    from ravl.tasks.labels.zero_shot import by_name

    answers: list[Answer] = []
    with Memory.open(memory) as opened:
        for start in range(0, len(pictures), BATCH):
            answers += by_name(
                opened.encoder,
                pictures[start : start + BATCH],
                labels,
                templates=templates or TEMPLATES,
                exclusive=registry.task(task).single,
            )
    return answers


def print_answers(wanted: list[Path], answers: Sequence[Answer], as_json: bool, shown: int) -> None:
    """Answers with their evidence, or as JSON."""
    if as_json:
        print_json(
            [{"picture": str(p), **a.to_json()} for p, a in zip(wanted, answers, strict=True)]
        )
        return
    for picture, answer in zip(wanted, answers, strict=True):
        first, *others = str(answer).splitlines() or [""]
        click.echo(f"{picture}\t{flat(first)}")
        for line in others:
            click.echo(flat(line))
        print_evidence(answer, shown)


def print_evidence(answer: Answer, shown: int) -> None:
    """The evidence below an answer, one line for each neighbour."""
    if not shown:
        return
    model = ", ".join(f"{n} {100 * p:.0f} %" for n, p in list(answer.model.items())[:2])
    memory = ", ".join(f"{n} {100 * p:.0f} %" for n, p in list(answer.memory.items())[:2])
    gate = 100 * answer.gate
    click.echo(flat(f"    memory {gate:.0f} %: {memory or '-'};  model: {model or '-'}"))
    for item in answer.evidence[:shown]:
        says = shorten(", ".join(item.says) or item.row.caption, LONGEST, placeholder=" ...")
        click.echo(flat(f"    {100 * item.share:5.1f} %  {item.similarity:.2f}  {item.id}  {says}"))


def expanded(paths: tuple[Path, ...]) -> list[Path]:
    """The given pictures, and all pictures in the given folders."""
    from ravl.data.readers.folder_files import SUFFIXES

    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
        else:
            found.append(path)
    return found


COMMANDS = (classify, tag, match, evaluate)
