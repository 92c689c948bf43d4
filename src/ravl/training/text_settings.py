"""What a user can choose when a task that writes text is fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ravl.errors import DataError
from ravl.training.generator_settings import GeneratorSettings
from ravl.training.loop_settings import Precision, check_bounds, check_shares

Level = Literal["auto", "vote", "generator"]


@dataclass(frozen=True, kw_only=True)
class TextSettings(GeneratorSettings):
    """How to fit a task that writes texts.

    Args:
        model: vote (what the neighbours' texts agree with most; nothing trained), generator (a
            decoder that reads picture and neighbours, and writes), or auto: both, and the
            generator is kept where it is clearly better on validation.
        k: neighbours whose texts count in the consensus.
        num_evidence: neighbours that the generator reads.
        language_model: of the builtin generator; builtin (MiniLM), or a BERT-like model of the hub
            or in a folder.
        tune_language_model: the part that is trained of the model that reads, or of a generator of
            the hub: head (nothing of it), lora, top:N (its last N layers), or full.
        dropout: in the decoder.
        label_smoothing: share of each target that is spread over all words.
        retrieval_dropout: share of training examples that see no neighbours.
        retrieval_noise: share of their neighbours that are exchanged for random rows, and of
            examples that are shown another picture's neighbours.
        target_risk: share of texts that are not good that the report's abstention aims at.
        validation_share: of those not for testing, held out to choose by, where none are named.
        test_share: of the pictures, held out to judge by, where none are named.
        add_to_memory: bring the training pictures of a table into the memory, with their texts.
        use_generated: use texts that ravl augment has written as evidence, too.
    """

    epochs: int = 6
    batch_size: int = 32
    learning_rate: float = 3e-4
    patience: int = 3
    precision: Precision = "auto"
    model: Level = "auto"
    k: int = 100
    num_evidence: int = 8
    regions: int = 3
    language_model: str = "builtin"
    tune_language_model: str = "full"
    dropout: float = 0.1
    label_smoothing: float = 0.1
    retrieval_dropout: float = 0.15
    retrieval_noise: float = 0.1
    target_risk: float = 0.2
    validation_share: float = 0.1
    test_share: float = 0.1
    add_to_memory: bool = True
    use_generated: bool = False

    def __post_init__(self) -> None:
        from ravl.encoders.towers.freezing import parse_strategy

        super().__post_init__()
        check_bounds(self, 1, 1000, "k")
        check_bounds(self, 1, 64, "num_evidence")
        check_shares(
            self,
            "dropout",
            "label_smoothing",
            "retrieval_dropout",
            "retrieval_noise",
            "validation_share",
            "test_share",
        )
        if not 0 < self.target_risk < 1:
            raise DataError(
                f"target_risk is {self.target_risk}; it must be more than 0 and less than 1."
            )
        parse_strategy(self.tune_language_model)

    @property
    def target(self) -> str:
        """Column of the user's own whose text is to be written; empty for the usual field."""
        return ""

    @property
    def schema(self) -> str:
        """File of a JSON schema that all texts must satisfy; empty for none."""
        return ""
