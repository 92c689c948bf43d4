"""``ravl info``, ``list``, ``get``, ``update``, ``delete``, ``log``: show and edit rows."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ravl.cli.graphs import graph_line
from ravl.cli.output import json_option, print_json, print_table, where_option
from ravl.cli.remote import (
    Place,
    PlaceCommand,
    connect,
    key_option,
    memory_at,
    refused,
    server_option,
    stored,
)

if TYPE_CHECKING:
    from ravl.client import Client
    from ravl.data.example import Scalar
    from ravl.memory import Memory

memory_argument = click.argument("memory", type=click.Path(path_type=Path))
place_argument = click.argument("memory", metavar="MEMORY", type=Place())


@click.command(cls=PlaceCommand)
@click.argument("memory", metavar="[MEMORY]", type=Place(), required=False)
@click.option("--quarantine", is_flag=True, help="List files that could not be read, with reasons.")
@click.option(
    "--plugins",
    is_flag=True,
    help="List tasks, encoders, readers, generators and metrics, and the package of each.",
)
@json_option
@server_option
@key_option
def info(memory: Path | str | None, quarantine: bool, plugins: bool, as_json: bool) -> None:
    """Show the content of a memory and what is missing; or what a server offers."""
    if plugins:
        if memory is not None or quarantine:
            raise click.UsageError("--plugins is about this installation. Leave out the rest.")
        _print_plugins(as_json)
        return
    if memory is None:
        raise click.UsageError("Missing argument 'MEMORY'.")
    if isinstance(memory, str):
        refused(quarantine=quarantine)
        _print_server(memory, as_json)
        return
    with stored(memory) as opened:
        if quarantine:
            aside = opened.quarantine()
            if as_json:
                print_json([r.to_json() for r in aside])
            else:
                print_table(["place", "reason"], [(r.place, r.reason) for r in aside])
            return
        found = opened.info()
        if as_json:
            print_json(found.to_json())
            return
        labels = ", ".join(f"{name} {count:,}" for name, count in islice(found.labels.items(), 8))
        more = "" if len(found.labels) <= 8 else f", ... ({len(found.labels):,} labels)"
        lines = [
            ("rows", f"{found.rows:,}"),
            ("pictures", f"{found.pictures:,} ({found.copied:,} copied in)"),
            ("texts", f"{found.texts:,}"),
            ("questions and answers", f"{found.question_answers:,}"),
            ("labels", labels + more or "none"),
            ("tags", f"{found.tags:,} different"),
            ("columns", ", ".join(found.columns) or "none"),
            ("pictures without text", f"{found.without_text:,}"),
            ("pictures without label", f"{found.without_label:,}"),
            ("pictures without vector", f"{found.without_vector:,}"),
            ("near-duplicates", f"{found.near_duplicates:,}"),
            ("set aside", f"{found.quarantined:,}"),
            ("encoder", f"{found.encoder} ({found.fingerprint}, {found.dimension} dimensions)"),
            ("version", f"{found.version:,}"),
            ("file", f"{found.path} ({found.bytes / 2**20:,.1f} MB)"),
            *(("approximate index", graph_line(graph)) for graph in found.graphs),
        ]
        print_table(["", ""], lines)


def _print_plugins(as_json: bool) -> None:
    import warnings

    from ravl.plugins import listed

    with warnings.catch_warnings():  # the table says the same
        warnings.simplefilter("ignore")
        found = listed()
    if as_json:
        print_json([asdict(plugin) for plugin in found])
        return
    rows = [
        (p.group.removeprefix("ravl."), p.name, p.target, f"{p.package} {p.version}", p.problem)
        for p in found
    ]
    print_table(["kind", "name", "where", "package", "problem"], rows)


def _print_server(url: str, as_json: bool) -> None:
    with connect(url) as client:
        found = client.info()
    if as_json:
        print_json(asdict(found))
        return
    memory = found.memory
    labels = [f"{name} {count:,}" for name, count in memory["labels"].items()]
    lines = [
        ("memory", memory["name"]),
        ("rows", f"{memory['rows']:,}"),
        ("pictures", f"{memory['pictures']:,}"),
        ("labels", ", ".join(labels[:8]) + (", ..." if len(labels) > 8 else "") or "none"),
        ("columns", ", ".join(memory["columns"]) or "none"),
        ("encoder", memory["encoder"]),
        ("version", f"{memory['version']:,}"),
        *((run.task, f"{run.name} ({run.level or 'the memory alone'})") for run in found.runs),
    ]
    print_table(["", ""], lines)


@click.command(name="list", cls=PlaceCommand)
@place_argument
@where_option
@click.option("--limit", default=50, show_default=True, help="Maximal number of rows; 0 for all.")
@click.option("--count", is_flag=True, help="Print only the number of rows.")
@json_option
@server_option
@key_option
def list_(memory: Path | str, where: str | None, limit: int, count: bool, as_json: bool) -> None:
    """List rows."""
    with memory_at(memory) as opened:
        if count:
            click.echo(opened.count(where))
            return
        found = islice(opened.rows(where), limit or None)
        if as_json:
            print_json([row.to_json() for row in found])
        else:
            lines = ((r.id, r.label or "", r.caption, ", ".join(r.tags)) for r in found)
            print_table(["id", "label", "text", "tags"], lines)


@click.command(cls=PlaceCommand)
@place_argument
@click.argument("id")
@server_option
@key_option
def get(memory: Path | str, id: str) -> None:
    """Print one row as JSON."""
    with memory_at(memory) as opened:
        print_json(opened.get(id).to_json())


@click.command(cls=PlaceCommand)
@place_argument
@click.argument("id")
@click.option("--label", help="The label; '' deletes it.")
@click.option("--text", multiple=True, help="The texts, in place of the old ones; may be repeated.")
@click.option("--tag", multiple=True, help="The tags, in place of the old ones; may be repeated.")
@click.option(
    "--set",
    "columns",
    metavar="NAME=VALUE",
    multiple=True,
    help="A column; an empty value deletes it. A column that holds texts keeps the value as it is "
    "written, otherwise 1.10 is a number; in double quotes it is a text.",
)
@server_option
@key_option
def update(
    memory: Path | str,
    id: str,
    label: str | None,
    text: tuple[str, ...],
    tag: tuple[str, ...],
    columns: tuple[str, ...],
) -> None:
    """Change the label, texts, tags or columns of a row."""
    assigned = [_assignment(each) for each in columns]
    with memory_at(memory) as opened:
        row = opened.update(
            id,
            label=label,
            texts=text or None,
            tags=tag or None,
            columns={name: _value(opened, name, text) for name, text in assigned} or None,
        )
        print_json(row.to_json())


@click.command(cls=PlaceCommand)
@place_argument
@click.argument("ids", nargs=-1)
@where_option
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@server_option
@key_option
def delete(memory: Path | str, ids: tuple[str, ...], where: str | None, yes: bool) -> None:
    """Delete rows by id or by a filter; picture files stay."""
    with memory_at(memory) as opened:
        if where is not None:
            click.echo(
                f"The filter takes {opened.count(where):,} of {opened.count():,} rows of {memory}.",
                err=True,
            )
            if not yes:
                click.confirm("Delete them?", abort=True, err=True)
        click.echo(f"Deleted {opened.delete(ids, where=where):,} rows.")


@click.command()
@memory_argument
@click.argument("id", required=False)
@click.option("--limit", default=20, show_default=True, help="Maximal number of versions.")
@json_option
def log(memory: Path, id: str | None, limit: int, as_json: bool) -> None:
    """Show who changed what and when, newest first."""
    from ravl.memory import Memory

    with Memory.open(memory) as opened:
        versions = opened.history(id, limit)
        if as_json:
            print_json([v.to_json() for v in versions])
            return
        lines = [
            (v.number, v.at[:19], v.who, v.what, f"+{v.added} ~{v.updated} -{v.deleted}")
            for v in versions
        ]
        print_table(["version", "when (UTC)", "who", "what", "rows"], lines)


def _assignment(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise click.BadParameter(f"{text!r} is not of the form NAME=VALUE.", param_hint="--set")
    return name, value


def _value(memory: Memory | Client, name: str, text: str) -> Scalar:
    """What a column is set to: as in a table, a column that holds a text holds only texts."""
    from ravl.data.readers.cells import infer

    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1]
    return text if text.strip() and _holds_texts(memory, name) else infer(text)


def _holds_texts(memory: Memory | Client, name: str) -> bool:
    from ravl.errors import FilterError

    quoted = name.replace("`", "``")
    try:
        return memory.count(f'`columns.{quoted}` >= ""') > 0  # every text is, and no number
    except FilterError:  # no row has the column
        return False


COMMANDS = (info, list_, get, update, delete, log)
