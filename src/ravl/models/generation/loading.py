"""Generators by name: ``hf:...`` for models that run here, ``openai:...`` for those of a server."""

from __future__ import annotations

from typing import Any

from ravl.errors import EncoderError
from ravl.models.generation.base import Generator


def load_generator(spec: str, **how: Any) -> Generator:
    """The generator of that name.

    Args:
        spec: ``hf:NAME`` with a name on the Hugging Face hub, a local folder of such a model, or
            a folder that a generator of this kind was saved to; or ``openai:http://HOST:PORT/v1``
            with a server's address, and ``#MODEL`` behind it for one of its models.
        how: passed on: see :class:`~ravl.models.generation.causal.CausalGenerator`,
            :class:`~ravl.models.generation.chat.ChatGenerator` and
            :class:`~ravl.models.generation.server.ServerGenerator`, which has its own way to
            keep constraints and leaves ``constrain`` alone.

    Raises:
        EncoderError: the name is of no such form, or the generator cannot be loaded.
    """
    # Networks are imported only when one is wanted.
    kind, _, name = spec.partition(":")
    if kind == "hf" and name:
        return _of_hub(name, how)
    if kind == "openai" and name:
        from ravl.models.generation.server import ServerGenerator

        return ServerGenerator(name, **{k: v for k, v in how.items() if k != "constrain"})
    # The embedded generator, ``fused``, gets its branch here.
    raise EncoderError(
        f"There is no generator {spec!r}. Use 'hf:' with a model's name or folder, for example "
        "'hf:HuggingFaceTB/SmolVLM-256M-Instruct', or 'openai:' with the address of a server, for "
        "example 'openai:http://localhost:8000/v1'."
    )


def reads_features(spec: str) -> bool:
    """True for a model that has no eyes of its own: a picture's features can be put before it.

    Raises:
        EncoderError: it cannot be found.
    """
    kind, _, name = spec.partition(":")
    if kind != "hf" or not name:
        return False
    from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    from ravl.models.generation.hub import found_folder, load_config

    return type(load_config(found_folder(name))) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING


def _of_hub(name: str, how: dict[str, Any]) -> Generator:
    """A chat or a completion model, as its files say."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    from ravl.models.generation.causal import CausalGenerator
    from ravl.models.generation.chat import ChatGenerator
    from ravl.models.generation.hub import found_folder, load_config
    from ravl.models.generation.saving import FILE, read_settings

    folder = found_folder(name)
    if (folder / FILE).is_file():
        saved: Any = {"causal": CausalGenerator, "chat": ChatGenerator}
        return saved[read_settings(folder).kind].load(folder, **how)  # type: ignore[no-any-return]
    config = load_config(folder)
    built = [str(a) for a in getattr(config, "architectures", None) or []]
    if type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        return ChatGenerator(name, **how)
    writes = not built or any(a.endswith(("ForCausalLM", "LMHeadModel")) for a in built)
    if type(config) in MODEL_FOR_CAUSAL_LM_MAPPING and writes:
        return CausalGenerator(name, **how)
    raise EncoderError(
        f"The model in {folder} is {' and '.join(built) or config.model_type}, which writes no "
        "text. Use a decoder-only language model, such as GPT-2, or a vision-language model that "
        "chats, such as SmolVLM."
    )
