"""Watching a data collection: files that are being written, what is reported, and going on after a restart."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from simulate.kinds import KINDS
from simulate.session import make

from cases import Ran
from cryodedup import InputError, MicrographParams, find_duplicate_micrographs
from cryodedup.cli.watch import Commands
from cryodedup.demo.micrographs import BIN, Planted, make_micrographs
from cryodedup.micrographs.live import state
from cryodedup.micrographs.live import watch as live
from cryodedup.micrographs.live.arrivals import Arrivals
from cryodedup.micrographs.live.collection import FIRST, Collection
from cryodedup.micrographs.live.state import Event, EventFile
from cryodedup.names import as_options
from cryodedup.system.signals import Ended

Command = Callable[..., Ran]
PARAMS = MicrographParams(bin=BIN)
ONCE = live.Watching(poll_s=0.05, settle_s=0, idle_s=0)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return make_micrographs(tmp_path_factory.mktemp("session"))


@pytest.fixture(scope="module")
def images(session: Planted) -> list[Path]:
    """In the order of exposure."""
    return sorted((session.star.parent / "Micrographs").iterdir(), key=lambda path: path.name[-10:])


def watched(folder: Path, output: Path, how: live.Watching = ONCE) -> tuple[list[Event], list[str]]:
    """The events of one run, and what it said."""
    events: list[Event] = []
    said: list[str] = []
    output.mkdir(exist_ok=True)
    live.watch([folder], PARAMS, output, how, events.append, said.append)
    return events, said


def pairs_of(events: list[Event]) -> set[tuple[str, str]]:
    return {(Path(event["original"]).name, Path(event["duplicate"]).name) for event in events if event["event"] == "duplicate"}


def names_of(planted: Planted) -> set[tuple[str, str]]:
    return {(Path(first).name, Path(second).name) for first, second in planted.pairs}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_file_is_handed_on_once_when_it_has_not_changed_for_a_while(tmp_path: Path) -> None:
    clock = Clock()
    arrivals = Arrivals([tmp_path], 5.0, clock=clock)
    path = tmp_path / "a.mrc"
    assert arrivals.poll() == []
    path.write_bytes(b"1")
    for now, content, ready in [(101, b"12", 0), (104, b"123", 0), (108, b"123", 0), (109.5, b"123", 1), (120, b"1234", 0), (130, b"1", 0)]:
        clock.now = now
        path.write_bytes(content)
        os.utime(path, ns=(0, len(content)))
        assert len(arrivals.poll()) == ready, now


def test_a_clock_of_the_file_server_does_not_matter(tmp_path: Path) -> None:
    clock = Clock()
    arrivals = Arrivals([tmp_path], 5.0, clock=clock)
    for name, mtime in [("past.mrc", 0), ("future.mrc", 2**33)]:
        (tmp_path / name).write_bytes(b"1")
        os.utime(tmp_path / name, (mtime, mtime))
    assert arrivals.poll() == []
    clock.now += 5
    assert [path.name for path in arrivals.poll()] == ["future.mrc", "past.mrc"]


def test_a_star_file_grows_and_is_half_written_now_and_then(session: Planted, tmp_path: Path) -> None:
    star = tmp_path / "micrographs.star"
    shutil.copytree(session.star.parent / "Micrographs", tmp_path / "Micrographs")
    lines = session.star.read_text().splitlines(keepends=True)
    first = next(k for k, line in enumerate(lines) if ".mrc" in line)
    arrivals = Arrivals([star], 0.0)
    star.write_text("".join(lines[: first + 2]))
    assert len(arrivals.poll()) == 2
    for cut in ("".join(lines[:first])[:-9], "".join(lines[: first + 3])[:-12], "".join(lines[:2])):
        star.write_text(cut)
        assert arrivals.poll() == []
    assert arrivals.trouble is not None
    star.write_text("".join(lines[: first + 5]))
    assert len(arrivals.poll()) == 3
    assert arrivals.trouble is None


def test_repeated_holes_are_reported_as_they_come(session: Planted, images: list[Path], tmp_path: Path) -> None:
    folder, output = tmp_path / "folder", tmp_path / "out"
    folder.mkdir()
    found: list[Event] = []
    for k, image in enumerate(images):
        shutil.copy(image, folder)
        if k + 1 in (10, FIRST - 1, FIRST, FIRST + 3, len(images)):
            found += watched(folder, output)[0]
        if k + 1 < FIRST:
            assert found == []
    assert pairs_of(found) == names_of(session)
    assert len(found) == len(session.pairs), "each is reported once"
    assert list(EventFile(output / live.EVENTS)) == found
    batch = find_duplicate_micrographs(sorted(folder.iterdir()), PARAMS)
    pairs = {(Path(batch.names[p.first]).name, Path(batch.names[p.second]).name): p for p in batch.duplicates}
    for event in found:
        expected = pairs[Path(event["original"]).name, Path(event["duplicate"]).name]
        assert np.allclose([event["shift_x_px"], event["shift_y_px"]], expected.shift_px, atol=1.5)
        assert np.allclose([event["z"], event["ncc"], event["ccc"]], [expected.z, expected.ncc, expected.ccc], rtol=0.1)


def test_the_same_micrographs_are_compared_as_in_the_final_search(session: Planted, images: list[Path], tmp_path: Path) -> None:
    """Some headers say 1 Å, as programs write where they do not know it, and others 1.5 Å or somewhat more."""
    folder = tmp_path / "in"
    folder.mkdir()
    for i, path in enumerate(images):
        shutil.copy(path, folder / path.name)
        with mrcfile.mmap(folder / path.name, "r+") as file:
            file.voxel_size = (1.0, 1.5, 1.51)[i % 3]
    events, _ = watched(folder, tmp_path / "out")
    found = find_duplicate_micrographs(folder, PARAMS)
    assert found.summary()["compared"] == len(images)
    assert pairs_of(events) == names_of(session)


def test_frames_of_another_gain_reference_are_not_reported(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    truth = make(folder, replace(KINDS["three frames of another gain"], frames=40, odd_residual=0.02), 3, shots=1)
    params, events = replace(PARAMS, bin=1), list[Event]()
    (tmp_path / "out").mkdir()
    live.watch([folder], params, tmp_path / "out", ONCE, events.append, lambda text: None)
    assert pairs_of(events) == {(f"{min(pair)}.mrc", f"{max(pair)}.mrc") for pair in truth.pairs}
    batch = find_duplicate_micrographs(folder, params)
    assert len(batch.compared[0].of_pattern) == 3, "they match"


def test_a_run_goes_on_where_the_last_one_stopped(session: Planted, images: list[Path], tmp_path: Path) -> None:
    folder, output = tmp_path / "folder", tmp_path / "out"
    folder.mkdir()
    for image in images[:30]:
        shutil.copy(image, folder)
    first, _ = watched(folder, output)
    cache = (output / "prepared.cache").read_bytes()
    (saved,) = state.load(output, PARAMS) or []
    assert len(saved.paths) == 30
    with (output / live.EVENTS).open("a") as file:
        file.write('{"event": "dupl')  # as a kill leaves it
    again, said = watched(folder, output)
    assert again == []
    assert said == ["continuing with 30 micrographs of the earlier run"]
    assert (output / "prepared.cache").read_bytes() == cache
    for image in images[30:]:
        shutil.copy(image, folder)
    more, _ = watched(folder, output)
    assert pairs_of(first) | pairs_of(more) == names_of(session)
    assert not pairs_of(first) & pairs_of(more)


@pytest.mark.parametrize("step", ["duplicates", "_tell"])
def test_what_was_compared_but_not_reported_is_reported_by_the_next_run(
    session: Planted, images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    owner: type = Collection if step == "duplicates" else live._Session
    usual, last = getattr(owner, step), [0]

    def interrupted(self: object, *arguments: object) -> object:
        last[0] += 1
        if last[0] == (len(images) - FIRST + 1 if step == "duplicates" else len(session.pairs)):
            raise Ended(signal.SIGTERM)
        return usual(self, *arguments)

    monkeypatch.setattr(owner, step, interrupted)
    with pytest.raises(Ended):
        watched(images[0].parent, tmp_path / "out")
    monkeypatch.setattr(owner, step, usual)
    before = list(EventFile(tmp_path / "out" / live.EVENTS))
    assert len(before) < len(session.pairs)
    after, _ = watched(images[0].parent, tmp_path / "out")
    assert pairs_of([*before, *after]) == names_of(session)
    assert len(before) + len(after) == len(session.pairs)


@pytest.mark.parametrize("fault", ["state", "cache", "changed", "parameters"])
def test_what_an_earlier_run_left_is_used_only_if_it_is_all_there(session: Planted, images: list[Path], tmp_path: Path, fault: str) -> None:
    folder, output = tmp_path / "folder", tmp_path / "out"
    folder.mkdir()
    for image in images[:27]:
        shutil.copy(image, folder)
    found, _ = watched(folder, output)
    assert pairs_of(found) < names_of(session)
    if fault == "state":
        content = (output / "watch.npz").read_bytes()
        (output / "watch.npz").write_bytes(content[: len(content) // 2])
    elif fault == "cache":
        (output / "prepared.cache").unlink()
    elif fault == "changed":
        os.utime(folder / images[3].name, (1, 1))
    else:
        assert state.load(output, MicrographParams(bin=BIN, max_shift_px=50)) is None
        return
    for image in images[27:]:
        shutil.copy(image, folder)
    more, _ = watched(folder, output)
    assert pairs_of(found) | pairs_of(more) == names_of(session)


def test_a_partly_written_image_waits(images: list[Path], tmp_path: Path) -> None:
    folder, output = tmp_path / "folder", tmp_path / "out"
    folder.mkdir()
    whole = images[0].read_bytes()
    (folder / "a.mrc").write_bytes(whole[: len(whole) // 2])
    waits = f"1 file not used, still changing or not readable at the end: {folder / 'a.mrc'}"
    assert watched(folder, output) == ([], [waits])
    (folder / "a.mrc").write_bytes(whole)
    assert watched(folder, output) == ([], ["1 micrograph of 720 x 512 pixels not compared: at least 24 of one size are needed"])
    assert (output / "prepared.cache").stat().st_size > 0


def test_a_folder_that_is_not_there_is_said_at_once_and_how_long_is_waited(tmp_path: Path) -> None:
    _, said = watched(tmp_path / "nosuch", tmp_path / "out")
    assert list(map(as_options, said)) == [f"{tmp_path / 'nosuch'}: no such file or directory; waiting for it for up to 0 s (--idle)"]
    assert as_options(live.Watching().until) == "until you press Ctrl-C (or add --idle S to set a limit)"


def test_what_the_watching_waits_for_and_small_images_are_said(images: list[Path], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    _, said = watched(tmp_path / "in", tmp_path / "out")
    assert list(map(as_options, said)) == [
        f"{tmp_path / 'in'}: no micrographs yet (MRC or TIFF files, not movies); waiting for them for up to 0 s (--idle)"
    ]
    for path in images[:2]:
        (tmp_path / "in" / path.name).symlink_to(path)
    said.clear()
    live.watch([tmp_path / "in"], MicrographParams(bin=8), tmp_path / "out", ONCE, lambda event: None, said.append)
    assert [as_options(text) for text in said if "small images" in text] == [
        "warning: the micrographs have only 90 x 64 pixels after binning: such small images contain little information, and some pairs may be false;"
        " choose a smaller --bin"
    ]


def test_a_damaged_image_is_given_up_and_not_read_again(images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, output = tmp_path / "folder", tmp_path / "out"
    folder.mkdir()
    (folder / "a.mrc").write_bytes(images[0].read_bytes()[:5000])
    monkeypatch.setattr(live, "_GIVE_UP_S", 0.0)
    events, _ = watched(folder, output)
    assert [event["event"] for event in events] == ["unreadable"]
    assert "expected" in events[0]["reason"]
    assert watched(folder, output) == ([], [])


def test_a_file_that_is_refused_again_and_again_is_given_up_after_a_while(tmp_path: Path) -> None:
    clock = Clock()
    arrivals = Arrivals([tmp_path], 5.0, clock=clock)
    path = tmp_path / "a.mrc"
    path.write_bytes(b"1")
    refused = []
    for clock.now in range(100, 200, 2):
        refused += [arrivals.put_back(found) for found in arrivals.poll()]
    assert refused[0] == 0
    assert refused == sorted(refused)
    assert refused[-1] > 60
    assert len(refused) < 20, "it is not read at each poll"
    path.write_bytes(b"12")
    for clock.now in range(200, 212, 2):
        refused += [arrivals.put_back(found) for found in arrivals.poll()]
    assert refused[-1] < 10, "it has changed"


def test_a_damaged_image_does_not_keep_it_from_ending(images: list[Path], tmp_path: Path) -> None:
    folder, output = tmp_path / "folder", tmp_path / "out"
    folder.mkdir()
    shutil.copy(images[0], folder)
    (folder / "a.mrc").write_bytes(b"no image")
    events, said = watched(folder, output, live.Watching(poll_s=0.05, settle_s=0, idle_s=0.3))
    assert (events, said[-1]) == ([], f"1 file not used, still changing or not readable at the end: {folder / 'a.mrc'}")


def test_a_full_disk_is_no_fault_of_a_micrograph(images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, output = tmp_path / "folder", tmp_path / "out"
    folder.mkdir()
    for image in images[:3]:
        shutil.copy(image, folder)

    def full(*arguments: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), *([] if named else [str(output / "prepared.cache")]))

    with monkeypatch.context() as patch:
        patch.setattr(live, "prepare_one", full)
        with pytest.raises(OSError, match="No space left"):
            watched(folder, output)
    assert list(EventFile(output / live.EVENTS)) == []
    with monkeypatch.context() as patch:
        patch.setattr(state.np, "savez", full)
        with pytest.raises(OSError, match=r"No space left.*watch\.npz"):
            watched(folder, output)
    assert not list(output.glob(".*"))


def test_versions_of_one_exposure_are_no_duplicates(images: list[Path], tmp_path: Path) -> None:
    folder, output = tmp_path / "folder", tmp_path / "out"
    folder.mkdir()
    for image in images[:FIRST]:
        shutil.copy(image, folder)
    shutil.copy(images[5], folder / "zz_copy.mrc")
    events, _ = watched(folder, output)
    assert [(event["event"], Path(event["of"]).name) for event in events] == [("version", images[5].name)]


def command_line(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "cryodedup", "watch", *map(str, arguments)]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_all_that_is_known_saved(images: list[Path], tmp_path: Path, number: int, status: int) -> None:
    folder, output = tmp_path / "folder", tmp_path / "out"
    folder.mkdir()
    for image in images[:26]:
        shutil.copy(image, folder)
    words = command_line(folder, "-o", output, "--bin", BIN, "--poll", 0.1, "--settle", 0, "--json")
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    event = json.loads(process.stdout.readline())
    time.sleep(0.5)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == status
    assert "Traceback" not in errors
    assert event["event"] == "duplicate"
    assert len(state.load(output, PARAMS) or []) == 1


def test_two_runs_do_not_share_a_directory(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with live.locked(tmp_path / "out" / "prepared.cache"), pytest.raises(InputError, match="another run uses this file"):
        watched(tmp_path, tmp_path / "out")


def test_a_command_gets_names_as_they_are(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    event: Event = dict.fromkeys(("z", "q", "ccc", "overlap", "shift_x_px", "shift_y_px"), 1.5)
    event |= {"original": "a $(touch x) b.mrc", "duplicate": f"{tmp_path}/'; echo {{z}}.mrc"}
    commands = Commands(f"{sys.executable} -c 'import sys; print(sys.argv[1:])' {{original}} 'to {{duplicate}}: {{z}}'")
    commands.start(event)
    commands.finish(30.0)
    assert repr([event["original"], f"to {event['duplicate']}: 1.5"]) in capfd.readouterr().err
    commands = Commands(f"{sys.executable} -c 'raise SystemExit(3)'")
    commands.start(event)
    commands.finish(30.0)
    assert "exit status 3" in capfd.readouterr().err.lower()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--poll", "0"], "--poll: found 0, expected a number of seconds"),
        (["--idle", "nan"], "--idle: found nan, expected"),
        (["--on-duplicate", "'"], "--on-duplicate: found"),
        (["--on-duplicate", ""], "--on-duplicate: found an empty text"),
        (["--on-duplicate", "echo {nope}"], "--on-duplicate: found {nope}, expected one of {original}"),
        (["--on-duplicate", "/no/such/program {z}"], "--on-duplicate: found '/no/such/program', expected a program"),
        (["--fdr", "2"], "--fdr: found 2"),
    ],
)
def test_wrong_options(command: Command, tmp_path: Path, options: list[str], message: str) -> None:
    found = command("watch", tmp_path, "-o", tmp_path / "out", *options)
    assert found.status == 2
    assert message in found.err
    assert not (tmp_path / "out").exists()


def test_the_final_result_reads_no_image_again(command: Command, session: Planted, images: list[Path], tmp_path: Path) -> None:
    folder, output = tmp_path / "folder", tmp_path / "out"
    folder.mkdir()
    for image in images:
        shutil.copy(image, folder)
    found = command("watch", folder, "-o", output, "--bin", BIN, "--poll", 0.05, "--settle", 0, "--idle", 0)
    assert (found.status, len(found.out.splitlines())) == (0, len(session.pairs))
    cache = (output / "prepared.cache").read_bytes()
    assert command("micrographs", folder, "-o", output, "--bin", BIN, "--resume", "--no-report").status == 0
    assert (output / "prepared.cache").read_bytes() == cache
