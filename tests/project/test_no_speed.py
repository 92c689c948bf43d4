"""No test depends on how fast the machine is: clocks, sleeps and short time limits are refused.

Where one of them is right, the line says why, after ``any speed:``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.project.files import ROOT

SHORT = 60  # seconds; a busy machine may need longer for anything
CLOCKS = ("monotonic", "perf_counter", "process_time", "thread_time")
LIMITS = ("timeout", "deadline", "upload", "shutdown")  # arguments that are seconds
WAITING = ("wait", "join", "wait_for", "result", "communicate", "acquire")
OUTSIDE = ("httpx", "requests")  # whose own time limits are some seconds
REQUESTS = ("get", "post", "put", "patch", "delete", "stream", "request", "Client", "AsyncClient")
EXCUSE = "# any speed: "
FILES = sorted(
    p
    for p in (ROOT / "tests").rglob("*.py")
    if p.relative_to(ROOT / "tests").parts != ("waiting.py",)
)


def hasty(text: str) -> Iterator[tuple[int, str]]:
    """Lines of a test's code that depend on the machine's speed, and what is wrong there."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and (what := _hasty(node)):
            span = lines[node.lineno - 1 : node.end_lineno]
            if not any(EXCUSE in line for line in span):
                yield node.lineno, what


def _hasty(call: ast.Call) -> str:
    owner, name = _name(call.func)
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if name == "sleep" and owner in ("time", "asyncio", "") and not _is_zero(call):
        return "a sleep"
    if name in CLOCKS or (owner, name) == ("time", "time"):
        return "a clock"
    if name in ("Timer", "call_later"):
        return "a timer"
    limits = [keywords[limit] for limit in LIMITS if limit in keywords]
    if name in WAITING:
        limits += call.args[-1:]
    if any(0 < number < SHORT for number in map(_number, limits)):
        return f"a time limit below {SHORT} seconds"
    if owner in OUTSIDE and name in REQUESTS and not {"timeout", "transport"} & set(keywords):
        return "the time limit of httpx, some seconds"
    if name == "settings" and _number(keywords.get("deadline")) > 0:
        return "a deadline of hypothesis"
    return ""


def _name(function: ast.expr) -> tuple[str, str]:
    """``time.sleep`` as ("time", "sleep")."""
    if isinstance(function, ast.Attribute):
        owner = function.value
        return (owner.id if isinstance(owner, ast.Name) else "?"), function.attr
    return "", function.id if isinstance(function, ast.Name) else "?"


def _number(value: ast.expr | None) -> float:
    number = value.value if isinstance(value, ast.Constant) else None
    return float(number) if isinstance(number, int | float) else -1


def _is_zero(call: ast.Call) -> bool:
    return bool(call.args) and _number(call.args[0]) == 0


def test_no_test_depends_on_speed():
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in FILES
        for line, what in hasty(path.read_text("utf-8"))
    ]
    how = f"wait with tests/waiting.py, or say why on the line, after {EXCUSE!r}"
    assert not found, "\n".join([how, *found])


@pytest.mark.parametrize(
    "line",
    [
        "time.sleep(0.1)",
        "await asyncio.sleep(seconds)",
        "began = time.monotonic()",
        "start = perf_counter()",
        "threading.Timer(1.0, gate.set).start()",
        "thread.join(10)",
        "assert gate.wait(timeout=5)",
        "asyncio.wait_for(work(), 20)",
        "subprocess.run(command, timeout=30)",
        "Limits(deadline=0.2)",
        "httpx.get(url)",
        "settings(deadline=200)",
    ],
)
def test_what_is_refused(line):
    text = f"async def test(): {line}"
    assert list(hasty(text))
    assert not list(hasty(f"{text}  {EXCUSE}a reason"))


@pytest.mark.parametrize(
    "line",
    [
        "await asyncio.sleep(0)",
        "thread.join()",
        "thread.join(PATIENCE)",
        "subprocess.run(command, timeout=600)",
        "httpx.get(url, timeout=PATIENCE)",
        "settings(deadline=None)",
        "', '.join(words)",
        "pause(0.1)",
    ],
)
def test_what_is_not(line):
    assert not list(hasty(f"async def test(): {line}"))
