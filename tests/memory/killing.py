"""Kill a command again and again, each time somewhere else in its work; run as its own process.

A moment is counted in work and not in seconds: the command dies before its n-th call of a function,
or before its n-th call that writes (a statement of SQL, a file). So a kill hits the same place on
every machine. The command runs in a child of this process, which has imported all that it needs.
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

from ravl.errors import RavlError
from ravl.store.collection import Collection
from tests.memory.kill_commands import COMMANDS, Command
from tests.memory.soundness import find_colour_encoder

WRITES = {
    *("execute", "executemany", "executescript", "backup", "write", "writelines", "truncate"),
    *("open", "replace", "rename", "link", "symlink", "unlink", "remove", "rmdir", "mkdir"),
    *("fsync", "utime", "chmod", "sendfile", "copy_file_range", "close", "flush"),
}
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


def watched(command: Command, folder: Path, at: int | None, of_writes: bool, log: Path) -> None:
    """Run a command; die before its n-th call, or write down how many calls there were."""
    calls, writes = count(), count()
    seen = [0, 0]

    def profile(_: object, event: str, function: object) -> None:
        if event not in ("call", "c_call"):
            return
        seen[0] = next(calls)
        if event == "c_call" and getattr(function, "__name__", "") in WRITES:
            seen[1] = next(writes)
            if of_writes and seen[1] == at:
                os.kill(os.getpid(), signal.SIGKILL)
        if not of_writes and seen[0] == at:
            os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(profile)
    sys.setprofile(profile)
    command.run(folder)
    sys.setprofile(None)
    log.write_text(json.dumps({"seen": seen, "modules": sorted(sys.modules)}))


def kill_repeatedly(command: Command, times: int, room: Path) -> Counter[str]:
    """Kill a command so often, and look each time at what is left and at what it then makes.

    Raises:
        AssertionError: something was lost, is wrong, or the same command does not end its work.
    """
    base, folder, log = room / "base", room / "work", room / "log.json"

    def fresh() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(base, folder, symlinks=True)

    folder.mkdir()
    assert child(lambda: command.prepare(folder)) == DONE
    shutil.copytree(folder, base, symlinks=True)
    before = command.look(folder)
    for _ in range(2):  # once to know what to import, once to count
        fresh()
        assert child(lambda: watched(command, folder, None, False, log)) == DONE
        found = json.loads(log.read_text())
        for name in found["modules"]:
            with suppress(Exception):
                importlib.import_module(name)
    after = command.look(folder)
    assert (before != after) == command.changes, f"{command.name} changes nothing"
    moments, results = random.Random(command.name), Counter[str]()
    for i in range(times):
        of_writes = i % 3 == 0
        last = found["seen"][of_writes]
        first = last * 9 // 10 if i % 3 == 1 else 0  # a third in the last tenth: after the commit
        at = moments.randrange(first, last + 1)
        where = f"{command.name}, kill {i}, before {'write' if of_writes else 'call'} {at}"
        fresh()
        status = child(lambda: watched(command, folder, at, of_writes, log))  # noqa: B023
        assert status in (-signal.SIGKILL, DONE), where
        left = command.look(folder)
        command.check(before, left, after, where)
        again = child(lambda: command.run(folder))
        assert again == DONE or (again == REFUSED and left == after), f"{where}: the second run"
        assert command.look(folder) == after, f"{where}: the second run made something else"
        done = "ended before" if status == DONE else "killed"
        results[
            f"{done}, {'nothing' if left == before else 'all' if left == after else 'a part'}"
            " was written"
        ] += 1
    return results


if __name__ == "__main__":
    Collection._find_encoder = find_colour_encoder  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as room:
        place = Path(room)
        os.environ["RAVL_CACHE"] = str(place / "cache")
        os.environ["RAVL_CONFIG"] = str(place / "config")
        print(json.dumps(kill_repeatedly(COMMANDS[sys.argv[1]], int(sys.argv[2]), place)))
