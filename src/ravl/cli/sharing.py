"""``ravl push`` and ``ravl pull``: runs and memories to other places, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ravl.cli.output import SHOWN, flat, quiet_option

if TYPE_CHECKING:
    from ravl.sharing.push import TransferReport


@click.command()
@click.argument("what", metavar="RUN_OR_MEMORY", type=click.Path(path_type=Path))
@click.argument("to", metavar="PLACE")
@click.option("--with-memory", is_flag=True, help="Of a run: send its memory with it.")
@click.option(
    "--with-pictures",
    is_flag=True,
    help="Send pictures that are files of their own inside the memory's copy.",
)
@click.option("--public", is_flag=True, help="On the hub: everyone may read it.")
@click.option("--force", is_flag=True, help="Replace what lies there, whatever it is.")
@quiet_option
def push(what: Path, to: str, quiet: bool, **options: Any) -> None:
    """Send a run or a memory elsewhere; sent again, only what has changed goes.

    PLACE is a folder, hf:OWNER/NAME on the Hugging Face hub (private, unless --public), or an
    address that fsspec knows: s3://, gs://, az://, sftp:// ...

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
@click.option("--force", is_flag=True, help="Give up what lies there, and changes made to it.")
@quiet_option
def pull(source: str, folder: Path, force: bool, quiet: bool) -> None:
    """Fetch what `ravl push` sent; fetched again, only what has changed is.

    PLACE is what was pushed to; hf:OWNER/NAME@REVISION is an older state. All files are compared
    with their hashes, and nothing of them is run.

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


def _tell(done: TransferReport, line: str) -> None:
    click.echo(flat(line))
    for note in done.notes:
        click.echo(f"  {flat(note)}", err=True)
    if done.left_out:
        some = ", ".join(done.left_out[:SHOWN])
        more = f" and {len(done.left_out) - SHOWN:,} more" if len(done.left_out) > SHOWN else ""
        click.echo(f"  Left out, of kinds that are not shared: {flat(some)}{more}", err=True)


COMMANDS = (push, pull)
