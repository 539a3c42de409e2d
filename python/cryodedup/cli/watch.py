"""``cryodedup watch``."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import rich_click as click

from cryodedup.cli import options
from cryodedup.cli.console import remark, say
from cryodedup.errors import InputError
from cryodedup.micrographs.live import watch as live
from cryodedup.micrographs.live.state import Event
from cryodedup.params import MicrographParams
from cryodedup.text import count, original

HOW = live.Watching()
_FIELDS = "original", "duplicate", "z", "q", "ccc", "overlap", "shift_x_px", "shift_y_px"
_FIELD = re.compile(r"\{(\w+)\}")
_LONGEST_S = 60.0
"""A command that has run for longer is killed when the next one starts."""

click.rich_click.OPTION_GROUPS["cryodedup watch"] = [
    {"name": "Duplicates", "options": ["--fdr", "--max-shift"]},
    {"name": "Preparing", "options": ["--bin", "--highpass", "--lowpass"]},
    {"name": "Watching", "options": ["--poll", "--settle", "--idle", "--on-duplicate"]},
    {"name": "Running", "options": ["--output", "--json", "--threads", "--quiet", "--help"]},
]


class Commands:
    """Runs a command for each duplicate, without a shell, while the watching goes on; ``words``: with fields in braces."""

    def __init__(self, words: str | None) -> None:
        try:
            self._words = shlex.split(words) if words is not None else []
        except ValueError as error:
            raise InputError(
                kind="parameter", field="--on-duplicate", found=f"{words!r} ({error})", expected="a command line as in a shell"
            ) from None
        if words is not None and not self._words:
            raise InputError(kind="parameter", field="--on-duplicate", found="an empty text", expected="a command")
        unknown = next((name for word in self._words for name in _FIELD.findall(word) if name not in _FIELDS), None)
        if unknown is not None:
            raise InputError(
                kind="parameter",
                field="--on-duplicate",
                found=f"{{{unknown}}}",
                expected=f"one of {', '.join(f'{{{name}}}' for name in _FIELDS)}",
            )
        if self._words and shutil.which(self._words[0]) is None:
            raise InputError(kind="parameter", field="--on-duplicate", found=f"{self._words[0]!r}", expected="a program that can be run")
        self._running: list[tuple[subprocess.Popen[bytes], float]] = []

    def start(self, event: Event) -> None:
        """For one duplicate."""
        self.finish(0.0)
        if not self._words:
            return
        words = [_filled(word, event) for word in self._words]
        try:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        except (OSError, ValueError) as error:
            _warn(f"--on-duplicate {words[0]}: {getattr(error, 'strerror', None) or error}")
            return
        self._running.append((process, time.monotonic()))

    def finish(self, wait_s: float) -> None:
        """Says which commands failed, and ends those that take too long; waits for the others, for a while."""
        until = time.monotonic() + wait_s
        for process, started in self._running:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                if wait_s or time.monotonic() - started > _LONGEST_S:
                    process.kill()
                    process.wait()
            if process.returncode:
                _warn(f"--on-duplicate: {process.args!r} failed with exit status {process.returncode}")
        self._running = [(process, started) for process, started in self._running if process.returncode is None]


def _filled(word: str, event: Event) -> str:
    """Each field is replaced once: what stands in a name is left as it is."""
    return _FIELD.sub(lambda found: original(str(event[found[1]])), word)


def _warn(text: str) -> None:
    remark(f"warning: {text}")


@click.command(no_args_is_help=True)
@options.inputs
@options.output
@options.of_params(MicrographParams, "fdr", "max_shift_px", "bin", "highpass_cycles_per_px", "lowpass_cycles_per_px", "threads")
@click.option("--poll", type=float, default=HOW.poll_s, show_default=True, metavar="S", help="Look for new micrographs every S seconds.")
@click.option(
    "--settle", type=float, default=HOW.settle_s, show_default=True, metavar="S", help="Read a file when it has not changed for S seconds."
)
@click.option("--idle", type=float, metavar="S", help="Stop when no new micrograph has arrived for S seconds.  [default: never]")
@click.option(
    "--on-duplicate",
    metavar="CMD",
    help="Run this command for each duplicate, without a shell. The values of the pair replace {original}, {duplicate}, {z}, {q}, {ccc},"
    " {overlap}, {shift_x_px} and {shift_y_px} in it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@options.quiet
def watch(
    inputs: tuple[Path, ...],
    output: Path | None,
    poll: float,
    settle: float,
    idle: float | None,
    on_duplicate: str | None,
    as_json: bool,
    quiet: bool,
    **chosen: Any,
) -> int:
    """Watch a data collection, and report within seconds each hole that is imaged a second time.

    INPUT is the folder (or quoted pattern) into which motion-corrected micrographs are written, or a growing STAR file or CryoSPARC
    dataset. Each new micrograph is compared with all earlier ones. Run cryodedup micrographs INPUT -o DIR --resume for the final result: it
    reads no micrograph again.

    Example: cryodedup watch MotionCorr/job002/Movies -o live --on-duplicate "notify-send {duplicate}"
    """
    if output is None:
        raise InputError(kind="parameter", expected="-o DIR, a directory for the results")
    for name, value, low in (("--poll", poll, 0.05), ("--settle", settle, 0.0), ("--idle", idle, 0.0)):
        if value is not None and not low <= value < float("inf"):
            raise InputError(kind="parameter", field=name, found=f"{value:g}", expected=f"a number of seconds, {low:g} or more")
    commands = Commands(on_duplicate)
    params = MicrographParams(**options.given(MicrographParams, chosen))

    def report(event: Event) -> None:
        if as_json:
            say(json.dumps(event))
        elif not quiet:
            say(_sentence(event))
        if event["event"] == "duplicate":
            commands.start(event)

    def tell(text: str) -> None:
        if not quiet:
            remark(text)

    output.mkdir(parents=True, exist_ok=True)
    try:
        compared = live.watch(inputs, params, output, live.Watching(poll_s=poll, settle_s=settle, idle_s=idle), report, tell)
    finally:
        commands.finish(5.0)
    events = output / live.EVENTS
    tell(f"compared {count(compared, 'micrograph')}{f'; events: {events}' if events.exists() else ''}")
    return 0


def _sentence(event: Event) -> str:
    if event["event"] == "duplicate":
        agreement = f", shot agreement: {event['shot_agreement']}" if event["shot_agreement"] else ""
        return (
            f"{event['time'][11:19]} {event['original']} = {event['duplicate']}: z {event['z']:.1f}, ccc {event['ccc']:.2f}, overlap"
            f" {100 * event['overlap']:.0f} %, shift {event['shift_x_px']:.0f}, {event['shift_y_px']:.0f} px{agreement}"
        )
    if event["event"] == "version":
        return f"{event['time'][11:19]} {event['micrograph']}: another version of {event['of']}, not compared"
    return f"{event['time'][11:19]} {event['micrograph']}: {event['reason']}"
