"""Input: examples of pictures with their labels and texts, from many file formats.

:func:`read` finds the reader for a source; every reader yields :class:`Example`, and
:class:`Rejected` for each item that it had to set aside.
"""

from ravl.data.example import QA, Example, Rejected, Scalar
from ravl.data.readers import ColumnNames, Source, read

__all__ = ["QA", "ColumnNames", "Example", "Rejected", "Scalar", "Source", "read"]
