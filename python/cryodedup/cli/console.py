"""What is printed: every line goes through here, so that no name acts on a terminal, and no closed or full output ends a run."""

from __future__ import annotations

import io
import os
import select
import sys
from typing import TYPE_CHECKING

from cryodedup.names import as_options
from cryodedup.text import shown

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

NOT_SHOWN = 4
"""Exit status of a run that is done, but could not print everything to standard output."""


def say(*texts: str) -> None:
    """Prints lines to standard output."""
    print(*(shown(as_options(text)) for text in texts), sep="\n")


def complain(text: str) -> None:
    """Prints an error to standard error: one line."""
    remark(f"cryodedup: error: {' '.join(text.splitlines())}")


def remark(text: str) -> None:
    """Prints a line to standard error, at once."""
    print(shown(as_options(text)), file=sys.stderr, flush=True)


class Lasting(io.RawIOBase):
    """Writes to a file descriptor. After the first error nothing more is written, and none is raised.

    Attributes
    ----------
    failed
        The first error; None: there was none.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.failed: OSError | None = None
        self._descriptor = descriptor
        try:
            os.fstat(descriptor)
        except OSError as error:
            self._closed: OSError | None = error
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which an output file would get otherwise
        else:
            self._closed = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: ReadableBuffer, /) -> int:
        """Writes some of the bytes, or none if an earlier call failed; returns how many are dealt with."""
        try:
            if self._closed is not None:
                raise self._closed
            return memoryview(data).nbytes if self.failed else self._write(data)
        except OSError as error:
            self.failed = self.failed or error
            return memoryview(data).nbytes

    def _write(self, data: ReadableBuffer) -> int:
        while True:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:  # a pipe that another program made so
                select.select([], [self._descriptor], [])


def lasting_streams() -> Lasting:
    """Makes standard output and error :class:`Lasting`, and returns the one of standard output.

    Lines appear as they are printed, also in a log; characters that the terminal's encoding does not have are replaced.
    """
    streams = []
    for descriptor, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        lasting = Lasting(descriptor)
        streams.append((lasting, getattr(stream, "encoding", None) or "utf-8"))
    text = [io.TextIOWrapper(io.BufferedWriter(raw), encoding, "replace", line_buffering=True) for raw, encoding in streams[1:]]
    sys.stdout, sys.stderr = text
    return streams[1][0]
