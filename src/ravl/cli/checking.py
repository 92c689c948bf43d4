"""``ravl check``: rows of a memory that are likely wrong, and fixes."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ravl.cli.output import SHOWN, flat, json_option, print_json, print_table, where_option
from ravl.files.whole_file import write_text

if TYPE_CHECKING:
    from ravl.checking.check import Check
    from ravl.checking.fixes import FixReport
    from ravl.checking.issue import Fix, Kind

# As in ravl.checking.issue, whose imports would slow down `ravl --help`.
KINDS: dict[Kind, Fix | None] = {
    "mislabel": "relabel",
    "conflict": "relabel",
    "duplicate": "merge",
    "hub": "drop",
    "text": None,
    "outlier": "drop",
    "imbalance": None,
    "unencoded": None,
    "broken": "drop",
    "blank": "drop",
    "blurred": "drop",
}
FIXES = ("relabel", "drop", "merge")
LISTED = 5  # printed findings per kind


@click.command()
@click.argument("memory", type=click.Path(path_type=Path))
@click.option("--html", type=click.Path(path_type=Path), help="Write a page with pictures.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(list(KINDS)),
    help="Look for this kind of fault; may be repeated. [default: all]",
)
@click.option(
    "--fix",
    "how",
    type=click.Choice(FIXES),
    help="Fix the findings: give rows their likely label, move rows to the trash, or merge "
    "near-duplicates into one row.",
)
@click.option(
    "--least",
    type=click.FloatRange(0, 1),
    default=0.9,
    show_default=True,
    help="Minimal score of findings for --fix.",
)
@click.option(
    "--id",
    "ids",
    multiple=True,
    metavar="ID",
    help="With --fix, fix only findings about this row, with any score; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="With --fix, only print what would be done.")
@click.option("--fast", is_flag=True, help="Do not open pictures: skip broken, blank and blurred.")
@where_option
@json_option
def check(
    memory: Path,
    html: Path | None,
    kinds: tuple[Kind, ...],
    how: Fix | None,
    least: float,
    ids: tuple[str, ...],
    dry_run: bool,
    fast: bool,
    where: str | None,
    as_json: bool,
) -> None:
    """Look for rows that are likely wrong, ranked, with reasons.

    Kinds: labels that other rows contradict, near-duplicates, rows that mislead many others, texts
    that do not fit, outliers, rare labels; broken, blank and blurred pictures. Nothing is changed
    without --fix. A fix is one version, which ravl revert undoes.
    """
    from ravl.checking.check import check as look
    from ravl.checking.fixes import fix
    from ravl.memory import Memory

    if how is None and (ids or dry_run):
        raise click.UsageError("--id and --dry-run need --fix.")
    if html is not None and not html.parent.is_dir():
        raise click.UsageError(f"There is no folder {html.parent} for the page. Make it first.")
    if how is not None:
        kinds = kinds or tuple(kind for kind, fixes in KINDS.items() if fixes == how)
    with Memory.open(memory) as opened:
        found = look(opened, kinds=kinds, where=where, fast=fast)
        if html is not None:
            from ravl.pages.check_page import check_page

            write_text(html, check_page(opened, found, str(memory)))
        if how is None:
            _show(found, memory, html, as_json)
            return
        report = fix(opened, found.findings, how, least=least, ids=ids, dry_run=dry_run)
    if as_json:
        print_json({**report.to_json(), "dry_run": dry_run})
    else:
        _say(report, memory, least, dry_run)


def _show(found: Check, memory: Path, html: Path | None, as_json: bool) -> None:
    """The findings with the highest scores of each kind, and the counts."""
    if as_json:
        print_json(found.to_json())
        return
    lines = [
        (
            each.kind,
            f"{each.score:.2f}",
            each.fix or "",
            ", ".join(each.ids[:3]) + (", ..." if len(each.ids) > 3 else ""),
            each.why,
        )
        for kind in found.kinds
        for each in islice(found.of(kind), LISTED)
    ]
    if lines:
        print_table(["kind", "score", "fix", "rows", "why"], lines)
    counts = ", ".join(f"{kind} {count:,}" for kind, count in found.counts.items() if count)
    click.echo(
        f"{found.rows:,} rows in {found.seconds:.0f} s: {counts or 'nothing found'}.", err=True
    )
    if html is not None:
        click.echo(f"See them in {html}", err=True)
    elif lines:
        click.echo(f"See all with pictures: ravl check {memory} --html FILE", err=True)


def _say(report: FixReport, memory: Path, least: float, dry_run: bool) -> None:
    """The result of a fix or dry run, and how to undo it."""
    lines = [f"{id}: {old} -> {new}" for id, old, new in report.relabelled]
    lines += [f"{id}: to the trash" for id in report.dropped]
    lines += [f"{id}: takes over the data of {', '.join(its)}" for id, its in report.merged.items()]
    for line in lines[:SHOWN]:
        click.echo(flat(line))
    if len(lines) > SHOWN:
        click.echo(f"... and {len(lines) - SHOWN:,} more")
    if not lines:
        click.echo(f"There is nothing to {report.fix} with a score of {least:g} or more.")
    elif dry_run:
        click.echo("Nothing was changed: a dry run.", err=True)
    elif report.version is not None:
        back = f"ravl revert {memory} {report.version - 1}"
        click.echo(f"This is version {report.version}; undo it with: {back}", err=True)


COMMANDS = (check,)
