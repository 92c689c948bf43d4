"""A server follows its runs: what a refit or a rollback puts in place answers from then on.

The new version is loaded beside the old one, which answers meanwhile, and takes its place between
two passes of the model's own thread. No request is lost, and none is answered by half of each.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from PIL import Image

from ravl.errors import DataError
from ravl.runs.run import AT, NUMBER, RUN
from ravl.serving.models import Item, Served
from ravl.tasks.model import Model
from ravl.untrusted import parse_json

PAUSE = 5.0  # seconds between two looks


class RunWatcher:
    """Looks at the runs of a server now and then, in a thread of its own.

    Args:
        models: of the server; a model that has changed is exchanged in place.
        exchanged: called after each exchange.
        pause: seconds between two looks.
    """

    def __init__(
        self, models: Sequence[Served], exchanged: Callable[[Served], None], pause: float = PAUSE
    ) -> None:
        self._runs = [(each, each.folder) for each in models if each.folder is not None]
        self._exchanged = exchanged
        self._pause = pause
        self._seen = {served.name: _mark(folder) for served, folder in self._runs}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="ravl follower", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        if self._thread.ident is None:
            self._thread.start()

    def close(self) -> None:
        """Look no more; what is being loaded is let go of."""
        self._end.set()

    def look(self) -> list[str]:
        """Load what has changed since the last look; names of what has been exchanged.

        If a version cannot be loaded, standard error says why, and the old version still answers.
        """
        found: list[str] = []
        for served, folder in self._runs:
            mark = _mark(folder)
            if mark is None or mark == self._seen[served.name]:
                continue
            self._seen[served.name] = mark
            try:
                self._exchange(served, folder)
            except Exception as error:
                if self._end.is_set():  # the server is being stopped
                    return found
                print(
                    f"{served.name}: the version that has taken its place cannot be loaded, so the "
                    f"one before answers on: {error}",
                    file=sys.stderr,
                )
            else:
                number = version_of(served)
                print(f"{served.name} answers with version {number} now.", file=sys.stderr)
                found.append(served.name)
        return found

    def _work(self) -> None:
        while not self._end.wait(self._pause):
            self.look()

    def _exchange(self, served: Served, folder: Path) -> None:
        model = Model(folder, served.model.memory)
        model.expect(served.task)

        def exchange(items: Sequence[Item]) -> tuple[Sequence[Item], int]:
            with suppress(DataError):  # the memory has nothing to say yet
                replace(served, model=model).call(())(items)  # what is loaded late is loaded now
            served.model = model
            return items, 0

        served.batcher.submit(("exchange", served.name), [blank(served)], exchange).result()
        self._exchanged(served)


def version_of(served: Served) -> int:
    """The number of a run's version; what was never refitted will be the first."""
    return int(served.run.record.get(NUMBER, 1)) if served.run is not None else 1


def blank(served: Served) -> Item:
    """An item that any model of the task answers."""
    picture = Image.new("RGB", (64, 48), (128, 128, 128))
    return (picture, "what is it?") if served.kind.beside else picture


def _mark(folder: Path) -> str | None:
    """What tells one version of a run from another; None while versions are exchanged."""
    try:
        text = (folder / RUN).read_text("utf-8")
        return None if AT in parse_json(text) else text
    except (OSError, TypeError, ValueError):  # the next look will do
        return None
