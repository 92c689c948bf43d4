"""The demo: a memory of real pictures, searches in it, training on it, and a page of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from ravl.data import Example
from ravl.demo import samples, scenes, searches, sentences
from ravl.errors import DataError, RavlError
from ravl.files.lock import locked
from ravl.files.whole_file import write_text
from ravl.memory import IndexReport, Memory
from ravl.pages.search_page import Section, search_page
from ravl.tasks.fit import fit
from ravl.tasks.search.results import RetrieverReport
from ravl.training.fit_report import FitReport

SHOWN = 6  # hits of a search on the page
TOLD = 3  # hits of a search in the terminal
EPOCHS = 4  # maximal number of epochs of the fusion model
OPENING = (
    "The label of held-out pictures, answered by the pretrained networks alone, by the memory's "
    "neighbours alone, and by a model that was fitted without and with the memory."
)

Say = Callable[[str], None]


def run(pictures: Path | None, out: Path, say: Say = print) -> Path:
    """Build a memory, search it, fit a classifier and a retriever on it, describe pictures.

    Args:
        pictures: your own folder; None for the sample set, which is downloaded if necessary; if
            that fails, ravl draws scenes.
        out: a folder for the memory and the page; created if necessary.
        say: called with each line of the progress.

    Returns:
        The page.

    Raises:
        DataError: the folder does not exist, or contains no picture.
        MemoryFileError: the memory cannot be written.
        BusyError: another demo works in the folder.
    """
    with locked(out), _new_memory(file_of(out)) as memory:
        name, wanted, new = _fill(memory, pictures, out, say)
        sections = []
        for search in wanted:
            hits = memory.search(search.query, k=SHOWN, **search.options)
            sections.append(Section(search.query, hits, search.note))
            _tell(sections[-1], say)
        searched = memory.info()
        fitted = _classify(memory, out, say)
        trained = _train(memory, out, say)
        described = sentences.describe(file_of(out), new, say) if new else []
        page = out / "index.html"
        reports: dict[str, Path] = {}
        if fitted:
            reports["The classifier's report."] = fitted.out / "report.html"
        if trained:
            reports["The retriever's report."] = trained
        links = [(n, f.relative_to(out).as_posix()) for n, f in reports.items()]
        table = fitted.table if fitted else None
        html = search_page(
            memory, sections, f"ravl: {name}", table, OPENING, links, searched, described
        )
        write_text(page, html)
    say(f"\nThe page with the pictures: {page}")
    for words, report in reports.items():
        say(f"{words:<26} {report}")
    say(f'Next: ravl search {file_of(out)} "your words"')
    return page


def file_of(out: Path) -> Path:
    """The demo's memory."""
    return out / "demo.ravl"


def _new_memory(file: Path) -> Memory:
    """In place of one of an earlier demo."""
    for left in file.parent.glob(f"{file.name}*"):  # including SQLite's files beside it
        left.unlink()
    return Memory.create(file)


def _fill(
    memory: Memory, pictures: Path | None, out: Path, say: Say
) -> tuple[str, list[searches.Search], list[Example]]:
    """Index the pictures; returns their name, the searches, and some held-out pictures."""
    if pictures is not None:
        _report(memory.index(pictures), memory, say)
        return pictures.resolve().name, searches.in_own(memory), []
    try:
        if samples.in_cache() is None:
            say(f"Fetching {samples.NAME} ({samples.PACKAGE}, {samples.SIZE}) ...")
        folder = samples.fetch()
    except (RavlError, OSError) as error:
        say(f"The sample set is not available: {error}\nravl draws some scenes instead ...")
        known, new = sentences.apart(scenes.draw(out / "scenes"))
        _report(memory.add(known, progress=None), memory, say)
        return scenes.NAME, searches.in_scenes(), new
    say(samples.LICENCE)
    known, new = sentences.apart(samples.read(folder))
    _report(memory.add(known, progress=None), memory, say)
    return samples.NAME, searches.in_stamps(), new


def _classify(memory: Memory, out: Path, say: Say) -> FitReport | None:
    """Fit a classifier on the memory's labels; None if there are too few labels."""
    run = out / "classify-run"
    shutil.rmtree(run, ignore_errors=True)
    say("\nFitting a classifier with and without retrieval (a minute or two) ...")
    try:
        report = fit(
            "classify", memory, out=run, epochs=EPOCHS, test_share=0.3, command="make demo"
        )
    except DataError as error:
        say(f"Not fitted: {error}")
        return None
    assert isinstance(report, FitReport)
    for line in report.summary():
        say(f"  {line}")
    return report


def _train(memory: Memory, out: Path, say: Say) -> Path | None:
    """Train the retriever on the memory's texts; returns the report, None without texts."""
    run = out / "search-run"
    shutil.rmtree(run, ignore_errors=True)
    say("\nTraining the retriever; a fifth of the pictures is held out for the evaluation ...")
    try:
        report = fit("search", memory, out=run)
    except DataError as error:
        say(f"Not trained: {error}")
        return None
    assert isinstance(report, RetrieverReport)
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
        raise DataError("There is no picture to search in. Give a folder with pictures.")


def _tell(section: Section, say: Say) -> None:
    query = section.query
    words = f'"{query.text}"' if query.text else ""
    say("\n" + " + ".join(part for part in (query.like or "", words) if part))
    for hit in section.hits[:TOLD]:
        say(f"  {hit.score:6.3f}  {hit.text or hit.row.caption or hit.id}")
