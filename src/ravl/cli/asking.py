"""``ravl ask``: questions about a picture, answered by a fitted run or by a memory alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

import click

from ravl.cli.answering import LONGEST, how_options, place_argument
from ravl.cli.captioning import (
    DECODING,
    decoding,
    free_options,
    print_pieces,
    while_written,
    writer_of,
)
from ravl.cli.options import Options
from ravl.cli.output import flat, print_json
from ravl.cli.remote import (
    PlaceCommand,
    ServedPipeline,
    Streaming,
    as_it_was,
    refused,
    served_pipeline,
    stored,
    stored_pipeline,
)

if TYPE_CHECKING:
    from ravl.runs.answers import Evidence
    from ravl.tasks.ask.results import Reply
    from ravl.tasks.ask.writing import OpenAskPipeline
    from ravl.tasks.contract import Pipeline

    Local = Pipeline | OpenAskPipeline  # on this machine

WRITTEN = (*DECODING, "instruction", "schema", "grammar", "stream")  # for generated answers


@click.command(cls=PlaceCommand)
@place_argument
@click.argument("picture", type=click.Path(path_type=Path))
@click.argument("questions", nargs=-1, required=True)
@free_options
@click.option("--stream", is_flag=True, help="Print words while they are generated.")
@how_options
def ask(
    run: Path | str,
    picture: Path,
    questions: tuple[str, ...],
    as_json: bool,
    shown: int,
    no_retrieval: bool,
    **given: object,
) -> None:
    """Answer questions about a picture: ravl ask runs/shop new.jpg "what colour is it?"

    Without a fitted run, give a memory in place of RUN: its answered questions with similar
    pictures and questions vote, or a --generator reads them and writes. Options for generated text
    need a generator, or a run of ravl fit ask --answers open.
    """
    from ravl.tasks.ask.results import Reply

    options: Options = {**given, "retrieval": not no_retrieval}
    with answerer(run, options) as model:
        if options.pop("stream", False):
            assert isinstance(model, Streaming)
            kept = while_written(options)
            for question in questions:
                print_pieces(flat(question), model.stream(picture, question, **kept))
            return
        answers = model.predict([picture], list(questions), **options)
    if as_json:
        print_json([{"picture": str(picture), **answer.to_json()} for answer in answers])
        return
    for answer in answers:
        first, *others = str(answer).splitlines() or [""]
        click.echo(f"{answer.asked}\t{flat(first)}")
        for line in others:
            click.echo(flat(line))
        if shown:
            assert isinstance(answer, Reply)
            _print_evidence(answer, shown)


@contextmanager
def answerer(run: Path | str, options: Options) -> Iterator[Local | ServedPipeline]:
    """The model that answers: a run, a memory, a generator with either, or a server.

    Removes its options from the dictionary; the other options stay.
    """
    from ravl.tasks.ask.task import OpenAskTask

    if isinstance(run, str):
        refused(**{name: options.pop(name) for name in (*WRITTEN, "generator") if name != "stream"})
        with served_pipeline(run, OpenAskTask.command, options) as served:
            yield served
        return
    with _answerer(run, options.pop("memory"), options.pop("generator")) as model:
        _told_how(model, options)
        yield model


@contextmanager
def _answerer(run: Path, memory: Path | None, generator: str | None) -> Iterator[Local]:
    """The model of a run's folder, of a memory's file, or a generator with either."""
    from ravl.errors import QueryError
    from ravl.runs.run import open_memory, open_run
    from ravl.tasks import registry
    from ravl.tasks.ask.task import OpenAskTask
    from ravl.tasks.ask.writing import OpenAskPipeline

    if not generator:
        with stored_pipeline(run, OpenAskTask.command, memory) as pipeline:
            yield pipeline
        return
    if run.is_file():
        writer = writer_of(generator)
        with stored(run) as opened:
            yield OpenAskPipeline(opened, generator=writer)
        return
    fitted = open_run(run)
    task = registry.of_run(fitted)
    if not isinstance(task, OpenAskTask):
        same = task.command == OpenAskTask.command
        what = "answers from a list" if same else f"was fitted for {task.command}"
        raise QueryError(
            f"{run} {what}, but a generator writes its answers. Give a memory in place of the run, "
            "or a run of ravl fit ask --answers open."
        )
    writer = writer_of(generator)
    with open_memory(fitted, memory, exact=False) as now, as_it_was(now) as opened:
        yield OpenAskPipeline(opened, fitted, generator=writer)


def _told_how(model: Local, options: Options) -> None:
    """The options for generated text; refused without a generator."""
    from ravl.errors import QueryError
    from ravl.tasks.ask.writing import OpenAskPipeline

    if isinstance(model, OpenAskPipeline):
        options["how"] = decoding(options, model.usual)
        return
    if given := [name for name in WRITTEN if options.pop(name) not in (None, (), "", False)]:
        raise QueryError(
            f"--{given[0].replace('_', '-')} is for answers of a generator. Give one with "
            "--generator, or a run of ravl fit ask --answers open."
        )


def _print_evidence(answer: Reply, shown: int) -> None:
    """The evidence of an answer: answered questions and passages, one line each."""
    texts = answer.passages
    if not answer.quoted:
        model = ", ".join(f"{n} {100 * p:.0f} %" for n, p in list(answer.model.items())[:2])
        memory = ", ".join(f"{n} {100 * p:.0f} %" for n, p in list(answer.memory.items())[:2])
        gate = f"    memory {100 * answer.gate:.0f} %: {memory or '-'};  model: {model or '-'}"
        click.echo(flat(gate))
        for item in [item for item in answer.evidence if item.row.hash is not None][:shown]:
            text = f"{item.says[0]} {', '.join(item.says[1:])}"
            click.echo(_line(item, text))
    for item in texts[:shown]:
        click.echo(_line(item, item.says[0]))


def _line(item: Evidence, text: str) -> str:
    words = shorten(text, LONGEST, placeholder=" ...")
    return flat(f"    {100 * item.share:5.1f} %  {item.similarity:.2f}  {item.id}  {words}")


COMMANDS = (ask,)
