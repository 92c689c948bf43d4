from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugins.install import PLUGINS, install, visible


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that the toy plug-ins are installed in; this process sees them."""
    site = tmp_path_factory.mktemp("site")
    install(site, PLUGINS / "ravl_toy")
    with visible(site):
        yield site
