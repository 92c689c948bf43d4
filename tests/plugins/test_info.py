"""``ravl info --plugins`` lists what is builtin and what packages add."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import ravl
from ravl.cli import cli
from tests.plugins.install import visible, write_metadata


def info(*arguments: str) -> str:
    done = CliRunner().invoke(cli, ["info", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_for_programs(toy: Path) -> None:
    found = json.loads(info("--plugins", "--json"))
    by_name = {(p["group"], p["name"]): p for p in found}
    own = by_name["ravl.encoders", "builtin"]
    assert (own["package"], own["version"]) == ("ravl", ravl.__version__)
    assert by_name["ravl.encoders", "toy"] == {
        "group": "ravl.encoders",
        "name": "toy",
        "target": "ravl_toy.encoder:ToyEncoder",
        "package": "ravl_toy",
        "version": "0.3",
        "problem": "",
    }
    kinds = {p["group"] for p in found if p["package"] == "ravl_toy"}
    assert kinds == {"ravl.encoders", "ravl.readers", "ravl.generators", "ravl.metrics"}


def test_for_people(toy: Path) -> None:
    lines = [line.split("\t") for line in info("--plugins").splitlines()]
    assert ["metrics", "multiclass.top_2", "ravl_toy.metrics:TOP_2", "ravl_toy 0.3"] in [
        [cell.strip() for cell in line[:4]] for line in lines
    ]


def test_problems_are_listed(tmp_path: Path) -> None:
    write_metadata(tmp_path, "impostor", {"ravl.readers": {"table": "nowhere:Reader"}})
    with visible(tmp_path):
        assert "ravl uses its own" in info("--plugins")


@pytest.mark.parametrize(
    "arguments", [(), ("--plugins", "shop.ravl"), ("--plugins", "--quarantine")]
)
def test_what_does_not_go_together(arguments: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cli, ["info", *arguments])
    assert done.exit_code == 2
    assert ("Missing argument 'MEMORY'" if not arguments else "Leave out the rest") in done.output
