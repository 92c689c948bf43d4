"""Kill a command again and again, each time somewhere else in its work; run as its own process.

A moment is counted in work and not in seconds: the command dies before its n-th call of a function,
or before its n-th call that writes (a statement of SQL, a file). So a kill hits the same place on
every machine. Of four kills one is before a write, one in the last tenth of the work, one anywhere
after the first transaction began, and one shortly after a commit or the move of a file: of these,
every second one after one of the last quarter, where a run is published. The command runs in a
child of this process, which has imported all that it needs.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

from ravl.errors import RavlError
from ravl.store.collection import Collection
from tests.memory.kill_commands import COMMANDS, Command
from tests.memory.soundness import find_colour_encoder

WRITES = {
    *("execute", "executemany", "executescript", "backup", "write", "writelines", "truncate"),
    *("open", "replace", "rename", "link", "symlink", "unlink", "remove", "rmdir", "mkdir"),
    *("fsync", "utime", "chmod", "sendfile", "copy_file_range", "close", "flush"),
}
TRANSACTIONS = {"transaction", "_writing"}  # functions whose calls of SQLite begin and commit
MOVES = {"replace", "rename", "link", "rmdir"}
SOON = 200  # calls after a commit
DONE, REFUSED, FAILED = 0, 3, 4  # exit statuses of a child


def child(work: Callable[[], object]) -> int:
    """The exit status of some work in a forked child; negative where a signal ended it."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        work()
        status = DONE
    except RavlError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        status = REFUSED
    except BaseException:
        traceback.print_exc()
        status = FAILED
    sys.setprofile(None)
    os._exit(status)


def writes_by(function: object) -> bool:
    """Whether a function of C writes; texts have methods of the same names."""
    owner = getattr(function, "__self__", None)
    return getattr(function, "__name__", "") in WRITES and not isinstance(owner, str | bytes)


def watched(command: Command, folder: Path, at: int | None, of_writes: bool, log: Path) -> None:
    """Run a command; die before its n-th call, or write down how many calls there were."""
    calls, writes = count(), count()
    seen = [0, 0]
    commits: list[int] = []  # calls at which a transaction began or ended, or a file was moved

    def profile(frame: FrameType, event: str, function: object) -> None:
        if event not in ("call", "c_call"):
            return
        seen[0] = next(calls)
        if event == "c_call" and writes_by(function):
            moves = getattr(function, "__name__", "") in MOVES
            if moves or frame.f_code.co_name in TRANSACTIONS:
                commits.append(seen[0])
            seen[1] = next(writes)
            if of_writes and seen[1] == at:
                os.kill(os.getpid(), signal.SIGKILL)
        if not of_writes and seen[0] == at:
            os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(profile)
    sys.setprofile(profile)
    command.run(folder)
    sys.setprofile(None)
    found = {"seen": seen, "commits": commits, "modules": sorted(sys.modules)}
    log.write_text(json.dumps(found))


def moment(i: int, found: Any, chance: random.Random) -> tuple[int, bool]:
    """Before which call the i-th kill is, and whether only calls that write are counted."""
    last, commits = found["seen"][0], found["commits"] or [0]
    if i % 4 == 0:
        return chance.randrange(found["seen"][1] + 1), True
    if i % 4 == 1:
        return chance.randrange(last * 9 // 10, last + 1), False
    if i % 4 == 2:
        return chance.randrange(commits[0], last + 1), False
    if i % 8 == 7:
        commits = commits[-max(1, len(commits) // 4) :]
    return min(last, chance.choice(commits) + chance.randrange(SOON)), False


def prepare(command: Command, folder: Path) -> None:
    """Make what a command needs, and keep a copy of it; see :func:`fresh`."""
    folder.mkdir()
    assert child(lambda: command.prepare(folder)) == DONE
    shutil.copytree(folder, folder.with_name("base"), symlinks=True)


def fresh(folder: Path) -> None:
    """The folder as it was before the command."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(folder.with_name("base"), folder, symlinks=True)


def learn(command: Command, folder: Path, log: Path) -> Any:
    """Run a command to its end; import what it imported, and say what it called."""
    assert child(lambda: watched(command, folder, None, False, log)) == DONE
    found = json.loads(log.read_text())
    for name in found["modules"]:
        with suppress(Exception):
            importlib.import_module(name)
    return found


def kill_repeatedly(command: Command, times: int, room: Path) -> Counter[str]:
    """Kill a command so often, and look each time at what is left and at what it then makes.

    Raises:
        AssertionError: something was lost, is wrong, or the same command does not end its work.
    """
    folder, log = room / "work", room / "log.json"
    prepare(command, folder)
    before = command.look(folder)
    for _ in range(2):  # once to know what to import, once to count
        fresh(folder)
        found = learn(command, folder, log)
    after = command.look(folder)
    assert (before != after) == command.changes, f"{command.name} changes nothing"
    chance, results = random.Random(command.name), Counter[str]()
    for i in range(times):
        at, of_writes = moment(i, found, chance)
        where = f"{command.name}, kill {i}, before {'write' if of_writes else 'call'} {at}"
        fresh(folder)
        status = child(lambda: watched(command, folder, at, of_writes, log))  # noqa: B023
        assert status in (-signal.SIGKILL, DONE), where
        left = command.look(folder)
        command.check(before, left, after, where)
        if not command.ended(folder):
            again = child(lambda: command.run(folder))
            assert again == DONE or (again == REFUSED and left == after), f"{where}: the second run"
            assert command.look(folder) == after, f"{where}: the second run made something else"
        done = "ended before" if status == DONE else "killed"
        results[
            f"{done}, {'nothing' if left == before else 'all' if left == after else 'a part'}"
            " was written"
        ] += 1
    return results


def run_together(command: Command, times: int, room: Path) -> Counter[str]:
    """Run a command in two processes at once, so often: together they do what one does.

    Raises:
        AssertionError: both were refused, one failed, or what is left is another thing.
    """
    folder, results = room / "work", Counter[str]()
    prepare(command, folder)
    learn(command, folder, room / "log.json")
    after = command.look(folder)
    for i in range(times):
        fresh(folder)
        begin = os.pipe()
        statuses: list[int] = []

        def one() -> None:
            statuses.append(child(lambda: (os.read(begin[0], 1), command.run(folder))))  # noqa: B023

        threads = [threading.Thread(target=one) for _ in range(2)]
        for thread in threads:
            thread.start()
        os.write(begin[1], b"go")
        for thread in threads:
            thread.join()
        for end in begin:
            os.close(end)
        where = f"two of {command.name}, round {i}: {statuses}"
        assert DONE in statuses, where
        assert set(statuses) <= {DONE, REFUSED}, where
        assert command.look(folder) == after, f"{where}: they made something else"
        results["both" if statuses == [DONE, DONE] else "one, and one was refused"] += 1
    return results


if __name__ == "__main__":
    Collection._find_encoder = find_colour_encoder  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as room:
        place = Path(room)
        os.environ["RAVL_CACHE"] = str(place / "cache")
        os.environ["RAVL_CONFIG"] = str(place / "config")
        work = run_together if sys.argv[1] == "together" else kill_repeatedly
        print(json.dumps(work(COMMANDS[sys.argv[2]], int(sys.argv[3]), place)))
