"""``ravl push``, ``ravl pull``: transfer of runs and memories; ``ravl allow``: what they name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ravl.cli.output import SHOWN, flat, quiet_option

if TYPE_CHECKING:
    from ravl.sharing.push import TransferReport


@click.command()
@click.argument("what", metavar="RUN_OR_MEMORY", type=click.Path(path_type=Path))
@click.argument("to", metavar="PLACE")
@click.option("--with-memory", is_flag=True, help="For a run: also send its memory.")
@click.option(
    "--with-pictures",
    is_flag=True,
    help="Store pictures in the copy of the memory that is sent.",
)
@click.option("--public", is_flag=True, help="On the hub: make it public.")
@click.option("--force", is_flag=True, help="Replace any content of the place.")
@quiet_option
def push(what: Path, to: str, quiet: bool, **options: bool) -> None:
    """Send a run or a memory to another place; a second push sends only changed files.

    PLACE is a folder, hf:OWNER/NAME on the Hugging Face hub (private, unless --public), or an
    address in the form of fsspec: s3://, gs://, az://, sftp:// ...

    \b
    ravl push runs/shirts /mnt/share/shirts
    ravl push runs/shirts hf:me/shirts --with-memory
    ravl push shop.ravl s3://bucket/shop --with-pictures
    """
    from ravl.sharing.push import push as send

    done = send(what, to, progress=False if quiet else None, **options)
    if not quiet:
        _tell(done, f"{done} -> {done.place}")
        click.echo(f"Get it with: ravl pull {done.place} {done.name}")


@click.command()
@click.argument("source", metavar="PLACE")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--force", is_flag=True, help="Replace any content of the folder, also changed files."
)
@quiet_option
def pull(source: str, folder: Path, force: bool, quiet: bool) -> None:
    """Fetch a run or a memory of `ravl push`; a second pull fetches only changed files.

    PLACE is the place of the push; hf:OWNER/NAME@REVISION is an older state. All files are checked
    with their hashes, and no code is executed.

    \b
    ravl pull hf:me/shirts shirts
    ravl pull s3://bucket/shop shop
    """
    from ravl.sharing.pull import pull as fetch

    done = fetch(source, folder, force=force, progress=False if quiet else None)
    if not quiet:
        _tell(done, f"{done} <- {done.place}")
        use = folder / done.memory if done.kind == "memory" and done.memory else folder
        click.echo(f"It is in {use}")


@click.command()
@click.argument("names", metavar="[ADDRESS]...", nargs=-1)
@click.option("--remove", is_flag=True, help="Do not allow these addresses any more.")
def allow(names: tuple[str, ...], remove: bool) -> None:
    """Allow a server or a model of the hub that a run or a memory of somebody else names.

    An address that you have given yourself, as an option of a command, is allowed already. Without
    an ADDRESS the command prints what is allowed.

    \b
    ravl allow openai:http://localhost:8000/v1
    ravl allow hf:openai/clip-vit-base-patch32
    """
    from ravl import addresses
    from ravl.errors import DataError

    for name in names:
        if not addresses.is_remote(name):
            raise DataError(
                f"{name!r} is no address. Write openai:URL for a server, or hf:OWNER/NAME for a "
                "model of the hub."
            )
        if not remove:
            addresses.allow(name)
        elif not addresses.forbid(name):
            raise DataError(f"{name!r} was not allowed. ravl allow lists what is.")
    if not names:
        for name in addresses.allowed():
            click.echo(flat(name))


def _tell(done: TransferReport, line: str) -> None:
    click.echo(flat(line))
    for note in done.notes:
        click.echo(f"  {flat(note)}", err=True)
    if done.left_out:
        some = ", ".join(done.left_out[:SHOWN])
        more = f" and {len(done.left_out) - SHOWN:,} more" if len(done.left_out) > SHOWN else ""
        click.echo(f"  Left out, because their kinds are not shared: {flat(some)}{more}", err=True)


COMMANDS = (push, pull, allow)
