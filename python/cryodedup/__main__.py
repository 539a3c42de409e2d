"""The program ``cryodedup``, also ``python -m cryodedup``: ready for signals before it imports anything else."""

from __future__ import annotations

import errno
import os
import sys

try:
    from cryodedup.system import signals

    signals.end_this_process()
except KeyboardInterrupt:
    try:
        os.write(2, b"cryodedup: error: interrupted\n")
    finally:
        os._exit(130)


def main() -> None:
    """Runs the command line, and ends the process with its exit status."""
    from cryodedup.cli import run, shows_only
    from cryodedup.cli.console import NOT_SHOWN, complain, lasting_streams

    output = lasting_streams()
    try:
        status = run()
        sys.stdout.flush()
        unread = output.failed is not None and output.failed.errno == errno.EPIPE and shows_only()  # as by `cryodedup --help | head`
        if output.failed is not None and not status and not unread:
            complain(f"standard output: {output.failed.strerror}; the run finished, and its files are complete")
            status = NOT_SHOWN
        signals.over()
    except signals.Ended as ended:
        complain(str(ended))
        status = ended.status
    sys.exit(status)


if __name__ == "__main__":
    main()
