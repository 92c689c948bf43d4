"""``ravl fit``: training on a memory's own pictures and texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ravl.cli.output import json_option, print_json, quiet_option
from ravl.cli.rows import memory_argument


@click.group()
def fit() -> None:
    """Train on what a memory holds, and report what it gained."""


@fit.command(name="search")
@memory_argument
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="A new folder for the run."
)
@click.option("--test", metavar="FILTER", help="The pictures to test on. [default: a tenth]")
@click.option(
    "--validation", metavar="FILTER", help="The pictures to validate on. [default: a tenth]"
)
@click.option("--epochs", type=int, help="At most. [default: 10]")
@click.option("--batch-size", type=int, help="Pairs in a batch. [default: 1024]")
@click.option("--learning-rate", type=float, help="At its peak. [default: 0.001]")
@click.option("--weight-decay", type=float, help="[default: 0.05]")
@click.option("--dropout", type=float, help="Of the heads' inputs. [default: 0.5]")
@click.option("--dimension", type=int, help="Of the trained space. [default: 256]")
@click.option("--hidden", type=int, help="Size of a hidden layer; 0: linear. [default: 1024]")
@click.option("--loss", type=click.Choice(["infonce", "sigmoid"]), help="[default: infonce]")
@click.option("--hard-negatives", type=int, help="Mined for each picture. [default: 0]")
@click.option(
    "--share", type=float, help="Of the trained part between two pictures. [default: 0.5]"
)
@click.option("--seed", type=int, help="[default: 0]")
@quiet_option
@json_option
def fit_search(memory: Path, out: Path, quiet: bool, as_json: bool, **options: Any) -> None:
    """Train the retriever: texts shall find their pictures, and pictures their texts.

    The encoder's networks stay as they are; small heads on top of them are trained on the memory's
    captions, labels, tags and questions. The memory then has the trained space, and RUN a report.
    """
    from ravl.training import fit as train

    report = train(
        "search", memory, out=out, progress=False if quiet or as_json else None,
        **{name: value for name, value in options.items() if value is not None},
    )  # fmt: skip
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
            click.echo(f"{memory} has the trained space now.")
        else:
            click.echo(f"{memory} keeps the space it had: validation was no better with the new.")
        click.echo(f"The report: {out / 'report.html'}")


COMMANDS = (fit,)
