"""The command line. It parses and prints; everything else is the Python API.

Modules here import only click at the top, so ``ravl --help`` answers at once; other imports happen
when a command runs.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import click

from ravl import __version__
from ravl.cli import (
    answering,
    asking,
    augmenting,
    captioning,
    checking,
    drifting,
    exchange,
    fitting,
    forgetting,
    graphs,
    inbox,
    indexing,
    refitting,
    rows,
    searching,
    serving,
    sharing,
    show_demo,
    suggesting,
    syncing,
    tuning,
    versions,
)
from ravl.cli.task_commands import TaskGroup, answering_command
from ravl.errors import RavlError
from ravl.threads import one_blas_thread_from_start

FITTING = ("fit", "refit", "tune")  # commands whose products are large
INTERRUPTED = 130  # the exit code of shells for Ctrl-C
PLACES = (  # errors of a place that the user has named: read-only, forbidden, full, not there
    *(errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EIO),
    *(errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EEXIST, errno.ENOENT),
)


@click.group(
    cls=TaskGroup,
    make=answering_command,
    in_order=True,  # in which people meet the commands
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="ravl")
@click.pass_context
def cli(context: click.Context) -> None:
    """Give a vision-language model a memory of your own pictures.

    Start with:  ravl index PICTURES --memory my.ravl  and then  ravl search my.ravl "a red shirt"
    """
    if context.invoked_subcommand not in FITTING:
        one_blas_thread_from_start()


for module in (
    indexing,
    syncing,
    searching,
    fitting,
    refitting,
    forgetting,
    tuning,
    answering,
    captioning,
    asking,
    augmenting,
    drifting,
    suggesting,
    serving,
    inbox,
    rows,
    checking,
    versions,
    graphs,
    exchange,
    sharing,
    show_demo,
):
    for command in module.COMMANDS:
        cli.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; errors become one sentence on standard error and exit code 1."""
    try:
        result: object = cli.main(arguments, prog_name="ravl", standalone_mode=False)
    except click.Abort:
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except RavlError as error:
        click.echo(f"ravl: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:  # `ravl ... | head`
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if error.errno not in PLACES:
            raise
        click.echo(f"ravl: {_place_of(error)}: {error.strerror}. Name another place.", err=True)
        sys.exit(1)
    sys.exit(result if isinstance(result, int) else 0)


def _place_of(error: OSError) -> str:
    """The file or folder that an error is about; the folder of a file that ravl names itself."""
    if not isinstance(error.filename, str | bytes):  # none, or the number of an open file
        return "It cannot be done"
    file = Path(os.fsdecode(error.filename))
    return f"{file.parent if file.name.startswith('.') else file} cannot be used"
