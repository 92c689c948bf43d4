"""``ravl augment``: a run writes data for pictures that lack it."""

from __future__ import annotations

from pathlib import Path

import click

from ravl.cli.answering import memory_option, run_argument
from ravl.cli.output import json_option, print_json, quiet_option, where_option


@click.command()
@run_argument
@memory_option
@where_option
@click.option(
    "--least",
    type=float,
    default=0.0,
    show_default=True,
    help="Keep answers with at least this confidence, 0 to 1.",
)
@click.option("--again", is_flag=True, help="Replace data that was generated before.")
@click.option("--limit", type=int, help="Maximal number of pictures.")
@click.option(
    "--question",
    "questions",
    multiple=True,
    help="A question for each picture, for a run of ask; may be repeated.  [default: the most "
    "frequent questions of the memory]",
)
@quiet_option
@json_option
def augment(
    run: Path,
    memory: Path | None,
    where: str | None,
    least: float,
    again: bool,
    limit: int | None,
    questions: tuple[str, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Let a run of caption, classify, tag or ask write data that pictures of its memory lack.

    The data goes into separate columns (generated_caption, generated_label, generated_tags,
    generated_qa, with generated_confidence and generated_by). It is only used on request: ravl fit
    caption --use-generated, ravl fit ask --use-generated.
    """
    from dataclasses import asdict

    from ravl.tasks.augment import augment as write
    from ravl.tasks.model import load

    with load(run, memory) as model:
        done = write(
            model,
            where=where,
            least=least,
            again=again,
            limit=limit,
            questions=questions,
            progress=False if quiet or as_json else None,
        )
        name = model.memory.path.name
    if as_json:
        print_json(asdict(done))
    elif not quiet:
        click.echo(
            f"{done.written:,} rows of {name} now have a {done.column}; {done.unsure:,} were too "
            f"unsure, {done.broken:,} pictures could not be read."
        )


COMMANDS = (augment,)
