"""Generators by name: ``hf:...`` runs here, ``openai:...`` is on a server; others are plug-ins."""

from __future__ import annotations

from typing import Any

from ravl import addresses, plugins
from ravl.errors import EncoderError, PluginError
from ravl.models.generation.base import Generator

TRAINABLE = "hf"  # the scheme of the generators that a fit can train further

USAGE = (
    "Use 'hf:' with a model's name or folder, for example "
    "'hf:HuggingFaceTB/SmolVLM-256M-Instruct', or 'openai:' with the address of a server, for "
    "example 'openai:http://localhost:8000/v1'."
)


def load_generator(spec: str, *, found_in: str = "", **how: object) -> Generator:
    """The generator of that name.

    Args:
        spec: ``hf:NAME`` with a name on the Hugging Face hub, a local folder of such a model, or
            a folder that a generator of this kind was saved to; ``openai:http://HOST:PORT/v1``
            with a server's address, and ``#MODEL`` behind it for one of its models; or
            ``SCHEME:REST`` of an installed package, see ``docs/how-to/plugins.md``.
        found_in: what named this generator, if it was not the user, such as ``"The run in a"``.
            Then nothing is contacted that the user has not named; see :mod:`ravl.addresses`.
        how: passed on: see :class:`~ravl.models.generation.causal.CausalGenerator`,
            :class:`~ravl.models.generation.chat.ChatGenerator` and
            :class:`~ravl.models.generation.server.ServerGenerator`, which has its own way to keep
            constraints and ignores ``constrain``.

    Raises:
        EncoderError: there is no such generator, or it cannot be loaded.
        AddressError: a file names it, it is not on this machine, and the user has not named it.
    """
    scheme, _, rest = spec.partition(":")
    try:
        # Networks are imported only when one is wanted.
        make = plugins.load(plugins.GENERATORS, scheme, USAGE)
    except PluginError as error:
        raise EncoderError(str(error)) from error
    if not rest and scheme in plugins.BUILTIN[plugins.GENERATORS]:
        raise EncoderError(f"There is no generator {spec!r}. {USAGE}")
    if not callable(make):
        raise EncoderError(
            f"The plug-in for generators named {scheme!r} is {make!r}; it must be a class or a "
            "function that makes a generator. Ask its author to correct the entry point."
        )
    if found_in:
        addresses.check(spec, found_in)
    else:
        addresses.allow(spec)
    generator = make(rest, **how)
    if not isinstance(generator, Generator):
        raise EncoderError(
            f"The plug-in for generators named {scheme!r} made {generator!r}, which is not a "
            "ravl.models.generation.base.Generator. Ask its author to correct it."
        )
    return generator


def reads_features(spec: str) -> bool:
    """True for a model that has no eyes of its own: a picture's features can be put before it.

    Raises:
        EncoderError: it cannot be found.
    """
    kind, _, name = spec.partition(":")
    if kind != TRAINABLE or not name:
        return False
    from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    from ravl.models.generation.hub import found_folder, load_config

    return type(load_config(found_folder(name))) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING


def of_server(address: str, **how: Any) -> Generator:
    """A model behind a server; it keeps constraints by asking for them."""
    from ravl.models.generation.server import ServerGenerator

    return ServerGenerator(address, **{k: v for k, v in how.items() if k != "constrain"})


def of_hub(name: str, **how: Any) -> Generator:
    """A chat or a completion model, as its files say.

    Raises:
        EncoderError: it cannot be found, or is of a kind that writes no text.
    """
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
