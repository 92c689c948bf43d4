"""``ravl refit`` and ``ravl rollback``: update a run after changes of its memory."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from ravl.cli.answering import run_argument
from ravl.cli.output import json_option, print_json, quiet_option

IDLE = ("nothing", "waiting", "busy")  # cron should not send a mail about these


@click.command()
@run_argument
@click.option(
    "--memory", type=click.Path(path_type=Path), help="A memory in place of the run's own."
)
@click.option(
    "--promote",
    type=click.Choice(["better", "always", "never"]),
    default="better",
    show_default=True,
    help="When the new model replaces the old one; by default only if it is clearly better.",
)
@click.option(
    "--replay",
    type=int,
    default=0,
    metavar="N",
    help="Train on at most N old pictures, evenly over their labels. [default: all]",
)
@click.option(
    "--newest",
    type=float,
    default=0.2,
    show_default=True,
    help="Share of the new pictures for the evaluation of both models.",
)
@click.option(
    "--if-new",
    type=int,
    default=0,
    metavar="N",
    help="Do nothing unless N pictures were labelled since the last refit.",
)
@click.option("--if-drift", is_flag=True, help="Do nothing unless incoming pictures have drifted.")
@click.option("--dry-run", is_flag=True, help="Only print what is new.")
@quiet_option
@json_option
def refit(run: Path, quiet: bool, as_json: bool, **options: object) -> None:
    """Fit a run again on its changed memory, and keep the better version.

    The new model is trained on the old and the new pictures; a share of the new pictures is held
    out. Both models are evaluated on the same pictures: the old test split, which is never used for
    training, and the held-out new pictures. Earlier versions are kept: see ravl rollback.

    Made for cron and systemd timers: the exit code is 0 after a refit, and also if nothing is new,
    if --if-new or --if-drift is not reached, or if another process refits the run; it is 1 after an
    error. Outside a terminal it prints nothing if it did nothing. If it is killed, the run still
    answers, and the same command continues.
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
    """Restore an earlier VERSION of a refitted run.

    Without VERSION the command undoes the last refit. If you repeat it, also after it was killed,
    it changes nothing: to go further back, give the number of a version. To go forward again, give
    the later version. The versions are in RUN/history, and their refits in RUN/refits.json.
    """
    from ravl.refitting import rollback as put_back
    from ravl.refitting.versions import versions

    number = put_back(run, version)
    if as_json:
        print_json({"run": str(run), "version": number})
    else:
        names = ", ".join(map(str, versions(run)))
        click.echo(f"{run} now answers with version {number}. Its versions are {names}.")


COMMANDS = (refit, rollback)
