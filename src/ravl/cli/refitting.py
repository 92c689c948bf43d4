"""``ravl refit`` and ``ravl rollback``: a run that keeps up with its memory."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from ravl.cli.answering import run_argument
from ravl.cli.output import json_option, print_json, quiet_option

IDLE = ("nothing", "waiting", "busy")  # nobody wants a nightly letter about these


@click.command()
@run_argument
@click.option(
    "--memory", type=click.Path(path_type=Path), help="Another memory than the run's own."
)
@click.option(
    "--promote",
    type=click.Choice(["better", "always", "never"]),
    default="better",
    show_default=True,
    help="When the new model replaces the old one: only if it is better by more than chance.",
)
@click.option(
    "--replay",
    type=int,
    default=0,
    metavar="N",
    help="Train on N old pictures at most, evenly over their labels. [default: all]",
)
@click.option(
    "--newest",
    type=float,
    default=0.2,
    show_default=True,
    help="Share of the new pictures that both are judged by.",
)
@click.option(
    "--if-new",
    type=int,
    default=0,
    metavar="N",
    help="Do nothing unless N pictures were labelled since the last refit.",
)
@click.option("--if-drift", is_flag=True, help="Do nothing unless incoming pictures have drifted.")
@click.option("--dry-run", is_flag=True, help="Only say what is new.")
@quiet_option
@json_option
def refit(run: Path, quiet: bool, as_json: bool, **options: object) -> None:
    """Fit a run again with what its memory has learned, and keep the better of the two.

    The old training pictures are trained on again, with the new ones; a share of these is held out.
    Old and new model are judged on the same pictures: the old test part, which nothing ever learns
    from, and the newest. Earlier versions are kept: see ravl rollback.

    Made for cron and systemd timers: it ends with 0 if it refitted, where nothing is new, where
    it waits for --if-new or --if-drift, and where another process refits the run; with 1 where
    something is wrong. Off a terminal it prints nothing where it did nothing. Killed, it leaves a
    run that answers, and the same command goes on.
    """
    from ravl.refitting import refit as attempt

    found = attempt(
        run,
        progress=False if quiet or as_json else None,
        command=shlex.join(["ravl", *sys.argv[1:]]),
        **options,  # type: ignore[arg-type]
    )
    if as_json:
        print_json(found.to_json())
    elif not quiet and (found.state not in IDLE or options["dry_run"] or sys.stdout.isatty()):
        for line in found.summary():
            click.echo(line)
        if found.page is not None:
            click.echo(f"The report: {found.page}")


@click.command()
@run_argument
@click.argument("version", type=int, required=False)
@json_option
def rollback(run: Path, version: int | None, as_json: bool) -> None:
    """Put an earlier VERSION of a refitted run back, by default the one before.

    The versions are in RUN/history, and what made them in RUN/refits.json. To go forward again,
    name the later version.
    """
    from ravl.refitting import rollback as put_back

    number = put_back(run, version)
    if as_json:
        print_json({"run": str(run), "version": number})
    else:
        click.echo(f"{run} answers with version {number} now.")


@click.command()
@click.argument("memory", type=click.Path(path_type=Path))
@click.argument("ids", nargs=-1, required=True)
@click.option(
    "--audit",
    "runs",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="RUN",
    help="Tell whether this run has learned from the rows; may be repeated.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def forget(
    memory: Path, ids: tuple[str, ...], runs: tuple[Path, ...], yes: bool, as_json: bool
) -> None:
    """Delete rows by IDS for good, and tell which runs have learned from them.

    As ravl delete and then ravl compact. A run keeps in its weights what it has learned; for each
    that has, and each of its earlier versions, it is said what to do.
    """
    from ravl.memory import Memory
    from ravl.refitting import forgetting

    with Memory.open(memory) as opened:
        found = forgetting.trace(opened, ids, runs)
        if not as_json:
            for each in found:
                click.echo(
                    f"{each.folder}: {len(each.learned):,} learned from, {len(each.judged):,} "
                    "judged by"
                )
            if runs and not found:
                click.echo("None of the runs has learned from them.")
        if not yes:
            click.confirm(f"Delete {len(ids):,} rows for good?", abort=True)
        forgetting.forget(opened, ids)
    if as_json:
        print_json({"deleted": len(ids), "runs": [each.to_json() for each in found]})
        return
    click.echo(f"Deleted {len(ids):,} rows; {memory} holds nothing of them any more.")
    for each in found:
        if each.remedy:
            click.echo(f"  {each.remedy}")


COMMANDS = (refit, rollback, forget)
