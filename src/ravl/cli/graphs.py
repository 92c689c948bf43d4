"""``ravl graph``: the approximate index of a memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ravl.cli.output import json_option, print_json

if TYPE_CHECKING:
    from ravl.memory.graphs import GraphReport


@click.command()
@click.argument("memory", type=click.Path(path_type=Path))
@click.option(
    "--least",
    type=click.IntRange(min=0),
    default=1_000_000,
    show_default=True,
    help="Searches use the index where there are so many vectors; with fewer they are exact.",
)
@click.option("--remove", is_flag=True, help="Delete the index; searches are exact again.")
@json_option
def graph(memory: Path, least: int, remove: bool, as_json: bool) -> None:
    """Build the approximate index of a large memory, or bring it up to date.

    Searches without a filter then compare a query with the vectors that a graph of near neighbours
    leads to, instead of with all. The share of the true neighbours that they find is measured, and
    ravl info shows it. Rows that change later count at once; run the command again when many have.
    Needs pip install "ravl[graph]".
    """
    from ravl.memory import Memory

    with Memory.open(memory) as opened:
        if remove:
            click.echo(f"{opened.remove_graphs()} files of the approximate index were deleted.")
            return
        found = opened.build_graphs(least)
    if as_json:
        print_json([each.to_json() for each in found])
        return
    for each in found:
        click.echo(f"{each.file.name}: {graph_line(each)}")
    if not found:
        click.echo("The memory has no vectors; there is nothing to build.")


def graph_line(graph: GraphReport) -> str:
    """A graph in a line."""
    recall = f"{100 * graph.recall:.1f} %"
    if graph.recall_across is not None:
        recall += f", and {100 * graph.recall_across:.1f} % between pictures and texts"
    later = f"; {graph.later:,} rows are later" if graph.later else ""
    idle = "" if graph.used else f"; not used: {_reason(graph)}"
    return f"{graph.vectors:,} vectors, finds {recall} of the ten nearest{later}{idle}"


def _reason(graph: GraphReport) -> str:
    if graph.vectors < graph.least:
        return f"searches are exact below {graph.least:,} vectors"
    return "its file is missing, damaged, or not of this machine: run ravl graph"


COMMANDS = (graph,)
