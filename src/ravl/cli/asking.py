"""``ravl ask``: questions about a picture, answered by a fitted run or by a memory alone."""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten
from typing import Any

import click

from ravl.cli.answering import LONGEST, how_options, run_argument
from ravl.cli.output import print_json


@click.command()
@run_argument
@click.argument("picture", type=click.Path(path_type=Path))
@click.argument("questions", nargs=-1, required=True)
@how_options
def ask(run: Path, picture: Path, questions: tuple[str, ...], **options: Any) -> None:
    """Answer questions about a picture: ravl ask runs/shop new.jpg "what colour is it?"

    Without anything fitted, name a memory in place of RUN: its answered questions vote, those that
    are alike in picture and in question.
    """
    from ravl.tasks.model import load

    as_json, shown = options.pop("as_json"), options.pop("shown")
    options["retrieval"] = not options.pop("no_retrieval")
    with load(run, options.pop("memory")) as model:
        answers = model.ask(picture, list(questions), **options)
    if as_json:
        print_json([{"picture": str(picture), **answer.to_json()} for answer in answers])
        return
    for answer in answers:
        click.echo(f"{answer.question}\t{answer}")
        if shown:
            _print_evidence(answer, shown)


def _print_evidence(answer: Any, shown: int) -> None:
    """Answered questions and passages that an answer rests on, a line each."""
    texts = answer.passages
    if not answer.quoted:
        model = ", ".join(f"{n} {100 * p:.0f} %" for n, p in list(answer.model.items())[:2])
        memory = ", ".join(f"{n} {100 * p:.0f} %" for n, p in list(answer.memory.items())[:2])
        click.echo(f"    memory {100 * answer.gate:.0f} %: {memory or '-'};  model: {model or '-'}")
        for item in [item for item in answer.evidence if item.row.hash is not None][:shown]:
            said = f"{item.says[0]} {', '.join(item.says[1:])}"
            click.echo(_line(item, said))
    for item in texts[:shown]:
        click.echo(_line(item, item.says[0]))


def _line(item: Any, said: str) -> str:
    words = shorten(said, LONGEST, placeholder=" ...")
    return f"    {100 * item.share:5.1f} %  {item.likeness:.2f}  {item.id}  {words}"


COMMANDS = (ask,)
