"""``ravl search``."""

from __future__ import annotations

from pathlib import Path

import click

from ravl.cli.options import Options
from ravl.cli.output import json_option, print_json, print_table, where_option
from ravl.cli.remote import (
    Place,
    PlaceCommand,
    at_option,
    key_option,
    memory_at,
    refused,
    server_option,
)
from ravl.files.whole_file import write_text


@click.command(cls=PlaceCommand)
@click.argument("memory", metavar="MEMORY", type=Place())
@click.argument("text", required=False)
@click.option("--image", type=click.Path(path_type=Path), help="Search with this picture.")
@click.option("--like", metavar="ID", help="Search with the picture of this row.")
@click.option(
    "--weight",
    default=0.5,
    show_default=True,
    help="Weight of the text against the picture, 0 to 1.",
)
@click.option("-k", default=10, show_default=True, help="Number of hits.")
@click.option(
    "--mode",
    type=click.Choice(["auto", "dense", "keyword", "fused"]),
    default="auto",
    show_default=True,
    help="By vectors (dense), by words (keyword), or both (fused).",
)
@click.option(
    "--target",
    type=click.Choice(["pictures", "texts"]),
    default="pictures",
    show_default=True,
    help="What to find.",
)
@where_option
@click.option("--exclude", metavar="ID", multiple=True, help="Exclude this row; may be repeated.")
@click.option("--min-score", type=float, help="Only hits with at least this score.")
@click.option(
    "--diversity", default=0.0, show_default=True, help="0: only similarity; up to 1: more variety."
)
@click.option("--collapse", is_flag=True, help="Only the best of each group of near-duplicates.")
@click.option(
    "--hubness",
    type=float,
    help="Strength of the hubness correction, 0 to 2. [default: stored in the memory]",
)
@click.option("--exact", is_flag=True, help="Compare with all vectors, not by ravl graph.")
@click.option(
    "--rerank",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Rerank the best hits with this run of ravl fit match.",
)
@click.option("--html", type=click.Path(path_type=Path), help="Write a page with thumbnails.")
@at_option
@server_option
@key_option
@json_option
def search(
    memory: Path | str,
    text: str | None,
    image: Path | None,
    like: str | None,
    weight: float,
    html: Path | None,
    as_json: bool,
    rerank: Path | None,
    **given: object,
) -> None:
    """Find pictures by a text, a picture, or both.

    \b
    ravl search shop.ravl "a red checked shirt" --where "price < 40"
    ravl search shop.ravl --image new.jpg --target texts
    ravl search shop.ravl "in blue" --like shirts/17.jpg --weight 0.3
    ravl search shop.ravl "a dog on a beach" --rerank runs/match
    """
    from ravl.memory import Memory
    from ravl.retrieval import Query

    options: Options = given
    query = Query(text, image, like, weight)
    if isinstance(memory, str):
        refused(html=html)
        options["rerank"] = rerank and str(rerank)
    with memory_at(memory) as opened:
        if rerank is not None and isinstance(opened, Memory):
            from ravl.tasks.model import Model

            options["rerank"] = Model(rerank, opened).reranker()
        hits = opened.search(query, **options)
        if html and isinstance(opened, Memory):
            from ravl.pages.search_page import Section, search_page

            page = search_page(opened, [Section(query, hits)], f"{opened.path.name}: search")
            write_text(html, page)
        if as_json:
            print_json(hits.to_json())
        elif html:
            click.echo(f"{len(hits)} hits in {html}")
        elif hits:
            lines = [
                (h.rank, f"{h.score:.3f}", h.id, h.text or h.row.caption, h.row.label or "")
                for h in hits
            ]
            print_table(["", "score", "id", "text", "label"], lines)
        else:
            click.echo("Nothing found.", err=True)


COMMANDS = (search,)
