"""Watching a data collection: new micrographs are read, compared with all earlier ones, and duplicates reported at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryodedup import _core
from cryodedup.errors import InputError, reason_of
from cryodedup.formats.images import Image, open_image
from cryodedup.micrographs.acquisition import Acquisition, acquisitions_of
from cryodedup.micrographs.cache_file import CACHE, locked, move_other_file
from cryodedup.micrographs.classes import fits, in_header_a
from cryodedup.micrographs.headers import too_small
from cryodedup.micrographs.listings import rounded_values
from cryodedup.micrographs.live import state
from cryodedup.micrographs.live.arrivals import Arrivals
from cryodedup.micrographs.live.collection import FIRST, Collection
from cryodedup.micrographs.live.state import Event, EventFile
from cryodedup.micrographs.measuring import Pair
from cryodedup.micrographs.reading import key_of, prepare_one, refusal
from cryodedup.micrographs.session_warnings import of_small_images
from cryodedup.micrographs.version_names import marks_of
from cryodedup.micrographs.versions import find_versions
from cryodedup.names import as_options, named
from cryodedup.params import MicrographParams
from cryodedup.text import count, original, printable

EVENTS = "watch.jsonl"
_GIVE_UP_S = 60.0
"""A file that cannot be read is taken for a damaged one when it has not changed for so long."""
_TROUBLE_S = 30.0
"""A list that cannot be read for so long is not just being written."""
_SAVED_EVERY = 16
"""The state is saved after so many micrographs."""
Report = Callable[[Event], None]


@dataclass(frozen=True)
class Watching:
    """How a collection is watched, in seconds.

    Attributes
    ----------
    poll_s
        How often the input is looked at.
    settle_s
        How long a file must not change.
    idle_s
        The watching ends when nothing new has come for so long; None: it does not end by itself.
    """

    poll_s: float = 2.0
    settle_s: float = 5.0
    idle_s: float | None = None

    @property
    def until(self) -> str:
        """How long it waits for the first micrograph, in words."""
        return (
            f"until you press Ctrl-C (or add {named('idle')} S to set a limit)"
            if self.idle_s is None
            else f"for up to {self.idle_s:g} s ({named('idle')})"
        )


@dataclass
class _Member:
    """A micrograph that was read."""

    path: Path
    image: Image
    record: _core.Record


@dataclass
class _Class:
    """The micrographs of one size and pixel size; ``sizes_a``: the smallest and the largest pixel size that is known."""

    collection: Collection
    members: list[_Member] = field(default_factory=list)
    sizes_a: tuple[float, ...] = ()

    def add(self, member: _Member) -> None:
        """Adds a member."""
        self.members.append(member)
        size_a = in_header_a(member.image)
        if size_a is not None:
            self.sizes_a = (min((size_a, *self.sizes_a)), max((size_a, *self.sizes_a)))

    def takes(self, image: Image) -> bool:
        """Whether a micrograph is compared with those of this class."""
        first = self.members[0].image
        return (image.nx, image.ny) == (first.nx, first.ny) and fits(in_header_a(image), self.sizes_a)


def watch(inputs: Sequence[Path], params: MicrographParams, output: Path, how: Watching, report: Report, say: Callable[[str], None]) -> int:
    """Watches until nothing new comes, or until a signal; returns how many micrographs were compared.

    Parameters
    ----------
    inputs
        Folders, patterns, or a STAR file or dataset that grows.
    output
        For the cache, the events (:data:`EVENTS`) and the state, from which another run goes on.
    report
        Gets each event, when it is on the disk.
    say
        Gets lines about the work.
    """
    cache = output / CACHE
    with locked(cache):
        move_other_file(cache)
        session = _Session(params, output, report, say)
        arrivals = Arrivals(inputs, how.settle_s, session.known)
        last = read = time.monotonic()
        first = True
        try:
            while True:
                for path in arrivals.poll():
                    reason = session.take(path)
                    if reason is None:
                        last = time.monotonic()
                    elif arrivals.put_back(path) >= _GIVE_UP_S:
                        session.give_up(path, reason)
                        arrivals.drop(path)
                if first and arrivals.trouble is not None:
                    say(f"{arrivals.trouble}; waiting for it {how.until}")
                    first = False
                elif arrivals.trouble is None:
                    read = time.monotonic()
                    if first and not arrivals.listed:
                        folders = ", ".join(map(str, inputs))
                        say(f"{folders}: no micrographs yet (MRC or TIFF files, not movies); waiting for them {how.until}")
                    first = False
                elif time.monotonic() - read >= _TROUBLE_S:
                    say(f"{arrivals.trouble}; cryodedup keeps trying to read it")
                    read = time.monotonic()
                if how.idle_s is not None and time.monotonic() - last >= how.idle_s:
                    return session.count
                time.sleep(how.poll_s)
        finally:
            session.save()
            session.say_too_few()
            if waiting := arrivals.waiting:
                few = ", ".join(map(str, waiting[:3])) + (", ..." if len(waiting) > 3 else "")
                say(f"{count(len(waiting), 'file')} not used, still changing or not readable at the end: {few}")


class _Session:
    """All that is known of a collection."""

    def __init__(self, params: MicrographParams, output: Path, report: Report, say: Callable[[str], None]) -> None:
        self._params, self._output, self._report, self._say = params, output, report, say
        self._preparation = _core.Preparation.open(output / CACHE, resume=True)
        self._events = EventFile(output / EVENTS)
        self._reported = {_key(event) for event in self._events}
        self._classes: list[_Class] = []
        self._by_name: dict[str, list[_Member]] = {}
        self._by_content: dict[tuple[float, ...], list[_Member]] = {}
        self._unsaved = 0
        done = [event["micrograph"] for event in self._events if event.get("event") in ("version", "unreadable")]
        self.known: set[Path] = {Path(original(name)) for name in done}
        earlier = state.load(output, params)
        if earlier is None:
            self._say(f"{output}: the earlier run had other options, or its files are damaged; all micrographs are compared again")
        for saved in earlier or []:
            self._restore(saved)

    @property
    def count(self) -> int:
        """Number of micrographs that were compared."""
        return sum(len(one.members) for one in self._classes if len(one.members) >= FIRST)

    def say_too_few(self) -> None:
        """Says which micrographs were compared with no other, since there are too few of their size."""
        for one in self._classes:
            if 0 < (n := len(one.members)) < FIRST:
                image = one.members[0].image
                self._say(
                    f"{count(n, 'micrograph')} of {image.nx} x {image.ny} pixels not compared: at least {FIRST} of one size are needed"
                )

    def _restore(self, saved: state.Saved) -> None:
        """Takes up a collection, if all of its files and their prepared images are still there; else they are new ones."""
        members: list[_Member] = []
        for name, key, record in zip(saved.paths, saved.keys, self._preparation.known(saved.keys), strict=True):
            with suppress(InputError, OSError):
                image = open_image(Path(name))
                if record is not None and key_of(image, self._params.bin) == key:
                    members.append(_Member(Path(name), image, record))
        collection = None
        if len(members) == len(saved.paths):
            records, acquisitions = [member.record for member in members], [_acquisition(member.path) for member in members]
            with suppress(InputError, ValueError):
                collection = Collection(self._params, records, acquisitions, saved.state)
        if collection is None or collection.covered != len(members):
            self._say(f"{self._output}: some micrographs of the earlier run are missing or have changed; all are compared again")
            return
        self._say(f"continuing with {count(len(members), 'micrograph')} of the earlier run")
        of_class = _Class(collection)
        self._classes.append(of_class)
        for member in members:
            of_class.add(member)
            self._note(member)
            self.known.add(member.path)
        for pair in collection.duplicates():  # that run may have ended between comparing and reporting
            self._tell(self._duplicate(of_class, pair))

    def take(self, path: Path) -> str | None:
        """Reads a new micrograph and compares it; the reason if it cannot be read, or not yet."""
        try:
            image = open_image(path)
            if refused := too_small(image, self._params.bin):
                return refused
        except (InputError, OSError) as error:
            return reason_of(error)
        (record,) = self._preparation.known([key_of(image, self._params.bin)])
        # An error that this raises is one of the cache: a full disk is no fault of the micrograph.
        outcome = record if record is not None else prepare_one(self._preparation, image, self._params)
        if isinstance(outcome, str):
            return outcome
        if refused := refusal(outcome, image):
            self.give_up(path, refused)
            return None
        member = _Member(path, image, outcome)
        self.known.add(path)
        if earlier := self._version_of(member):
            self._tell({"event": "version", "micrograph": printable(str(path)), "of": printable(str(earlier.path))})
            return None
        self._note(member)
        self._compare(member)
        return None

    def _compare(self, member: _Member) -> None:
        of_class = max((one for one in self._classes if one.takes(member.image)), key=lambda one: len(one.members), default=None)
        if of_class is None:
            of_class = _Class(Collection(self._params))
            self._classes.append(of_class)
        of_class.add(member)
        if len(of_class.members) == 1 and (small := of_small_images(member.record.width, member.record.height)):
            self._say(f"warning: {small}")
        for pair in of_class.collection.add(member.record, _acquisition(member.path)):
            self._tell(self._duplicate(of_class, pair))
        if len(of_class.members) == FIRST:
            self._say(
                f"{FIRST} micrographs of {member.image.nx} x {member.image.ny} pixels have arrived: from now on, each new one is compared"
            )
        self._unsaved += 1
        if self._unsaved >= _SAVED_EVERY:
            self.save()

    def _version_of(self, member: _Member) -> _Member | None:
        """An earlier member that is the same exposure, if there is one."""
        alike = {
            other.path: other
            for other in [*self._by_name.get(marks_of(member.path).stem, []), *self._by_content.get(_content(member.record), [])]
        }
        if not alike:
            return None
        several = [*alike.values(), member]
        indices = range(len(several))
        versions, _ = find_versions({k: several[k].image for k in indices}, {k: several[k].record for k in indices}, list(indices))
        family = {one.kept for one in versions} | {one.version for one in versions}
        if indices[-1] not in family:
            return None
        others = [one.kept if one.version == indices[-1] else one.version for one in versions if indices[-1] in (one.kept, one.version)]
        return several[min(others)]

    def _note(self, member: _Member) -> None:
        self._by_name.setdefault(marks_of(member.path).stem, []).append(member)
        self._by_content.setdefault(_content(member.record), []).append(member)

    def _duplicate(self, of_class: _Class, pair: Pair) -> Event:
        first, second = of_class.members[pair.first], of_class.members[pair.second]
        return {
            "event": "duplicate",
            "original": printable(str(first.path)),
            "duplicate": printable(str(second.path)),
            **rounded_values(of_class.collection.acquisitions, pair),
        }

    def give_up(self, path: Path, reason: str) -> None:
        """Reports a file that cannot be used, and does not look at it again."""
        self.known.add(path)
        self._tell({"event": "unreadable", "micrograph": printable(str(path)), "reason": printable(as_options(reason))})

    def _tell(self, event: Event) -> None:
        if _key(event) not in self._reported:
            self._reported.add(_key(event))
            event = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **event}
            self._events.add(event)
            self._report(event)

    def save(self) -> None:
        """Writes what another run goes on from: the micrographs that were compared with all before them."""
        collections = []
        for one in self._classes:
            compared = one.members[: one.collection.covered]
            if compared:
                keys = [key_of(member.image, self._params.bin) for member in compared]
                collections.append(state.Saved([str(member.path) for member in compared], keys, one.collection.state))
        state.save(self._output, collections, self._params)
        self._unsaved = 0


def _key(event: Event) -> tuple[object, ...]:
    """Names an event, so that none is reported twice."""
    return (event.get("event"), *sorted(str(event[name]) for name in ("original", "duplicate", "micrograph") if name in event))


def _acquisition(path: Path) -> Acquisition:
    return acquisitions_of([path])[0]


def _content(record: _core.Record) -> tuple[float, ...]:
    return (record.width, record.height, record.sd, record.mean)
