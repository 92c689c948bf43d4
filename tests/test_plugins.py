"""The lookup of extension points: builtin names, installed packages, and what is refused."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from math import pi
from pathlib import Path

import pytest

from ravl import plugins
from ravl.errors import PluginError
from ravl.plugins import BUILTIN, METRICS
from tests.plugins.install import visible, write_metadata

ALL = [(group, name) for group, table in BUILTIN.items() for name in table]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages, and one builtin metric."""
    monkeypatch.setitem(BUILTIN, METRICS, {"accuracy": "math:pi"})
    (tmp_path / "of_a.py").write_text("class Grade:\n    best = 'A'\n")
    with visible(tmp_path):
        yield tmp_path


@pytest.mark.parametrize(("group", "name"), ALL)
def test_every_builtin_entry_can_be_loaded(group: str, name: str) -> None:
    assert plugins.load(group, name) is not None


def test_installed_names_follow_the_builtin_ones(site: Path) -> None:
    write_metadata(site, "b", {METRICS: {"zeal": "of_a:Grade", "grade": "of_a:Grade.best"}})
    assert plugins.names(METRICS) == ("accuracy", "grade", "zeal")
    assert plugins.load(METRICS, "grade") == "A"
    assert plugins.load(METRICS, "accuracy") == pi


def test_a_builtin_name_asks_no_package(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "installed", lambda group: pytest.fail("looked at packages"))
    assert plugins.load(METRICS, "accuracy") == pi


def test_an_unknown_name(site: Path) -> None:
    with pytest.raises(PluginError, match=r"There is no metric 'grade'\. There are accuracy\."):
        plugins.load(METRICS, "grade")


@pytest.mark.parametrize("target", ["no_such_module:x", "of_a:Missing", "fails:x"])
def test_an_entry_that_cannot_be_imported(site: Path, target: str) -> None:
    (site / "fails.py").write_text("raise RuntimeError('no licence')")
    write_metadata(site, "some-metrics", {METRICS: {"grade": target}}, "2.1")
    with pytest.raises(
        PluginError, match=r"The package some-metrics 2\.1 adds the metric 'grade'"
    ) as error:
        plugins.load(METRICS, "grade")
    assert target in str(error.value)


def test_a_package_cannot_replace_a_builtin_name(site: Path) -> None:
    write_metadata(site, "impostor", {METRICS: {"accuracy": "of_a:Grade"}})
    with pytest.warns(UserWarning, match="package impostor adds the metric 'accuracy'"):
        assert plugins.names(METRICS) == ("accuracy",)
    assert plugins.load(METRICS, "accuracy") == pi
    assert "ravl uses its own" in next(p.problem for p in plugins.listed() if p.package != "ravl")


def test_a_name_of_two_packages_is_refused(site: Path) -> None:
    write_metadata(site, "one", {METRICS: {"grade": "of_a:Grade"}})
    write_metadata(site, "two", {METRICS: {"grade": "of_a:Grade"}})
    with pytest.warns(UserWarning, match="packages one and two both add the metric 'grade'"):
        assert plugins.names(METRICS) == ("accuracy",)
    with pytest.raises(PluginError, match="uninstall all but one"):
        plugins.load(METRICS, "grade")


def test_listed_names_the_package_and_its_version(site: Path) -> None:
    write_metadata(site, "one", {METRICS: {"grade": "of_a:Grade"}}, "3.4")
    own, other = (p for p in plugins.listed() if p.group == METRICS)
    assert (own.name, own.target, own.package) == ("accuracy", "math:pi", "ravl")
    assert (other.name, other.package, other.version) == ("grade", "one", "3.4")


@pytest.mark.parametrize("name", ["os:system", "os", "..", "", "math:pi", "accuracy\n"])
def test_a_name_is_never_taken_for_a_module(site: Path, name: str) -> None:
    (site / "os_of_the_memory.py").write_text("raise SystemExit('imported')")
    for hostile in (name, "os_of_the_memory", "os_of_the_memory:x"):
        with pytest.raises(PluginError):
            plugins.load(METRICS, hostile)
    assert "os_of_the_memory" not in sys.modules


def test_a_builtin_command_looks_at_no_package() -> None:
    """`ravl search --help` does not import the module that reads packages' metadata.

    `ravl --help` does: it lists the tasks that packages add.
    """
    code = (
        "import sys\nfrom ravl.cli import cli\n"
        "cli(['search', '--help'], standalone_mode=False)\n"
        "assert 'importlib.metadata' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_warning_without_packages() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plugins.listed()
