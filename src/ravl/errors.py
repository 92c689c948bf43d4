"""Every error that ravl raises on purpose.

Messages are sentences for the person at the keyboard: what was found, what is allowed, what to do.
The command line prints them as they are, without a stack trace.
"""


class RavlError(Exception):
    """Base of all errors that a user can do something about."""


class DataError(RavlError, ValueError):
    """A source of examples cannot be read as what it claims to be: missing columns, broken JSON."""


class RowExistsError(DataError):
    """A new row was to get an id that another row has."""


class PictureError(RavlError, ValueError):
    """One picture cannot be decoded, or is larger than allowed."""

    def among(self, position: int, count: int, noun: str = "Picture") -> "PictureError":
        """The same error, which says which of several pictures it is about.

        Args:
            position: of the picture, from 0.
            count: number of pictures; the error of a single one stays as it is.
            noun: what there are several of.
        """
        if count == 1:
            return self
        return PictureError(f"{noun} {position + 1:,} of {count:,}: {self}")


class DivergedError(RavlError, ArithmeticError):
    """The loss of a training is no longer a number; what it has learned is worth nothing."""


class FilterError(RavlError, ValueError):
    """A ``where`` expression does not parse, or names a column that the memory does not have."""


class QueryError(RavlError, ValueError):
    """A search was asked in a way that has no answer: no query, k below 1, nothing to search in."""


class MemoryFileError(RavlError, OSError):
    """The memory's file is missing, is not a memory, is newer than this ravl, or cannot grow."""


class MemoryExistsError(MemoryFileError):
    """A memory was to be made where there is a file already."""


class MemoryLockedError(RavlError, TimeoutError):
    """Another process is writing to the memory and did not finish within the waiting time."""


class EncoderError(RavlError, ValueError):
    """An encoder cannot be found, loaded or used: unknown name, missing files, no text tower."""


class EncoderMismatchError(EncoderError):
    """The memory's vectors were made by another encoder than the one at hand."""


class AddressError(EncoderError):
    """A file names a server or a model of the hub that the user has not named: `ravl allow`."""


class PluginError(RavlError, LookupError):
    """A name that no installed package adds, that two of them add, or that cannot be imported."""


class RowNotFoundError(RavlError, KeyError):
    """No row with this id is in the memory."""

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return str(self.args[0]) if self.args else "no such row"
