"""``ravl serve``: a memory and its runs over HTTP, for programs and on a web page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ravl.cli.options import Options
from ravl.errors import RavlError

if TYPE_CHECKING:
    from ravl.serving.keys import Scope
    from ravl.serving.limits import Limits

FILE = click.Path(path_type=Path)
EXTRA = 'ravl serve needs more packages. Install them with: pip install "ravl[serve]"'


@click.command()
@click.argument("places", metavar="RUN_OR_MEMORY...", nargs=-1, type=FILE)
@click.option("--memory", type=FILE, help="Answer from this memory instead of the runs' own.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port; 0 for any free port.",
)
@click.option(
    "--keys",
    type=FILE,
    metavar="FILE",
    help="File of keys, written by --new-key; or use the variable RAVL_KEYS.",
)
@click.option(
    "--new-key",
    type=click.Choice(["read", "write", "admin"]),
    metavar="SCOPE",
    help="Make a key for read, write or admin, print it once, and store its hash in --keys.",
)
@click.option("--name", default="", help="Name of the new key, for the audit log.")
@click.option("--allow-urls", is_flag=True, help="Fetch pictures by URL, from public addresses.")
@click.option("--audit", type=FILE, help="Log of writes. [default: beside the memory]")
@click.option("--feedback", type=FILE, help="File of feedback. [default: beside the memory]")
@click.option("--max-body", default=32, show_default=True, help="Megabytes per request.")
@click.option("--max-pixels", default=50, show_default=True, help="Million pixels per picture.")
@click.option("--max-batch", default=64, show_default=True, help="Pictures or rows per request.")
@click.option("--max-text", default=4000, show_default=True, help="Characters per text.")
@click.option(
    "--rate", default=6000.0, show_default=True, help="Requests per minute and key; 0: no limit."
)
@click.option("--queue", default=256, show_default=True, help="Items that can wait for one model.")
@click.option(
    "--together", default=32, show_default=True, help="Items in one pass; 1 for no batching."
)
@click.option(
    "--wait", default=4.0, show_default=True, help="Milliseconds to wait for more requests."
)
@click.option(
    "--deadline", default=30.0, show_default=True, help="Seconds until a request times out."
)
@click.option(
    "--drift-window",
    default=200,
    show_default=True,
    help="Answered pictures of a run per window of the drift test.",
)
@click.option(
    "--drift-rate",
    default=0.01,
    show_default=True,
    help="False alarm rate per window.",
)
def serve(
    places: tuple[Path, ...],
    memory: Path | None,
    host: str,
    port: int,
    keys: Path | None,
    new_key: Scope | None,
    name: str,
    audit: Path | None,
    feedback: Path | None,
    allow_urls: bool,
    drift_window: int,
    drift_rate: float,
    **given: object,
) -> None:
    """Answer over HTTP: ravl serve runs/shirts

    Several runs can share one memory, each for its task. A memory alone serves search, captions and
    questions. Without keys only this machine has access:

    \b
    ravl serve --new-key read --keys keys.txt
    ravl serve runs/shirts runs/texts --host 0.0.0.0 --keys keys.txt
    """
    limits: Options = given
    if new_key:
        _make_key(new_key, name, keys)
        return
    if not places and memory is None:
        raise click.UsageError("Give a run or a memory: ravl serve runs/shirts")
    try:
        from ravl.serving.keys import Keys
        from ravl.serving.server import check_host
        from ravl.serving.server import serve as run
        from ravl.serving.service import Service
    except ModuleNotFoundError as error:
        raise RavlError(f"{EXTRA} ({error.name} is missing).") from error

    known: Keys | None = Keys(keys)
    if keys is None and not len(known or ()):
        known = None
    check_host(host, known is not None)
    service = Service(
        places,
        memory,
        keys=known,
        limits=_limits(**limits),
        allow_urls=allow_urls,
        audit=audit,
        feedback=feedback,
        drift_window=drift_window,
        drift_rate=drift_rate,
    )
    run(service, host, port, click.echo)


def _limits(
    *,
    max_body: int,
    max_pixels: int,
    max_batch: int,
    max_text: int,
    rate: float,
    queue: int,
    together: int,
    wait: float,
    deadline: float,
) -> Limits:
    from ravl.serving.limits import Limits

    return Limits(
        body=max_body * 2**20,
        pixels=max_pixels * 1_000_000,
        batch=max_batch,
        text=max_text,
        rate=rate,
        queue=queue,
        together=together,
        wait=wait / 1000,
        deadline=deadline,
    )


def _make_key(scope: Scope, name: str, file: Path | None) -> None:
    from ravl.serving.keys import VARIABLE, keep_line, new_key

    key, line = new_key(scope, name)
    if file is None:
        click.echo(f"{key}\nStore it; it is not shown again. For the server's {VARIABLE}:\n{line}")
        return
    keep_line(file, line)
    click.echo(f"{key}\nStore it; it is not shown again. Its hash is in {file}.")


COMMANDS = (serve,)
