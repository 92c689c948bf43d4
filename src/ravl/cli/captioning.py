"""``ravl caption``: texts about pictures, by a fitted run or by a memory alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ravl.cli.answering import (
    expanded,
    how_options,
    place_argument,
    predict_each,
    print_answers,
)
from ravl.cli.options import Decorator, Options, with_options
from ravl.cli.output import flat
from ravl.cli.remote import (
    PlaceCommand,
    ServedPipeline,
    as_it_was,
    refused,
    served_pipeline,
    stored,
)
from ravl.errors import PictureError

if TYPE_CHECKING:
    from ravl.models.generation.base import Decoding, Generator
    from ravl.tasks.caption.model import CaptionPipeline

FREE: tuple[Decorator, ...] = (
    click.option(
        "--generator",
        metavar="SPEC",
        help="A generator in place of the run's own: hf:NAME, or openai:http://HOST:PORT/v1.",
    ),
    click.option("--instruction", default="", help="Style or audience, for chat models."),
    click.option(
        "--num-return-sequences", type=int, help="Number of different texts for each picture."
    ),
    click.option("--num-beams", type=int, help="Number of beams; 1 for greedy decoding."),
    click.option("--max-new-tokens", type=int, help="Maximal number of tokens."),
    click.option("--min-new-tokens", type=int, help="Minimal number of tokens."),
    click.option("--do-sample", is_flag=True, default=None, help="Sample words at random."),
    click.option(
        "--temperature",
        type=float,
        help="Temperature of the sampling; below 1 prefers likely words.",
    ),
    click.option("--top-p", type=float, help="Share of the probability to sample from."),
    click.option("--seed", type=int, help="Random seed of the sampling."),
    click.option("--require", multiple=True, help="A word or phrase that must occur."),
    click.option("--forbid", multiple=True, help="A word or phrase that must not occur."),
    click.option(
        "--schema",
        type=click.Path(path_type=Path),
        help="A file with a JSON schema that texts must satisfy.",
    ),
    click.option(
        "--grammar",
        type=click.Path(path_type=Path),
        help="A file with a Lark grammar that texts must satisfy.",
    ),
)
DECODING = (
    "num_return_sequences",
    "num_beams",
    "max_new_tokens",
    "min_new_tokens",
    "do_sample",
    "temperature",
    "top_p",
    "seed",
    "require",
    "forbid",
)

# not available on a server
LOCAL = ("generator", "num_beams", "min_new_tokens", "top_p", "schema", "grammar")


free_options = with_options(FREE)  # of all generated texts


@click.command(cls=PlaceCommand)
@place_argument
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path))
@free_options
@click.option("--target", metavar="COLUMN", help="Without a run: the column of texts.")
@click.option("--grounded", is_flag=True, help="Allow only nouns that the evidence contains.")
@click.option("--stream", is_flag=True, help="Print words while they are generated.")
@how_options
def caption(
    run: Path | str,
    pictures: tuple[Path, ...],
    stream: bool,
    as_json: bool,
    shown: int,
    no_retrieval: bool,
    **given: object,
) -> int:
    """Describe pictures: ravl caption runs/texts new.jpg

    Without a fitted run, give a memory in place of RUN: the answer is the neighbours' caption that
    is most similar to the others, or a --generator reads the captions and writes.
    """
    options: Options = {**given, "retrieval": not no_retrieval}
    wanted = expanded(pictures)
    with captioner(run, options) as model:
        if stream:
            return _stream(model, wanted, options)
        answers = predict_each(model, wanted, None, options)
    return print_answers(wanted, answers, as_json, shown)


@contextmanager
def captioner(run: Path | str, options: Options) -> Iterator[CaptionPipeline | ServedPipeline]:
    """The caption model of a run's folder, or of a memory's file; or a server.

    Removes its options from the dictionary; the other options stay.
    """
    from ravl.tasks.caption.task import CaptionTask

    if isinstance(run, str):
        refused(**{name: options.pop(name) for name in (*LOCAL, "target", "grounded")})
        with served_pipeline(run, CaptionTask.command, options) as served:
            yield served
        return
    from ravl.runs.run import open_memory, open_run
    from ravl.tasks.caption.model import CaptionPipeline

    memory, target = options.pop("memory"), options.pop("target")
    writer = writer_of(options.pop("generator"))
    if run.is_file():
        with stored(run) as opened:
            model = CaptionPipeline(opened, column=target, generator=writer)
            options["how"] = decoding(options, model.usual)
            yield model
        return
    fitted = open_run(run)
    with open_memory(fitted, memory, exact=False) as now, as_it_was(now) as opened:
        model = CaptionPipeline(opened, fitted, generator=writer)
        options["how"] = decoding(options, model.usual)
        yield model


def writer_of(generator: str | None) -> Generator | None:
    """The generator of that name; None without a name."""
    if not generator:
        return None
    from ravl.models.generation.constraints import processors
    from ravl.models.generation.loading import load_generator

    return load_generator(generator, constrain=processors)


def decoding(options: Options, usual: Decoding) -> Decoding:
    """The decoding options, with defaults for those not given."""
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


def _stream(model: CaptionPipeline | ServedPipeline, wanted: list[Path], options: Options) -> int:
    """Print the texts while they are generated; returns the exit code."""
    code = 0
    for picture in wanted:
        try:  # refused before anything is printed
            pieces = model.stream(picture, **while_written(options))
        except PictureError as error:
            if len(wanted) == 1:
                raise
            click.echo(f"ravl: {error}", err=True)
            code = 1
            continue
        print_pieces(str(picture), pieces)
    return code


def while_written(options: Options) -> Options:
    """The options of a streamed text."""
    judged = ("vote_only", "abstain", "grounded")
    return {name: value for name, value in options.items() if name not in judged}


def print_pieces(about: str, pieces: Iterable[str]) -> None:
    """Print a text while it is generated, after the name of its picture."""
    click.echo(f"{about}\t", nl=False)
    for piece in pieces:
        click.echo(flat(piece), nl=False)
    click.echo()


COMMANDS = (caption,)
