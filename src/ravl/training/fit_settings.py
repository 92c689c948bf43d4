"""What a user can choose when a task is fitted: one dataclass for Python, YAML and the shell."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, get_type_hints

from ravl.errors import DataError
from ravl.files.whole_file import write_text
from ravl.json_types import JsonObject, JsonRecord
from ravl.models.zero_shot import TEMPLATES
from ravl.training.loop_settings import LoopSettings, check_bounds, check_shares

Model = Literal["auto", "vote", "linear", "fusion"]
Weights = Literal["none", "balanced"]
Propagate = Literal["auto", "yes", "no"]
Whiten = Literal["auto", "no"]
Taught = Literal["auto", "no"]


@dataclass(frozen=True, kw_only=True)
class FitSettings(LoopSettings):
    """How to fit classify, tag, match or ask.

    Args:
        model: vote (neighbours only, nothing trained), linear (a head on frozen features, seconds),
            fusion (a language model that reads the neighbours, minutes), or auto: linear, unless
            fusion is better on validation.
        k: neighbours that vote; 0 to choose by leaving examples out in turn.
        num_evidence: neighbours that the fusion model reads.
        language_model: of the fusion model; builtin (MiniLM), or a BERT-like model of the hub or
            in a folder.
        tune_language_model: the part of the language model that is trained: head (nothing of it),
            lora, top:N (its last N layers), or full.
        tune_vision: the part of the vision tower that is trained; the same choices. The pictures
            are decoded for it.
        dropout: of what enters the output layer.
        label_smoothing: share of each target that is spread over all labels.
        class_weights: balanced counts each label alike in training, none each picture.
        vision_epochs: passes over the pictures in which the vision tower is trained, at most.
        vision_rate: learning rate of the head on top of it; the tower learns at a tenth of it.
        augment: show the vision tower cropped pictures as well.
        horizontal_flip: and mirrored ones; not for writing, dials and what else has a left and a
            right.
        retrieval_dropout: share of training examples that see no neighbours.
        retrieval_noise: share of their neighbours that are exchanged for random rows.
        train_retriever: let the task's loss, and what the fusion model prefers to read, reach the
            keys that neighbours are found by; kept where that helps on validation. For classify and
            tag whose labels stay: labels that come to the memory later are found less well by it.
        rerank: folder of a fitted match run that looks at neighbours again, and at what they say;
            kept where the vote on validation is better for it. It must have been fitted with the
            same validation and test splits. For classify and tag.
        whiten: compare pictures by whitened keys, and answer with the class means of the memory
            beside the vote: auto where that is likelier on validation, no for plain keys. For
            classify and tag; labels are not propagated by whitened keys.
        propagate_labels: propagate labels to the memory's rows that have none; auto where that
            helps held-out examples.
        self_training: let the memory's pictures without a label teach the linear head, each with
            the label that two unlike models agree on: auto where held-out examples are clearly
            likelier for it, no for never. For classify.
        prompt_templates: texts around a label's name for the zero-shot row of the report.
        min_examples: pictures that a label or a tag must have to be learned.
        column: of the user's own that holds the label, the tags or the text; empty for the usual.
        target_risk: share of wrong answers that the report's abstention aims at.
        validation_share: of those not for testing, held out to choose by, where none are named.
        test_share: of the pictures, held out to judge by, where none are named.
        add_to_memory: bring the training pictures of a table into the memory, with their labels.
        use_generated: use what ravl augment has written as evidence, too; for classify, tag and
            ask.
    """

    epochs: int = 8
    batch_size: int = 32
    learning_rate: float = 3e-4
    model: Model = "auto"
    k: int = 0
    num_evidence: int = 8
    language_model: str = "builtin"
    tune_language_model: str = "top:2"
    tune_vision: str = "head"
    dropout: float = 0.1
    label_smoothing: float = 0.0
    class_weights: Weights = "none"
    vision_epochs: int = 5
    vision_rate: float = 5e-3
    augment: bool = True
    horizontal_flip: bool = True
    retrieval_dropout: float = 0.15
    retrieval_noise: float = 0.1
    train_retriever: bool = False
    rerank: str = ""
    whiten: Whiten = "auto"
    propagate_labels: Propagate = "auto"
    self_training: Taught = "auto"
    prompt_templates: tuple[str, ...] = TEMPLATES
    min_examples: int = 1
    column: str = ""
    target_risk: float = 0.05
    validation_share: float = 0.15
    test_share: float = 0.2
    add_to_memory: bool = True
    use_generated: bool = False

    def __post_init__(self) -> None:
        from ravl.encoders.towers.freezing import parse_strategy

        if isinstance(self.prompt_templates, list):
            object.__setattr__(self, "prompt_templates", tuple(self.prompt_templates))
        super().__post_init__()
        check_bounds(self, 0, 1000, "k")
        check_bounds(self, 1, 64, "num_evidence")
        check_bounds(self, 1, None, "min_examples", "vision_epochs")
        check_bounds(self, 1e-9, None, "vision_rate")
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
        if self.train_retriever and self.propagate_labels == "yes":
            raise DataError(
                "propagate_labels is 'yes' and train_retriever is on, but labels are not "
                "propagated by keys that were learned from them. Leave one of the two out."
            )
        if self.train_retriever and self.rerank:
            raise DataError(
                f"rerank is {self.rerank!r} and train_retriever is on, but neighbours are either "
                "found by learned keys or reranked. Leave one of the two out."
            )
        for strategy in (self.tune_language_model, self.tune_vision):
            parse_strategy(strategy)


def read_settings(file: Path, kind: type[LoopSettings] = FitSettings) -> JsonObject:
    """Settings of a kind out of a YAML file; see :func:`raw_settings`, :func:`checked_settings`."""
    return checked_settings(raw_settings(file), kind, file)


def raw_settings(file: Path) -> JsonObject:
    """Settings out of a YAML file, by name, as they stand there.

    Args:
        file: of settings, one a line, such as ``epochs: 5``.

    Raises:
        DataError: the file cannot be read, or is not a YAML mapping.
    """
    import yaml

    try:
        found = yaml.safe_load(file.read_text("utf-8")) or {}
    except OSError as error:
        raise DataError(f"The settings in {file} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{file} is not valid YAML: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"{file} must hold settings, one a line, such as 'epochs: 5'.")
    return found


def checked_settings(found: JsonRecord, kind: type[LoopSettings], file: Path) -> JsonObject:
    """Settings out of a file, with numbers as numbers.

    Args:
        found: what :func:`raw_settings` returns.
        kind: of settings.
        file: that they are from, for errors.

    Raises:
        DataError: one is not a setting of this kind.
    """
    allowed = [f.name for f in fields(kind)]
    if unknown := [name for name in found if name not in allowed]:
        raise DataError(
            f"{file} names {unknown[0]!r}, which is no setting; there are: {', '.join(allowed)}."
        )
    hints = get_type_hints(kind)
    return {
        name: _number(value) if hints[name] is float else value for name, value in found.items()
    }


def _number(value: object) -> object:
    """YAML reads 1e-4, without a point, as a text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def write_settings(settings: LoopSettings, file: Path) -> None:
    """The resolved settings as YAML, to be used again with ``--config``."""
    import yaml

    write_text(file, yaml.safe_dump(settings.to_json(), sort_keys=False, allow_unicode=True))
