from __future__ import annotations

from ravl.refitting.outcome import changes_in_words


def test_the_most_frequent_labels_are_named() -> None:
    counts = {f"kind {i:02}": i for i in range(1, 13)}
    said = changes_in_words({"new": 1234, "changed": 5, "gone": 0, "labels": counts})
    assert said.startswith(
        "Since the last fit: 1,234 new labelled pictures (kind 12 12, kind 11 11"
    )
    assert "kind 03 3 and 2 others), 5 labelled anew, 0 gone." in said
    assert "kind 02" not in said
    few = changes_in_words({"new": 2, "changed": 0, "gone": 0, "labels": {"a": 2}})
    assert "2 new labelled pictures (a 2), 0" in few
    assert "(" not in changes_in_words({"new": 2, "changed": 0, "gone": 0, "labels": {}})
