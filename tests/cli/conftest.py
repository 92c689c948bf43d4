from __future__ import annotations

from collections.abc import Callable

import pytest

from ravl.cli import main


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Run a command as the shell would: exit code, output, errors."""

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            words = [str(a) for a in arguments]
            monkeypatch.setattr("sys.argv", ["ravl", *words])
            main(words)
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call
