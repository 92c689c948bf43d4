from __future__ import annotations

from tests.tasks.conftest import made_once, one_thread, painted, pairs, scrambled

__all__ = ["made_once", "one_thread", "painted", "pairs", "scrambled"]
