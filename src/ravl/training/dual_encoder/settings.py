"""What a user can choose when the retriever is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ravl.encoders.towers.freezing import parse_strategy
from ravl.errors import DataError
from ravl.training.loop_settings import LoopSettings, check_bounds, check_shares

Loss = Literal["infonce", "sigmoid"]
Level = Literal["auto", "cca", "contrastive"]
SIDES = 32, 1024  # pixels: a network halves pictures five times, and memory grows with the square


@dataclass(frozen=True, kw_only=True)
class RetrieverSettings(LoopSettings):
    """How to train the retriever.

    The defaults were chosen on Flickr8k's dev split (benchmarks/results/retriever.md).

    Args:
        model: cca (canonical correlation analysis, a closed form: seconds), contrastive (trained
            from there), or auto for the simplest that is best on the validation split.
        wide: also look at pictures with inner layers and a second network, and at texts with inner
            layers, where the encoder has such features and no network is tuned; kept where the
            validation split is clearly better with them. False: no picture is decoded again.
        words: dimensions of the word vectors beside those of the text network; 0 for none.
        loss: infonce (symmetric, van den Oord et al. 2018; CLIP) or sigmoid (SigLIP).
        dropout: of the heads' inputs.
        dimension: of the trained space.
        hidden: size of the heads' residual hidden layer; 0 for linear heads. Only linear heads
            begin as the closed form; others begin with random weights.
        temperature: at the start; it is learned.
        hard_negatives: pictures mined for each picture of a batch, which then share the batch.
        tune_vision: how much of the picture network is tuned beside the frozen one: head
            (nothing), lora (adapters in the upper half), top:N (its last N layers), or full.
        vision_side: in pixels, at which a tuned network of the builtin encoder looks at pictures;
            0 for its own 224.
        tune_text: how much of the text network is tuned, in the same words.
        horizontal_flip: a tuned picture network also sees mirror images; False where left and
            right matter.
        paraphrase: number of variants of each text, with words left out, as people type them into
            a search box.
        teacher: name of a stronger encoder whose preferences are learned as well, such as
            hf:openai/clip-vit-large-patch14; empty for none.
        teacher_weight: of these in the loss.
        gradient_cache: a batch takes the memory of 32 pictures or texts in the tuned networks, and
            a third more time.
        trained_weight: of the trained part in the similarity of two pictures; the rest is the
            weight of the base encoder.
        validation_share: of the pictures, held out to choose by, where no filter names them.
        test_share: of the pictures, held out to judge by, where no filter names them.
    """

    epochs: int = 4
    batch_size: int = 1024
    learning_rate: float = 1e-3
    patience: int = 5
    model: Level = "auto"
    wide: bool = True
    words: int = 768
    loss: Loss = "infonce"
    dropout: float = 0.5
    dimension: int = 256
    hidden: int = 0
    temperature: float = 0.07
    hard_negatives: int = 0
    tune_vision: str = "head"
    vision_side: int = 0
    tune_text: str = "head"
    horizontal_flip: bool = True
    paraphrase: int = 0
    teacher: str = ""
    teacher_weight: float = 0.5
    gradient_cache: bool = False
    trained_weight: float = 0.5
    validation_share: float = 0.1
    test_share: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bounds(self, 1, None, "dimension")
        check_bounds(
            self, 0, None, "words", "hidden", "hard_negatives", "paraphrase", "vision_side"
        )
        if self.vision_side:
            check_bounds(self, *SIDES, "vision_side")
            if self.tune_vision == "head":
                raise DataError(
                    f"vision_side is {self.vision_side}, but no picture network is tuned that "
                    "would look at larger pictures. Leave it out, or tune one, for example with "
                    "vision top:4."
                )
        if self.model == "cca" and self.trains:
            raise DataError(
                "model is cca, a closed form, which trains nothing; leave out hidden, tune_vision, "
                "tune_text and teacher, or take model contrastive."
            )
        for strategy in (self.tune_vision, self.tune_text):
            parse_strategy(strategy)
        if not 0 < self.teacher_weight <= 1:
            raise DataError(
                f"teacher_weight is {self.teacher_weight}; it must be more than 0, and at most 1."
            )
        if not self.temperature > 0:
            raise DataError(f"temperature is {self.temperature}; it must be more than 0.")
        check_shares(self, "dropout", "validation_share", "test_share")
        if not 0 < self.trained_weight <= 1:
            raise DataError(
                f"trained_weight is {self.trained_weight}; it must be more than 0, and at most 1."
            )

    @property
    def trains(self) -> bool:
        """True if something is asked for that only training gives."""
        return bool(self.hidden or self.teacher or self.tunes)

    @property
    def tunes(self) -> bool:
        """True if a network is tuned."""
        return {self.tune_vision, self.tune_text} != {"head"}
