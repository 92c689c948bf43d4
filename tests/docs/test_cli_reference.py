from __future__ import annotations

import pytest
from docs._ext.cli import commands, label, options

from tests.docs.pages import ROOT, everything

ALL = dict(commands())


@pytest.mark.parametrize("path", ALL)
def test_every_command_and_option_is_described(path):
    command = ALL[path]
    assert command.help, f"{path} has no help"
    text = everything()
    assert f"({label(path)})=" in text, (
        f"{path} is on no page: add <!-- ravl: cli {path.split()[1]} --> to one of "
        "docs/reference/cli"
    )
    section = text[text.index(f"({label(path)})=") :]
    section = section[: section.find("\n(ravl-", 1)]
    for option in options(command, path):
        assert option.help, f"{path}: {option.opts} has no help"
        for name in (*option.opts, *option.secondary_opts):
            assert name in section, f"{path}: {name} is not in the reference"


@pytest.mark.parametrize("path", ALL)
def test_no_option_is_there_twice(path):
    names = [name for option in options(ALL[path], path) for name in option.opts]
    assert len(names) == len(set(names))


def test_fits_have_their_settings():
    names = {name for option in options(ALL["ravl fit classify"], "x") for name in option.opts}
    assert {"--out", "--learning-rate", "--train-retriever"} <= names


@pytest.mark.parametrize("name", sorted({path.split()[1] for path in ALL if " " in path}))
def test_the_readme_lists_every_command(name):
    text = (ROOT / "README.md").read_text("utf-8")
    table = text[text.index("## The commands") : text.index("`ravl COMMAND --help`")]
    assert f"`{name}`" in table
