"""Every ``ravl ...`` line that a page or README shows is one that the program takes."""

from __future__ import annotations

import re
import shlex

import click
import pytest
from docs._ext.cli import commands, options

from ravl.cli import cli
from tests.docs.pages import ROOT, WRITTEN, blocks, without_blocks

INLINE = re.compile(r"`(ravl [^`]+)`")


def command_lines(text):
    """Lines of code blocks that call ravl, without comments."""
    for kind, block in blocks(text):
        if kind in ("", "sh", "bash", "console"):
            for line in re.sub(r"\\\n\s*", " ", block).splitlines():
                if line.strip().startswith("ravl "):
                    yield line.strip()


def resolve(words):
    """The command that these words call, and what is left of them."""
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group) and words:
        found = command.get_command(context, words[0])
        if found is None:
            break
        command, words = found, words[1:]
    return command, words


def parse(line):
    words = shlex.split(line, comments=True)[1:]
    command, rest = resolve(words)
    assert command is not cli, f"There is no such command: {line}"
    if "--help" not in rest:
        command.make_context(command.name, rest)


@pytest.mark.parametrize("path", WRITTEN, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_commands_on_pages_are_taken(path):
    text = path.read_text("utf-8")
    for line in command_lines(text):
        if line in ("ravl --help", "ravl --version"):
            continue
        try:
            parse(line)
        except click.ClickException as error:
            pytest.fail(f"{path.name}: {line}\n{error.format_message()}")
    known = {
        c: {name for o in options(c, p) for name in (*o.opts, *o.secondary_opts)}
        for p, c in commands()
    }
    for found in INLINE.findall(without_blocks(text)):
        words = found.split()[1:]
        if words[0].isupper() or words[0].startswith(("-", ".")) or "|" in found:
            continue
        command, rest = resolve(words)
        assert command is not cli, f"{path.name}: there is no command {found!r}"
        for word in rest:
            option = word.partition("=")[0].strip('"')
            if option.startswith("--") and option != "--help" and command in known:
                assert option in known[command], f"{path.name}: {found!r} has no {option}"


def test_a_wrong_line_is_noticed():
    for line in ("ravl serach shop.ravl x", "ravl search shop.ravl x --colour red", "ravl update"):
        with pytest.raises((click.ClickException, AssertionError)):
            parse(line)
