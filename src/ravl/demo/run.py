"""The demo: a memory of real pictures, searches in it, a page of them, and training on it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from ravl.demo import samples, scenes, searches
from ravl.errors import DataError, RavlError
from ravl.memory import IndexReport, Memory
from ravl.pages import Section, search_page
from ravl.training import fit

SHOWN = 6  # hits of a search on the page
TOLD = 3  # hits of a search in the terminal

Say = Callable[[str], None]


def run(pictures: Path | None, out: Path, say: Say = print) -> Path:
    """Build a memory, search it, write a page, train the retriever on its texts.

    Args:
        pictures: a folder of your own; None for the sample set, fetched when it is not in the
            cache, or where that cannot be, for scenes that ravl draws.
        out: a folder for the memory and the page; made if need be.
        say: told what is going on, line by line.

    Returns:
        The page.

    Raises:
        DataError: the folder is not there, or holds no picture.
        MemoryFileError: the memory cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    file = out / "demo.ravl"
    for left in out.glob(f"{file.name}*"):  # with what SQLite keeps beside it
        left.unlink()
    with Memory.create(file) as memory:
        name, wanted = _fill(memory, pictures, out, say)
        sections = []
        for search in wanted:
            hits = memory.search(search.query, k=SHOWN, **search.options)
            sections.append(Section(search.query, hits, search.note))
            _tell(sections[-1], say)
        page = out / "index.html"
        page.write_text(search_page(memory, sections, f"ravl: {name}"), encoding="utf-8")
        report = _train(memory, out, say)
    say(f"\nThe page with the pictures: {page}")
    if report:
        say(f"What training gained:       {report}")
    say(f'Go on with:  ravl search {file} "your words"')
    return page


def _fill(
    memory: Memory, pictures: Path | None, out: Path, say: Say
) -> tuple[str, list[searches.Search]]:
    """Index the pictures; returns what they are called, and what to search for in them."""
    if pictures is not None:
        _report(memory.index(pictures), memory, say)
        return pictures.resolve().name, searches.in_own(memory)
    try:
        if samples.in_cache() is None:
            say(f"Fetching {samples.NAME} ({samples.PACKAGE}, {samples.SIZE}) ...")
        folder = samples.fetch()
    except (RavlError, OSError) as error:
        say(f"The sample set cannot be had: {error}\nravl draws some scenes instead ...")
        _report(memory.add(scenes.draw(out / "scenes"), progress=None), memory, say)
        return scenes.NAME, searches.in_scenes()
    say(samples.LICENCE)
    _report(memory.add(samples.read(folder), progress=None), memory, say)
    return samples.NAME, searches.in_stamps()


def _train(memory: Memory, out: Path, say: Say) -> Path | None:
    """Train the retriever on the memory's texts; returns the report, None without texts."""
    run = out / "search-run"
    shutil.rmtree(run, ignore_errors=True)
    say("\nTraining the retriever; a fifth of the pictures is held out to judge it ...")
    try:
        report = fit("search", memory, out=run)
    except DataError as error:
        say(f"Not trained: {error}")
        return None
    for line in report.summary():
        if "R@10" in line or "P@5" in line:
            say(f"  {line}")
    return run / "report.html"


def _report(report: IndexReport, memory: Memory, say: Say) -> None:
    info = memory.info()
    speed = report.encoded / report.seconds if report.seconds else 0
    say(
        f"{memory.path.name}: {info.pictures:,} pictures, {info.texts:,} texts, "
        f"{report.rejected:,} set aside, in {report.seconds:.0f} s ({speed:.0f} pictures/s)."
    )
    for rejected in report.reasons[:TOLD]:
        say(f"  set aside: {rejected}")
    if not info.pictures:
        raise DataError("There is no picture to search in. Name a folder that holds some.")


def _tell(section: Section, say: Say) -> None:
    query = section.query
    words = f'"{query.text}"' if query.text else ""
    say("\n" + " + ".join(part for part in (query.like or "", words) if part))
    for hit in section.hits[:TOLD]:
        say(f"  {hit.score:6.3f}  {hit.text or hit.row.caption or hit.id}")
