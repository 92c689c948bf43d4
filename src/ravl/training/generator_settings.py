"""What a user can choose of a generator, whatever it writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ravl import plugins
from ravl.errors import DataError
from ravl.training.loop_settings import LoopSettings, check_bounds

Compared = Literal["trained", "hidden"]


@dataclass(frozen=True, kw_only=True)
class GeneratorSettings(LoopSettings):
    """How what writes is made, trained, and compared.

    Args:
        generator: that writes; builtin (MiniLM reads and writes), hf:NAME (a decoder-only or chat
            model of the hub or in a folder), openai:URL (a server, which is not trained), or
            SCHEME:REST (of an installed package, which is not trained).
        regions: s, of the s x s parts of a picture that the builtin generator looks at one by one;
            0 for the features that the memory keeps alone. Pictures are decoded for it.
        quotes: of the best supported texts, how many it reads word for word.
        layers: of the builtin decoder, taken evenly from the language model's.
        words: tokens of its vocabulary at most, learned on the texts.
        max_new_tokens: maximal number of tokens of a text; 0 for what nearly all training texts
            need.
        num_beams: beams of the search when it writes.
        reward_epochs: passes in which the builtin generator learns from how good whole texts of
            its own are (self-critical training), after it has learned to repeat people's.
        compare: what the row without retrieval is; a generator trained without (trained), or the
            same one, shown no neighbours (hidden), which takes half the time.
    """

    generator: str = "builtin"
    regions: int = 0
    quotes: int = 0
    layers: int = 3
    words: int = 6000
    max_new_tokens: int = 0
    num_beams: int = 5
    reward_epochs: int = 0
    compare: Compared = "trained"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bounds(self, 0, 7, "regions")
        check_bounds(self, 0, 16, "quotes")
        check_bounds(self, 1, 48, "layers")
        check_bounds(self, 300, 100_000, "words")
        check_bounds(self, 0, 1024, "max_new_tokens")
        check_bounds(self, 1, 64, "num_beams")
        check_bounds(self, 0, None, "reward_epochs")
        if self.generator != "builtin" and not _is_known(self.generator):
            raise DataError(
                f"generator is {self.generator!r}; it must be builtin, hf:NAME, openai:URL, or the "
                "name of a generator of an installed package: see `ravl info --plugins`."
            )


def _is_known(generator: str) -> bool:
    scheme, _, rest = generator.partition(":")
    if scheme in plugins.BUILTIN[plugins.GENERATORS]:
        return bool(rest)
    return scheme in plugins.names(plugins.GENERATORS)
