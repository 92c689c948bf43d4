"""The types of JSON.

What was read from a file or a server may be anything until it has been looked at, so its type is
``Any``, and this is the one place that says so. Functions that read such a value check it, or are
called where a wrong shape becomes an error that says what was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

JsonValue = Any  # a value that was read
JsonObject = dict[str, Any]  # an object, read or to be written
JsonRecord = Mapping[str, Any]  # an object that is only read
