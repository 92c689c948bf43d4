"""``ravl demo``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--pictures", type=click.Path(path_type=Path), help="Your own folder instead of the sample set."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Where to write the memory and index.html.",
)
def demo(pictures: Path | None, out: Path) -> None:
    """Show ravl on real pictures, in one or two minutes."""
    from ravl.demo import run

    run(pictures, out, click.echo)


COMMANDS = (demo,)
