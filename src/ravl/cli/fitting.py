"""``ravl fit``: training on a memory's own pictures and texts."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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

out_option = click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="A new folder for the run."
)
config_option = click.option(
    "--config", type=click.Path(path_type=Path), help="A YAML file with any of the settings below."
)


def _task_command(task: Task) -> click.Command:
    """``ravl fit classify`` and its kin."""

    @memory_argument
    @out_option
    @data_options
    @config_option
    @quiet_option
    @json_option
    def run(memory: Path, out: Path, quiet: bool, as_json: bool, **options: object) -> None:
        _fit(task.command, memory, out, quiet, as_json, options)

    return SettingsCommand(
        task.command,
        task=task.command,
        callback=run,
        help=task.about or f"Fit a model that {task.purpose}, with the memory's help.",
        params=list(reversed(getattr(run, "__click_params__", []))),
    )


@click.group(cls=TaskGroup, make=_task_command)
def fit() -> None:
    """Train on the rows of a memory, and report the gain."""


@fit.command(name="search", cls=SettingsCommand, task="search")
@memory_argument
@out_option
@click.option(
    "--test",
    metavar="FILTER",
    help="Filter of the test pictures. [default: a random tenth]",
)
@click.option(
    "--validation",
    metavar="FILTER",
    help="Filter of the validation pictures. [default: a random tenth]",
)
@config_option
@quiet_option
@json_option
def fit_search(memory: Path, out: Path, quiet: bool, as_json: bool, **options: object) -> None:
    """Train the retriever, so that texts find their pictures, and pictures their texts.

    Small heads on top of the encoder's networks are trained on the memory's captions, labels, tags
    and questions; with --tune-vision and --tune-text, copies of the networks are trained, too. The
    memory then uses the trained space, and RUN contains a report.
    """
    from ravl.tasks.fit import fit as train
    from ravl.tasks.search.results import RetrieverReport
    from ravl.training.processes import is_main_process

    shown = False if quiet or as_json else None
    with _told_if_interrupted():
        report = train("search", memory, out=out, progress=shown, **given(options))
    assert isinstance(report, RetrieverReport)
    if not is_main_process():  # of several processes of torchrun only the first prints
        return
    if as_json:
        print_json(
            {
                "out": str(out),
                "adopted": report.adopted,
                "hubness": report.hubness,
                "metrics": report.metrics,
            }
        )
    elif not quiet:
        click.echo(
            f"Trained {report.seconds:.0f} s, {len(report.curve)} epochs. On the test pictures, "
            "before -> after (difference), with 95 % intervals:"
        )
        for line in report.summary():
            click.echo(line)
        if report.adopted:
            click.echo(f"{memory} now has the trained space.")
        else:
            click.echo(f"{memory} keeps its old space: the new one was not better on validation.")
        click.echo(f"The report: {out / 'report.html'}")


def _fit(task: str, memory: Path, out: Path, quiet: bool, as_json: bool, options: Options) -> None:
    from ravl.tasks.fit import fit as train
    from ravl.training.fit_report import FitReport

    columns = column_names(options)
    with _told_if_interrupted():
        report = train(
            task,
            memory,
            out=out,
            columns=columns,
            progress=False if quiet or as_json else None,
            command=shlex.join(["ravl", *sys.argv[1:]]),
            **given(options),
        )
    assert isinstance(report, FitReport)
    if as_json:
        print_json(report.to_json())
    elif not quiet:
        for line in report.summary():
            click.echo(line)
        for note in report.notes:
            click.echo(note, err=True)
        click.echo(f"Fitted in {report.seconds:.0f} s; the run answers with: {report.chosen}.")
        click.echo(f"The report: {out / 'report.html'}")


@contextmanager
def _told_if_interrupted() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        click.echo("Interrupted. Repeat the same command to continue where it stopped.", err=True)
        raise


COMMANDS = (fit,)
