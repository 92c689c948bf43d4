"""``--server URL``: a server answers instead of a run or a memory on this machine.

The first argument of these commands is a run or a memory; ``--server URL`` replaces it, so ``ravl
classify --server http://shop:8000 new.jpg`` and ``ravl classify http://shop:8000 new.jpg`` are the
same. A :class:`ravl.Client` has the methods of runs and memories.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

import click

from ravl.cli.options import Options
from ravl.cli.output import print_problems

if TYPE_CHECKING:
    from ravl.client import Client
    from ravl.errors import PictureError
    from ravl.memory import Memory
    from ravl.runs.answers import Answer
    from ravl.tasks.contract import Pipeline

VARIABLE = "RAVL_KEY"
RUN, KEY_FILE, AT = "ravl.run", "ravl.key_file", "ravl.at"  # in a command's context

server_option = click.option(
    "--server",
    metavar="URL",
    expose_value=False,
    help="Use this server of ravl serve in place of the first argument.",
)
key_option = click.option(
    "--key-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    expose_value=False,
    callback=lambda context, _, file: context.meta.update({KEY_FILE: file}),
    help=f"A file with the key for the server. [default: the variable {VARIABLE}]",
)
name_option = click.option(
    "--run",
    "run_name",
    metavar="NAME",
    expose_value=False,
    callback=lambda context, _, name: context.meta.update({RUN: name}),
    help="Name of the server's run. [default: its first run of the task]",
)


at_option = click.option(
    "--at",
    metavar="VERSION",
    type=int,
    expose_value=False,
    callback=lambda context, _, version: context.meta.update({AT: version}),
    help="Use the memory at this version; see ravl log.",
)


class Place(click.Path):
    """A path; or the address of a server, which stays a text."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | bytes | os.PathLike[str]:
        """The text as it was typed."""
        if str(value).startswith(("http://", "https://")):
            return value
        return super().convert(value, param, ctx)


class PlaceCommand(click.Command):
    """A command whose first argument can be replaced by ``--server``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the server in front of the arguments."""
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        server = given.get("server")
        if server is not None and not server.startswith(("http://", "https://")):
            raise click.UsageError(
                f"{server!r} is not the address of a server. Write --server "
                f"http://{server.rpartition('://')[2]}",
                ctx,
            )
        rest = super().parse_args(ctx, args if server is None else [server, *args])
        first = next(p for p in self.params if isinstance(p, click.Argument))
        place = ctx.params[str(first.name)]
        if not isinstance(place, str) and (ctx.meta.get(RUN) or ctx.meta.get(KEY_FILE)):
            raise click.UsageError("--run and --key-file are for servers: add --server URL.", ctx)
        if isinstance(place, str) and ctx.meta.get(AT) is not None:
            raise click.UsageError("--at is for memories on this machine, not for a server.", ctx)
        return rest


def refused(**given: object) -> None:
    """Refuse options that a server does not support."""
    for name, value in given.items():
        if value not in (None, (), "", False):
            raise click.UsageError(
                f"--{name.replace('_', '-')} is for runs and memories on this machine. Leave "
                "it or --server out."
            )


def connect(url: str) -> Client:
    """The client of a server, with the key of ``--key-file`` or of the environment.

    Raises:
        DataError: the file cannot be read.
    """
    from ravl.client import Client
    from ravl.errors import DataError

    file = click.get_current_context().meta.get(KEY_FILE)
    try:
        key = file.read_text("utf-8").strip() if file else os.environ.get(VARIABLE)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The key in {file} cannot be read: {error}.") from error
    return Client(url, key or None)


@contextmanager
def memory_at(place: Path | str) -> Iterator[Memory | Client]:
    """A memory's file, or a server's memory."""
    if isinstance(place, str):
        with connect(place) as client:
            yield client
        return
    with stored(place) as memory:
        yield memory


@contextmanager
def stored(file: Path) -> Iterator[Memory]:
    """A memory's file, at the version of ``--at``."""
    from ravl.memory import Memory

    with Memory.open(file) as memory, as_it_was(memory) as then:
        yield then


@runtime_checkable
class Streaming(Protocol):
    """A pipeline that writes texts."""

    def stream(self, picture: Path, beside: str | None = None, **options: object) -> Iterable[str]:
        """The text about one picture, piece by piece as it is written."""


class ServedPipeline:
    """A task of a server, used like a pipeline on this machine.

    Args:
        client: of the server.
        command: of the task.
    """

    def __init__(self, client: Client, command: str) -> None:
        self._client = client
        self._command = command

    def predict(
        self, pictures: Sequence[Path], beside: Sequence[str] | None = None, **given: object
    ) -> Sequence[Answer]:
        """Answers to some pictures."""
        options: Options = given
        found = self._client.predict(self._command, list(pictures), beside, **options)
        return cast("list[Answer]", found)

    def predict_each(
        self, pictures: Sequence[Path], beside: Sequence[str] | None, options: Options
    ) -> list[Answer | PictureError]:
        """Answers to some pictures, or why one cannot be read."""
        found = self._client.predict(
            self._command, list(pictures), beside, return_exceptions=True, **options
        )
        assert isinstance(found, list)
        return list(found)

    def stream(self, picture: Path, beside: str | None = None, **given: object) -> Iterable[str]:
        """The text about one picture, piece by piece as it is written."""
        options: Options = given
        return self._client.stream(picture, beside, **options)


@contextmanager
def served_pipeline(url: str, command: str, options: Options) -> Iterator[ServedPipeline]:
    """A task of a server; ``memory`` is taken out of the options, and ``run`` comes in."""
    refused(memory=options.pop("memory"))
    options["run"] = click.get_current_context().meta.get(RUN)
    with connect(url) as client:
        yield ServedPipeline(client, command)


@contextmanager
def stored_pipeline(place: Path, command: str, memory: Path | None) -> Iterator[Pipeline]:
    """What answers a task on this machine: a run, or a memory alone."""
    from ravl.tasks.model import load

    with load(place, memory) as model, as_it_was(model.memory) as then:
        if then is model.memory:
            yield model.pipeline(command)
            return
        with load(then) if model.run is None else load(model.run.folder, then) as old:
            yield old.pipeline(command)


@contextmanager
def pipeline_at(
    place: Path | str, command: str, options: Options
) -> Iterator[Pipeline | ServedPipeline]:
    """What answers a task: a run, a memory alone, or a server.

    Args:
        place: the folder of a run, the file of a memory, or the address of a server.
        command: of the task.
        options: of the command line; ``memory`` is taken out, and for a server ``run`` comes in.

    Raises:
        QueryError: the run was fitted for another task.
    """
    if isinstance(place, str):
        with served_pipeline(place, command, options) as served:
            yield served
        return
    with stored_pipeline(place, command, options.pop("memory")) as pipeline:
        yield pipeline


@contextmanager
def as_it_was(memory: Memory) -> Iterator[Memory]:
    """The memory, or a copy of it at the version of ``--at``."""
    version = click.get_current_context().meta.get(AT)
    if version is None:
        yield memory
        return
    from ravl.memory.reverting import at

    with at(memory, version) as (then, report):
        print_problems(len(report.rejected), report.rejected)
        yield then
