"""What comes in: examples of pictures with what is known of them, whatever file they stand in.

:func:`read` finds the reader for a source; every reader yields :class:`Example`, and
:class:`Rejected` for what it had to set aside.
"""

from ravl.data.example import QA, Example, Rejected, Scalar
from ravl.data.readers import ColumnNames, Source, read

__all__ = ["QA", "ColumnNames", "Example", "Rejected", "Scalar", "Source", "read"]
