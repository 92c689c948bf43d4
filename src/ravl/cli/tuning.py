"""``ravl tune``: a search for the settings of a fit."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ravl.cli.options import Options
from ravl.cli.output import json_option, print_json, quiet_option
from ravl.cli.rows import memory_argument
from ravl.cli.settings import SettingsCommand, column_names, data_options, given
from ravl.cli.task_commands import TaskGroup

if TYPE_CHECKING:
    from ravl.tasks.contract import Task
    from ravl.tuning.tune import TuneReport

ABOUT = """Search for the settings with which `ravl fit {task}` is best on the validation split.

Each trial is one fit; poor trials are stopped early. The best settings are then fitted completely,
into RUN/best, with a report on the test split, which the search does not use. Repeat the command to
continue after an interruption, or with more --trials to continue after the end.

Settings that you give as options are fixed. The search space of the other settings is in the
package's search_space.yaml, or in your own file given by --space. Needs: ravl[tune].
"""


def _command(task: Task) -> click.Command:
    """``ravl tune classify`` and its kin."""

    @memory_argument
    @click.option(
        "--out",
        type=click.Path(path_type=Path),
        required=True,
        help="A new folder for the search, or the folder of a search to continue.",
    )
    @click.option(
        "--trials",
        type=int,
        default=20,
        show_default=True,
        help="Total number of trials, including those of an interrupted search.",
    )
    @click.option(
        "--timeout", type=float, help="Seconds after which no new trial starts. [default: no limit]"
    )
    @click.option(
        "--space", type=click.Path(path_type=Path), help="A YAML file with the search space."
    )
    @data_options
    @quiet_option
    @json_option
    def run(memory: Path, out: Path, quiet: bool, as_json: bool, **options: object) -> None:
        _tune(task.command, memory, out, quiet, as_json, options)

    return SettingsCommand(
        task.command,
        task=task.command,
        callback=run,
        help=ABOUT.format(task=task.command),
        params=list(reversed(getattr(run, "__click_params__", []))),
    )


@click.group(cls=TaskGroup, make=_command)
def tune() -> None:
    """Search for the settings with which a fit is best."""


def _tune(task: str, memory: Path, out: Path, quiet: bool, as_json: bool, options: Options) -> None:
    from ravl.tuning.tune import kept
    from ravl.tuning.tune import tune as search

    columns = column_names(options)
    try:
        report = search(
            task,
            memory,
            out=out,
            columns=columns,
            progress=False if quiet or as_json else None,
            command=shlex.join(["ravl", *sys.argv[1:]]),
            **given(options),
        )
    except KeyboardInterrupt:
        click.echo(
            f"Interrupted. Stored trials: {kept(out):,}. Repeat the same command to continue.",
            err=True,
        )
        raise
    if as_json:
        print_json(report.to_json())
    elif not quiet:
        _print(report)


def _print(report: TuneReport) -> None:
    from ravl.evaluation import is_percent

    best, out = report.best, report.out
    click.echo(f"Trials: {report.counts()}, in {report.seconds:,.0f} s.")
    found = best.scores.get(report.measure, 0.0)
    score = f"{100 * found:.1f} %" if is_percent(report.measure) else f"{found:.4g}"
    click.echo(
        f"The best is trial {best.number}: {report.measure} {score} on the validation split."
    )
    for name, value in best.parameters.items():
        click.echo(f"  {name}: {value:.3g}" if isinstance(value, float) else f"  {name}: {value}")
    click.echo(f"Fitted completely with it, on the test split: {report.judged()}.")
    click.echo(f"The run: {out / 'best'}   its settings, for --config: {out / 'best.yaml'}")
    click.echo(f"The report: {out / 'report.html'}   all trials: {out / 'trials.csv'}")


COMMANDS = (tune,)
