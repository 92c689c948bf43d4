"""The files around the code: workflows, templates, the Makefile."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
TARGET = re.compile(r"^([a-z][a-z-]*):(?!=)(?P<rest>.*)$", re.M)


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def yaml_of(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def targets() -> dict[str, str]:
    """Targets of the Makefile and what stands after their colon."""
    return {found[1]: found["rest"] for found in TARGET.finditer(text_of("Makefile"))}
