"""``ravl caption``: texts about pictures, by a fitted run or by a memory alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ravl.cli.answering import (
    BATCH,
    expanded,
    how_options,
    place_argument,
    print_answers,
)
from ravl.cli.output import flat
from ravl.cli.remote import PlaceCommand, as_it_was, memory_at, pipeline_at, refused

FREE = (
    click.option(
        "--generator",
        metavar="SPEC",
        help="Writes instead of the run's own: hf:NAME, or openai:http://HOST:PORT/v1.",
    ),
    click.option("--instruction", default="", help="Style or audience, for chat models."),
    click.option("--candidates", type=int, help="So many different texts of each."),
    click.option("--beams", type=int, help="Of the beam search; 1 for greedy."),
    click.option("--longest", type=int, help="Tokens at most."),
    click.option("--shortest", type=int, help="Tokens at least."),
    click.option("--sample", is_flag=True, default=None, help="Draw words by chance."),
    click.option("--temperature", type=float, help="Of the sampling; below 1 likelier."),
    click.option("--top-p", type=float, help="Share of the probability that is drawn from."),
    click.option("--seed", type=int, help="Of the sampling."),
    click.option("--require", multiple=True, help="A word or phrase that must occur."),
    click.option("--forbid", multiple=True, help="A word or phrase that must not."),
    click.option(
        "--schema", type=click.Path(path_type=Path), help="A JSON schema that texts must satisfy."
    ),
    click.option(
        "--grammar", type=click.Path(path_type=Path), help="A Lark grammar that they must satisfy."
    ),
)
DECODING = (
    "candidates",
    "beams",
    "longest",
    "shortest",
    "sample",
    "temperature",
    "top_p",
    "seed",
    "require",
    "forbid",
)

LOCAL = ("generator", "beams", "shortest", "top_p", "schema", "grammar")  # no server takes them


def free_options(command: Any) -> Any:
    """What may be asked of a text, whatever it is about."""
    for option in reversed(FREE):
        command = option(command)
    return command


@click.command(cls=PlaceCommand)
@place_argument
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path))
@free_options
@click.option("--target", metavar="COLUMN", help="Without a run: the column that holds texts.")
@click.option("--grounded", is_flag=True, help="Only nouns that the evidence has.")
@click.option("--stream", is_flag=True, help="Print words as they are written.")
@how_options
def caption(run: Path | str, pictures: tuple[Path, ...], stream: bool, **options: Any) -> None:
    """Describe pictures: ravl caption runs/texts new.jpg

    Without anything fitted, name a memory in place of RUN: its neighbours' captions are compared,
    and the one that the others agree with most is taken, or a --generator reads them and writes.
    """
    as_json, shown = options.pop("as_json"), options.pop("shown")
    options["retrieval"] = not options.pop("no_retrieval")
    wanted = expanded(pictures)
    with captioner(run, options) as model:
        if stream:
            _stream(model, wanted, options)
            return
        answers: list[Any] = []
        for start in range(0, len(wanted), BATCH):
            answers += model.predict(wanted[start : start + BATCH], **options)
    print_answers(wanted, answers, as_json, shown)


@contextmanager
def captioner(run: Path | str, options: dict[str, Any]) -> Iterator[Any]:
    """The caption model of a run's folder, or of a memory's file; or a server.

    Takes what concerns it out of the options, and leaves them as it takes them.
    """
    if isinstance(run, str):
        refused(**{name: options.pop(name) for name in (*LOCAL, "target", "grounded")})
        with pipeline_at(run, "caption", options) as served:
            yield served
        return
    from ravl.runs.run import open_memory, open_run
    from ravl.tasks.caption.model import CaptionPipeline

    memory, target = options.pop("memory"), options.pop("target")
    writer = writer_of(options.pop("generator"))
    if run.is_file():
        with memory_at(run) as opened:
            model = CaptionPipeline(opened, column=target, generator=writer)
            options["how"] = decoding(options, model.usual)
            yield model
        return
    fitted = open_run(run)
    with open_memory(fitted, memory, exact=False) as now, as_it_was(now) as opened:
        model = CaptionPipeline(opened, fitted, generator=writer)
        options["how"] = decoding(options, model.usual)
        yield model


def writer_of(generator: str | None) -> Any:
    """The generator of that name; None for none."""
    if not generator:
        return None
    from ravl.models.generation.constraints import processors
    from ravl.models.generation.loading import load_generator

    return load_generator(generator, constrain=processors)


def decoding(options: dict[str, Any], usual: Any) -> Any:
    """The decoding options out of the others, on top of what is usual."""
    from dataclasses import replace

    from ravl.errors import QueryError
    from ravl.models.generation.schemas import read_schema

    given = {name: options.pop(name) for name in DECODING}
    schema, grammar = options.pop("schema"), options.pop("grammar")
    if schema is not None:
        given["schema"] = read_schema(schema)
    if grammar is not None:
        try:
            given["grammar"] = grammar.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise QueryError(f"The grammar in {grammar} cannot be read: {error}.") from error
    return replace(usual, **{n: v for n, v in given.items() if v is not None and v != ()})


def _stream(model: Any, wanted: list[Path], options: dict[str, Any]) -> None:
    for picture in wanted:
        # Refused before anything is printed.
        print_pieces(str(picture), model.stream(picture, **while_written(options)))


def while_written(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a text that is printed as it is written."""
    judged = ("vote_only", "abstain", "grounded")
    return {name: value for name, value in options.items() if name not in judged}


def print_pieces(about: str, pieces: Iterable[str]) -> None:
    """A text as it is written, behind what it is about."""
    click.echo(f"{about}\t", nl=False)
    for piece in pieces:
        click.echo(flat(piece), nl=False)
    click.echo()


COMMANDS = (caption,)
