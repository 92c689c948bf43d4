"""Errors of places as sentences, without the secrets that addresses and libraries may hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ravl.errors import DataError, RavlError

PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "sftp": "paramiko",
    "ssh": "paramiko",
    "smb": "smbprotocol",
    "http": "aiohttp requests",
    "https": "aiohttp requests",
    "oss": "ossfs",
    "oci": "ocifs",
    "dropbox": "dropboxdrivefs",
    "webdav": "webdav4",
    "hdfs": "pyarrow",
    "webhdfs": "requests",
}
SECRETS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or run gcloud auth application-default login",
    "az": "AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and "
    "AZURE_STORAGE_ACCOUNT_KEY",
}
SAME = {"s3a": "s3", "gcs": "gs", "abfs": "az", "abfss": "az"}
_SECRET = (
    (re.compile(r"(?<=://)[^/\s'\"]*@"), "***@"),  # user:password@
    (re.compile(r"(?<=[?#])[^\s'\"]+"), "***"),  # signatures and tokens
    (re.compile(r"\bhf_[A-Za-z0-9]{8,}"), "hf_***"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.+/=-]{8,}"), r"\1 ***"),
)
_DENIED = re.compile(
    r"(?i)credential|forbidden|unauthori[sz]ed|access ?denied|authenticat|\b40[13]\b"
)


def masked(text: str) -> str:
    """A text without what looks like a password or a token."""
    for pattern, instead in _SECRET:
        text = pattern.sub(instead, text)
    return text


@contextmanager
def sentences(place: str, protocol: str, doing: str) -> Iterator[None]:
    """Turns whatever a file system's library raises into a sentence.

    Args:
        place: where, as it was given.
        protocol: of it, such as "s3"; "file" for a folder.
        doing: what was tried, such as "read".

    Raises:
        DataError: says what to do about it.
    """
    try:
        yield
    except RavlError:
        raise
    except Exception as error:  # of any kind: each file system has errors of its own
        # The library's own error may hold the address with its password, so that none is chained.
        raise DataError(_sentence(place, protocol, doing, error)) from None


def _sentence(place: str, protocol: str, doing: str, error: Exception) -> str:
    shown, why = masked(place), why_of(error)
    package = PACKAGES.get(protocol)
    if isinstance(error, ImportError):
        install = f"Install it with: pip install {package}" if package else f"It says: {why}"
        return f"{shown} needs a package that is not here. {install}"
    if isinstance(error, ValueError) and "rotocol" in why and protocol in why:
        return (
            f"{protocol}:// is no kind of place that is known. Name a folder, hf:OWNER/NAME, or an "
            "address with s3://, gs://, az://, sftp://, https:// or another scheme of fsspec."
        )
    if isinstance(error, NotImplementedError):
        return f"{shown} cannot be {doing}: {protocol}:// does not offer it. Name another place."
    secret = SECRETS.get(SAME.get(protocol, protocol))
    denied = isinstance(error, PermissionError) or _DENIED.search(f"{type(error).__name__} {why}")
    if denied and secret:
        return f"{shown} cannot be {doing} ({why}). Set {secret}."
    return f"{shown} cannot be {doing}: {why}."


def why_of(error: Exception) -> str:
    """What it says, in one line and without secrets; or its name, where it says nothing."""
    text = " ".join(masked(str(error)).split())
    return text[:300].rstrip(". ") or type(error).__name__
