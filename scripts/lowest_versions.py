"""The lowest versions that pyproject.toml allows, as constraints for pip, for ``make lowest``.

    python scripts/lowest_versions.py > constraints.txt

Only what ravl needs to run is held down; tools such as the linter may be new.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOUND = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[^\]]*\])?\s*(>=|==)\s*(?P<version>[0-9][\w.]*)")
TOOLS = ("dev", "docs")  # extras that ravl itself does not import


def lowest(pyproject: str) -> Iterator[str]:
    """One line ``name==version`` for each requirement, in the order of the file.

    Raises:
        ValueError: a requirement has no lowest version.
    """
    project = tomllib.loads(pyproject)["project"]
    extras = project["optional-dependencies"]
    needs = [*project["dependencies"]]
    for name in sorted(extras.keys() - set(TOOLS)):
        needs += extras[name]
    found: dict[str, str] = {}
    for need in needs:
        bound = BOUND.match(need)
        if bound is None:
            raise ValueError(f"{need!r} names no lowest version; write it as name>=version.")
        known = found.setdefault(bound["name"], bound["version"])
        found[bound["name"]] = max(known, bound["version"], key=_numbers)
    return (f"{name}=={version}" for name, version in found.items())


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


if __name__ == "__main__":
    print("\n".join(lowest((ROOT / "pyproject.toml").read_text("utf-8"))))
