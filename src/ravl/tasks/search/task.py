"""The task search: the retriever of a memory, trained on the memory's own texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from ravl.errors import DataError
from ravl.json_types import JsonObject, JsonRecord, JsonValue
from ravl.tasks.contract import Task, list_of_texts
from ravl.tasks.options import EvaluateOptions

if TYPE_CHECKING:
    from ravl.memory import Memory
    from ravl.tasks.model import Model
    from ravl.tasks.search.results import RetrieverReport
    from ravl.training.dual_encoder.settings import RetrieverSettings


class SearchTask(Task):
    """Pictures for a text, and texts for a picture; a memory answers it, with a fit or without."""

    name = command = "search"
    noun = "hit"
    field = ""  # an answer is a list of hits
    single = False
    summary = "Find pictures or texts"
    purpose = "finds pictures by text and texts by picture"
    answers = False
    about = """Train the retriever: texts find their pictures, and pictures find their texts.

    Small heads on top of the encoder's networks are trained on the memory's captions, labels, tags
    and questions; with --tune-vision and --tune-text, copies of the networks are trained, too. The
    memory then uses the trained space, and RUN contains a report.
    """

    def settings(self) -> type[RetrieverSettings]:
        """The class of the settings of a fit."""
        from ravl.training.dual_encoder.settings import RetrieverSettings

        return RetrieverSettings

    def fit(
        self, memory: Memory, out: Path, settings: Any, command: str = "", **sources: Any
    ) -> RetrieverReport:
        """Train the retriever on a memory.

        Raises:
            DataError: a table is named; the retriever learns from the memory itself.
        """
        from ravl.tasks.search.fit import fit_retriever  # imports torch

        if sources.get("data") is not None:
            raise DataError("The retriever learns from the memory itself; leave out data.")
        named = {part: sources.get(part) for part in ("validation", "test")}
        return fit_retriever(
            memory,
            out,
            settings,
            progress=sources.get("progress"),
            **{part: None if where is None else str(where) for part, where in named.items()},
        )

    def evaluate(
        self, model: Model, data: str | Path, **options: Unpack[EvaluateOptions]
    ) -> JsonObject:
        """Not offered: a search is judged by ``ravl fit search``, which reports it.

        Raises:
            DataError: always.
        """
        raise DataError("Search has no run to evaluate; ravl fit search reports what it gained.")

    def shaped(self, value: JsonValue) -> JsonValue:
        """A list of ids.

        Raises:
            ValueError: it is neither a text nor a list of texts.
        """
        return list_of_texts(value, self.command)

    def feedback(self, answer: Any) -> JsonRecord:
        """What feedback says of hits: their ids."""
        return {"answer": [hit.id for hit in answer]}
