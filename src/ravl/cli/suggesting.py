"""``ravl suggest``: which pictures to label next."""

from __future__ import annotations

from pathlib import Path

import click

from ravl.cli.answering import memory_option
from ravl.cli.output import json_option, print_json, print_table, where_option
from ravl.files.whole_file import write_text


@click.command()
@click.argument("place", metavar="RUN_OR_MEMORY", type=click.Path(path_type=Path))
@click.option("--count", "-n", default=20, show_default=True, help="Number of pictures.")
@click.option("--column", help="For a memory: the column of the label.")
@where_option
@memory_option
@click.option("--html", type=click.Path(path_type=Path), help="Write a page with the pictures.")
@json_option
def suggest(
    place: Path,
    count: int,
    column: str | None,
    where: str | None,
    memory: Path | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Select the unlabelled pictures of a memory that are most useful to label.

    A run of classify or tag also uses its uncertainty; a memory alone selects pictures that
    represent the others best.

    \b
    ravl suggest runs/kinds --count 50 --html label.html
    ravl suggest shop.ravl
    """
    from ravl.tasks.labels.active_learning import suggest as find
    from ravl.tasks.model import Model

    with Model(place, memory) as model:
        found = find(model, count, where=where, column=column)
        if html:
            from ravl.tasks.labels.suggest_page import suggest_page

            page = suggest_page(model.memory, found, f"{place.name}: worth labelling")
            write_text(html, page)
    if as_json:
        print_json([one.to_json() for one in found])
        return
    lines = [
        (i, one.row.id, one.answer.said if one.answer else "", one.reason)
        for i, one in enumerate(found, 1)
    ]
    print_table(["", "id", "answer so far", "why"], lines)
    if html:
        click.echo(f"The page: {html}", err=True)


COMMANDS = (suggest,)
