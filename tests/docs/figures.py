"""Figures on pages, and where benchmarks/results has them.

A comment before a paragraph, list or table says where its figures come from, in their order::

    <!-- figures
    labelled: openclipart, 81 tags / vote | with_retrieval / mAP
    retriever: default / now / t -> p corrected #3
    none: an example
    -->

A reference is a file of benchmarks/results, then cells that tell one line from the others (``vote``
or ``row=vote``), then the column. ``|`` stands between alternatives, ``#3`` is the third number of
a cell. After a cell's first number the page may give its others, such as an interval. ``none`` says
why the other figures were not measured.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

from tests.docs.pages import ROOT, without_blocks

RESULTS = ROOT / "benchmarks" / "results"
MARK = re.compile(r"^<!-- figures\b:?(?P<references>.*?)-->$", re.M | re.S)
# Not figures: code, where links lead, versions, the width of all intervals, columns of results.
PASSED_OVER = re.compile(
    r"`[^`\n]*`|\]\([^)\s]*\)|^\[\w+\]: .*$|<[^>\n]*>|Python 3\.\d+|Apache-2\.0"
    r"|95 %(?=,|\s*(?:interval|置信区间|区间))|\w+@\d+(?:\.\d+)?|5 % risk",
    re.M,
)
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w]|\.\d)")
JOIN = r"\s*(?:,|、|to|and|or|against|instead of|到|升到|和|对)\s*"
SHARE = re.compile(rf"(?:\s*%|\s*points|\s*个百分点|{JOIN}\d+(?:\.\d+)?\s*(?:%|points|个百分点))")


@dataclass(frozen=True, slots=True)
class Found:
    """A number on a page.

    Args:
        text: as it is written there.
        figure: that it must have been measured: it has a decimal point, or is in per cent.
    """

    text: str
    figure: bool

    def shows(self, value: float) -> bool:
        """Whether it is this value, rounded to as many digits."""
        digits = len(self.text.partition(".")[2])
        return bool(abs(float(self.text) - abs(value)) <= 0.5 * 10**-digits + 1e-9)


def problems(text: str) -> list[str]:
    """What is wrong with a page's figures."""
    found = []
    for block, references in blocks(text):
        try:
            found += _problems(numbers(block), references)
        except LookupError as error:
            found.append(str(error.args[0]))
    return found


def blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Blocks of prose, each with the references before it."""
    references: list[str] = []
    marks = []

    def hold(mark: re.Match[str]) -> str:
        marks.append([line.strip() for line in mark["references"].splitlines() if line.strip()])
        return f"\n\n\x00{len(marks) - 1}\n\n"

    for block in re.split(r"\n\s*\n", MARK.sub(hold, without_blocks(text))):
        if block.strip().startswith("\x00"):
            references = marks[int(block.strip()[1:])]
        elif block.strip():
            yield block, references
            references = []


def numbers(block: str) -> list[Found]:
    """The numbers of a block in their order."""
    block = PASSED_OVER.sub(" ", block)
    return [
        Found(found[0], "." in found[0] or SHARE.match(block, found.end()) is not None)
        for found in NUMBER.finditer(block)
    ]


def _problems(found: list[Found], references: list[str]) -> list[str]:
    rest = list(found)
    free = [line for line in references if line.startswith("none:")]
    for reference in (line for line in references if line not in free):
        for name, cell in cells(reference):
            while rest and not rest[0].shows(cell[0]) and (free or not rest[0].figure):
                rest.pop(0)
            if not rest or not rest[0].shows(cell[0]):
                there = rest[0].text if rest else "nothing more"
                return [f"{name} is {cell[0]}; the page has {there}"]
            rest.pop(0)
            more = cell[1:]
            if len(rest) >= len(more) and all(map(Found.shows, rest, more)):
                del rest[: len(more)]
    return [] if free else [f"{n.text} has no reference" for n in rest if n.figure]


def cells(reference: str) -> Iterator[tuple[str, list[float]]]:
    """The numbers of each cell that a reference names.

    Raises:
        LookupError: no line is like that, or several are.
    """
    file, _, path = reference.partition(":")
    parts = [[a.strip() for a in part.split("|")] for part in path.split(" / ")]
    for *known, column in product(*parts):
        column, _, place = column.partition("#")
        column = column.strip()
        name = f"{file}: {' / '.join((*known, column))}"
        lines = [
            line
            for line in results(file.strip())
            if column in line and all(cell in line_cells(line) for cell in known)
        ]
        if len(lines) != 1:
            raise LookupError(f"{len(lines)} lines of the results are {name}")
        values = [float(v) for v in re.findall(r"(?<![\d.])-?\d+(?:\.\d+)?", str(lines[0][column]))]
        yield name, [values[int(place) - 1]] if place else values


def line_cells(line: dict[str, Any]) -> set[str]:
    """How a reference may name the cells of a line: ``vote``, or ``row=vote``."""
    return {f"{key}={value}" for key, value in line.items()} | {str(v) for v in line.values()}


@cache
def results(name: str) -> list[dict[str, Any]]:
    """The lines of a benchmark."""
    file = RESULTS / f"{name}.json"
    if not file.exists():
        raise LookupError(f"There is no {file.relative_to(ROOT)}")
    lines: list[dict[str, Any]] = json.loads(file.read_text("utf-8"))["results"]
    return lines
