"""``ravl drift``: test whether the pictures have changed since the fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ravl.cli.answering import memory_option, place_argument
from ravl.cli.output import json_option, print_json, print_table
from ravl.cli.remote import (
    RUN,
    PlaceCommand,
    connect,
    key_option,
    name_option,
    refused,
    server_option,
)
from ravl.cli.settings import column_names, column_options
from ravl.files.whole_file import write_text

if TYPE_CHECKING:
    from ravl.client.info import SignalInfo
    from ravl.drift.report import Tested

DRIFTED = 3  # the exit code


@click.command(cls=PlaceCommand)
@place_argument
@click.argument("pictures", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--reference",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PICTURES",
    help="Make a new reference for the run, from normal pictures that it was not trained on.",
)
@click.option(
    "--rate",
    type=float,
    help="False alarm rate, over all signals together. [default: 0.05]",
)
@memory_option
@click.option("--html", type=click.Path(path_type=Path), help="Write a page with the pictures.")
@server_option
@name_option
@key_option
@json_option
def drift(
    run: Path | str,
    pictures: tuple[Path, ...],
    reference: tuple[Path, ...],
    rate: float | None,
    memory: Path | None,
    html: Path | None,
    as_json: bool,
    root: Path | None,
    **columns: object,
) -> int:
    """Test whether pictures differ from those that a run was fitted for.

    PICTURES are files, folders or tables, and need no labels; for match and ask they are tables
    with a text or a question each. The exit code is 3 if they have drifted, otherwise 0. With
    --server and without PICTURES, it reports on the pictures that the server has answered last.

    \b
    ravl drift runs/kinds today/
    ravl drift runs/kinds today.csv --html drift.html
    ravl drift runs/kinds --reference held-out/
    ravl drift --server http://127.0.0.1:8000 --run kinds
    """
    if isinstance(run, str):
        if pictures:
            raise click.UsageError(
                "A server reports on the pictures that it has answered: leave PICTURES out. "
                "Select one of its runs with --run NAME."
            )
        refused(reference=reference, rate=rate, memory=memory, html=html, root=root, **columns)
        return _print_served(run, as_json)
    if not pictures and not reference:
        raise click.UsageError("Give pictures to compare: a folder, files or a table.")
    from ravl.drift.comparing import detect_drift, make_reference
    from ravl.drift.report import RATE
    from ravl.tasks.model import Model

    names = column_names(columns)
    with Model(run, memory) as model:
        if reference:
            made = make_reference(model, list(reference), columns=names, root=root)
            click.echo(f"The reference now has {len(made.signals):,} pictures.", err=True)
        if not pictures:
            return 0
        found = detect_drift(
            model, list(pictures), rate=RATE if rate is None else rate, columns=names, root=root
        )
        if html:
            from ravl.drift.page import drift_page

            write_text(html, drift_page(found, model.memory, f"{run.name}: drift"))
    if as_json:
        print_json(found.to_json())
    else:
        click.echo(found.said)
        for note in found.notes:
            click.echo(note, err=True)
        _print_signals(found.signals)
        if html:
            click.echo(f"The page: {html}")
    return DRIFTED if found.drifted else 0


def _print_served(url: str, as_json: bool) -> int:
    """The drift of a run on a server: the run of ``--run``, or the first with a reference."""
    from ravl.errors import QueryError

    name = click.get_current_context().meta.get(RUN)
    with connect(url) as client:
        if name is None:
            names = [run.name for run in client.runs() if run.level]
            if not names:
                raise QueryError(f"There is no run at {url}, and a memory alone has no drift test.")
            name = names[0]
        found = client.drift(name)
    if as_json:
        print_json(found.to_json())
    else:
        click.echo(f"{found.run}: {found}")
        if found.since:
            click.echo(f"The pictures differ since {found.since} at the latest.")
        if found.windows:
            _print_signals(found.signals)
            click.echo(
                f"{found.alarms:,} of {found.windows:,} windows alarmed; the next window has "
                f"{found.waiting:,} of {found.window:,} pictures."
            )
    return DRIFTED if found.drifted else 0


def _print_signals(signals: Sequence[Tested | SignalInfo]) -> None:
    from ravl.drift.report import TITLES, words_of

    lines = [
        (TITLES[t.name], "drift" if t.drifted else "-", words_of(t.p), t.size, t.said)
        for t in signals
    ]
    print_table(["signal", "", "p", "effect", "what changed"], lines)


# Columns of pictures, texts and questions; labels and answers are not read.
for option in (*column_options[:2], *column_options[4:6]):
    drift = option(drift)

COMMANDS = (drift,)
