from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ravl.models.generation.stream_cleanup import tidy

pieces = st.lists(st.text(alphabet=" \nab", max_size=4))


@given(pieces)
def test_pieces_give_the_stripped_text(parts: list[str]) -> None:
    assert "".join(tidy(parts, line=False)) == "".join(parts).strip()
    assert all(tidy(parts, line=False))


@given(pieces)
def test_a_line_ends_at_its_break(parts: list[str]) -> None:
    assert "".join(tidy(parts, line=True)) == "".join(parts).strip().split("\n")[0].rstrip()


def test_nothing_is_read_behind_the_line() -> None:
    def endless():
        yield " a"
        yield "b\nc"
        raise AssertionError("read on")

    assert list(tidy(endless(), line=True)) == ["a", "b"]
