"""``ravl classify``, ``tag``, ``match``, ``evaluate``: answers of fitted runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

import click

from ravl.cli.options import Decorator, Options, with_options
from ravl.cli.output import (
    flat,
    json_option,
    print_json,
    print_problems,
    print_skipped,
    print_table,
)
from ravl.cli.remote import (
    Place,
    PlaceCommand,
    ServedPipeline,
    at_option,
    key_option,
    name_option,
    pipeline_at,
    refused,
    server_option,
)
from ravl.cli.settings import column_names, column_options
from ravl.errors import DataError, PictureError

if TYPE_CHECKING:
    from ravl.runs.answers import Answer
    from ravl.tasks.caption.model import CaptionPipeline
    from ravl.tasks.contract import Pipeline

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
def classify(run: Path | str, pictures: tuple[Path, ...], **options: object) -> int:
    """Give pictures a label: ravl classify runs/shirts new.jpg

    Without a fitted run, name a memory in place of RUN. Its labelled rows answer: ravl classify
    shop.ravl new.jpg. Where no row has a label, give the labels: ravl classify shop.ravl new.jpg
    --label shirt --label hat
    """
    return _label("classify", run, pictures, options)


@click.command(cls=PlaceCommand)
@place_argument
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path))
@name_options
@how_options
def tag(run: Path | str, pictures: tuple[Path, ...], **options: object) -> int:
    """Give pictures tags: ravl tag runs/keywords new.jpg

    Without a fitted run, name a memory in place of RUN. Its rows with tags answer, or the tags
    that you give with --label.
    """
    return _label("tag", run, pictures, options)


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
) -> int:
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
            return 0
        answers = predict_each(pipeline, wanted, list(texts), options)
    return print_answers(wanted, answers, as_json, shown)


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
    from ravl.evaluation import Score, is_percent
    from ravl.tasks.fit import evaluate as judge

    found = judge(run, data, memory=memory, columns=column_names(columns), root=root)
    if as_json:
        print_json(found)
        return
    asked = f"{found['questions']:,} questions about " if "questions" in found else ""
    click.echo(f"{asked}{found['pictures']:,} pictures, {found['set_aside']:,} set aside.")
    for reason in found["reasons"]:
        click.echo(f"  {reason}", err=True)
    if learned := found.get("learned_from"):
        click.echo(
            f"The run has learned from {learned:,} of these pictures. The scores are too good for "
            "new ones; the report of its fit has those of pictures that it had not seen.",
            err=True,
        )

    def words(metric: str, score: dict[str, float]) -> str:
        value = Score(**score)
        return value.percent() if is_percent(metric) else str(value)

    metrics = list(found["rows"]["with_retrieval"])
    tables = {**found["rows"], **found["differences"]}
    lines = [[n, *(words(m, s[m]) if m in s else "" for m in metrics)] for n, s in tables.items()]
    if not sys.stdout.isatty():  # a piped table has no header, so numbers need their names
        click.echo("\t".join(["", *metrics]))
    print_table(["", *metrics], lines)


evaluate = with_options(column_options)(evaluate)


def _label(task: str, run: Path | str, pictures: tuple[Path, ...], options: Options) -> int:
    as_json, shown = options.pop("as_json"), options.pop("shown")
    labels, templates = options.pop("labels"), options.pop("template")
    wanted = expanded(pictures)
    if isinstance(run, str):
        refused(label=labels, template=templates)
    elif labels:
        return print_answers(wanted, _by_name(task, run, wanted, labels, templates), as_json, 0)
    options["retrieval"] = not options.pop("no_retrieval")
    with pipeline_at(run, task, options) as pipeline:
        answers = predict_each(pipeline, wanted, None, options)
    return print_answers(wanted, answers, as_json, shown)


def _by_name(
    task: str,
    memory: Path,
    pictures: list[Path],
    labels: tuple[str, ...],
    templates: tuple[str, ...],
) -> list[Answer | PictureError]:
    """Zero-shot answers by the encoder of a memory."""
    from ravl.memory import Memory
    from ravl.models.zero_shot import TEMPLATES
    from ravl.tasks import registry
    from ravl.tasks.each import answer_each
    from ravl.tasks.labels.zero_shot import by_name

    with Memory.open(memory) as opened:

        def predict(some: list[Path], _: list[str] | None) -> Sequence[Answer]:
            return by_name(
                opened.encoder,
                some,
                labels,
                templates=templates or TEMPLATES,
                exclusive=registry.task(task).single,
            )

        return answer_each(predict, pictures, together=BATCH)


def predict_each(
    pipeline: Pipeline | CaptionPipeline | ServedPipeline,
    pictures: list[Path],
    texts: list[str] | None,
    options: Options,
) -> list[Answer | PictureError]:
    """The answer to each picture, or why it cannot be read."""
    from ravl.tasks.each import answer_each

    if isinstance(pipeline, ServedPipeline):
        return pipeline.predict_each(pictures, texts, options)

    def predict(some: list[Path], beside: list[str] | None) -> Sequence[Answer]:
        if beside is None:
            return pipeline.predict(some, **options)
        return pipeline.predict(some, beside, **options)

    return answer_each(predict, pictures, texts, BATCH)


def print_answers(
    wanted: list[Path], answers: Sequence[Answer | PictureError], as_json: bool, shown: int
) -> int:
    """Print answers with their evidence, or as JSON; pictures that cannot be read on stderr.

    Returns:
        The exit code: 1 if a picture cannot be read.
    """
    pairs = list(zip(wanted, answers, strict=True))
    broken = [error for _, error in pairs if isinstance(error, PictureError)]
    if len(answers) == len(broken) == 1:
        raise broken[0]
    if as_json:
        print_json(
            [
                {"picture": str(picture)}
                | ({"error": str(a)} if isinstance(a, PictureError) else a.to_json())
                for picture, a in pairs
            ]
        )
    for picture, answer in pairs if not as_json else ():
        if isinstance(answer, PictureError):
            continue
        first, *others = str(answer).splitlines() or [""]
        click.echo(f"{picture}\t{flat(first)}")
        for line in others:
            click.echo(flat(line))
        print_evidence(answer, shown)
    if broken:
        click.echo(f"{len(broken):,} of {len(pairs):,} pictures could not be read:", err=True)
        for error in broken:
            click.echo(f"  {error}", err=True)
    return 1 if broken else 0


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
    """The given pictures, and all pictures in the given folders, which must have some.

    What a folder has in addition is counted on standard error.

    Raises:
        DataError: a folder has no picture.
    """
    from ravl.data import Rejected
    from ravl.data.readers.folder import FolderSource
    from ravl.data.readers.folder_files import listed
    from ravl.data.readers.source import ReadOptions

    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        source, real = FolderSource(path, ReadOptions()), path.resolve()
        entries = list(source.pictures())
        pictures = [path / e.relative_to(real) for e in entries if not isinstance(e, Rejected)]
        rejected = [entry for entry in entries if isinstance(entry, Rejected)]
        if not pictures:
            there = f" There are {listed(source.skipped)}." if source.skipped else ""
            raise DataError(f"The folder {path} has no picture that ravl reads.{there}")
        print_skipped(source.skipped)
        print_problems(len(rejected), rejected)
        found += pictures
    return found


COMMANDS = (classify, tag, match, evaluate)
