"""``ravl drift``: whether the pictures are still those of fitting time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ravl.cli.answering import memory_option, run_argument
from ravl.cli.output import json_option, print_json, print_table
from ravl.cli.settings import column_names, column_options

DRIFTED = 3  # the exit code


@click.command()
@run_argument
@click.argument("pictures", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--reference", multiple=True, type=click.Path(path_type=Path), metavar="PICTURES",
    help="Make the run's reference anew from pictures of fitting time that it was not trained on.",
)  # fmt: skip
@click.option(
    "--rate", type=float, default=0.05, show_default=True,
    help="How often there may be a false alarm, over all signals together.",
)  # fmt: skip
@memory_option
@click.option("--html", type=click.Path(path_type=Path), help="Write a page with the pictures.")
@json_option
def drift(
    run: Path, pictures: tuple[Path, ...], reference: tuple[Path, ...], rate: float,
    memory: Path | None, html: Path | None, as_json: bool, **options: Any,
) -> int:  # fmt: skip
    """Tell whether pictures differ from those that a run was fitted for.

    PICTURES are files, folders or tables, and need no labels; for match and ask they are tables
    with a text or a question each. The exit code is 3 where they have drifted, and 0 where they
    have not.

    \b
    ravl drift runs/kinds today/
    ravl drift runs/kinds today.csv --html drift.html
    ravl drift runs/kinds --reference held-out/
    """
    if not pictures and not reference:
        raise click.UsageError("Name pictures to compare: a folder, files or a table.")
    from ravl.drift.comparing import detect_drift, make_reference
    from ravl.tasks.model import Model

    how = {"columns": column_names(options), **options}
    with Model(run, memory) as model:
        if reference:
            made = make_reference(model, list(reference), **how)
            click.echo(f"The reference is now of {len(made.signals):,} pictures.", err=True)
        if not pictures:
            return 0
        found = detect_drift(model, list(pictures), rate=rate, **how)
        if html:
            from ravl.drift.page import drift_page

            html.write_text(drift_page(found, model.memory, f"{run.name}: drift"), "utf-8")
    if as_json:
        print_json(found.to_json())
    else:
        _print(found, html)
    return DRIFTED if found.drifted else 0


def _print(found: Any, html: Path | None) -> None:
    from ravl.drift.report import TITLES, words_of

    click.echo(found.said)
    for note in found.notes:
        click.echo(note, err=True)
    lines = [
        (TITLES[t.name], "drift" if t.drifted else "-", words_of(t.p), t.size, t.said)
        for t in found.signals
    ]
    print_table(["signal", "", "p", "effect", "what changed"], lines)
    if html:
        click.echo(f"The page: {html}")


# Where the pictures are, and what is asked about them; labels and answers are not read.
for option in (*column_options[:2], *column_options[4:6]):
    drift = option(drift)

COMMANDS = (drift,)
