"""The stages of the comparison of micrographs: shards give the result of one run, and every stage can be ended and run again."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from cases import Ran
from cryodedup import InputError, _core
from cryodedup.demo import make_micrographs
from cryodedup.demo.micrographs import BIN
from cryodedup.micrographs.stages import files, plan, work

Command = Callable[..., Ran]
SEARCHES = {
    "all": [],
    "in pools": ["--sensitivity", "fast"],
    "window": ["--images-per-move", "3", "--images-per-hole", "1", "--scan-range", "60"],
    "by ccc": ["--threshold", "0.2"],
    "rotated": ["--search-angle", "1.5"],
}
OF_THE_RUN = ("times_s", "peak_memory_gb", "forecast")
"""What the summary says of the run itself."""


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session of the demo; one of its files is damaged."""
    star = make_micrographs(tmp_path_factory.mktemp("session")).star
    damaged = sorted(star.parent.glob("**/*.mrc"))[-1]
    damaged.write_bytes(damaged.read_bytes()[:3000])
    return star


def staged(command: Command, star: Path, output: Path, options: Sequence[str] = (), shards: tuple[int, int] = (3, 4)) -> Ran:
    """Runs every stage, the last shards first."""
    base = ["micrographs", star, "-o", output, "--bin", BIN, *options]
    for k in range(shards[0], 0, -1):
        assert command(*base, "--stage", "prepare", "--shard", f"{k}/{shards[0]}").status == 0
    assert command(*base, "--stage", "plan").status == 0
    for k in range(shards[1], 0, -1):
        assert command(*base, "--stage", "compare", "--shard", f"{k}/{shards[1]}", "--threads", k % 3).status == 0
    return command(*base, "--stage", "merge", "--no-report")


def files_of(output: Path) -> dict[str, bytes | dict[str, object]]:
    """The results, without what the summary says of the run."""
    found: dict[str, bytes | dict[str, object]] = {}
    for path in sorted(output.iterdir()):
        if path.is_file() and path.suffix != ".cache":
            found[path.name] = path.read_bytes()
    summary = json.loads((output / "summary.json").read_text())
    summary["parameters"].pop("threads")
    found["summary.json"] = {name: value for name, value in summary.items() if name not in OF_THE_RUN}
    return found


@pytest.mark.parametrize("search", SEARCHES)
def test_shards_give_the_result_of_one_run(command: Command, star: Path, tmp_path: Path, search: str) -> None:
    one = command("micrographs", star, "-o", tmp_path / "one", "--bin", BIN, "--no-report", *SEARCHES[search])
    many = staged(command, star, tmp_path / "many", SEARCHES[search], (1, 2) if search == "in pools" else (3, 4))
    assert (one.status, many.status) == (0, 0), one.err + many.err
    assert files_of(tmp_path / "one") == files_of(tmp_path / "many")
    assert one.out.replace("/one/", "/many/") == many.out


@pytest.mark.parametrize("step", range(8))
def test_a_run_that_ends_before_any_file_is_in_place_is_made_good_by_another(
    command: Command, star: Path, tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged(command, star, tmp_path / "one", shards=(1, 1))
    calls = iter(range(100))

    def put(written: Path, place: Path) -> None:
        if next(calls) == step:
            raise KeyboardInterrupt
        files_put(written, place)

    files_put = files.put
    monkeypatch.setattr(files, "put", put)
    monkeypatch.setattr(work, "put", put)
    base = ["micrographs", star, "-o", tmp_path / "many", "--bin", BIN]
    stages = [*(["prepare", "--shard", f"{k}/3"] for k in (1, 2, 3)), ["plan"], *(["compare", "--shard", f"{k}/4"] for k in (1, 2, 3, 4))]
    statuses = [command(*base, "--stage", *stage).status for stage in stages]
    assert statuses.count(130) == 1
    assert statuses.index(130) == step
    assert command(*base, "--stage", "merge", "--no-report").status == 2
    assert not (tmp_path / "many" / "summary.json").exists()
    for stage in stages[step:]:
        assert command(*base, "--stage", *stage).status == 0
    assert command(*base, "--stage", "merge", "--no-report").status == 0
    assert files_of(tmp_path / "one") == files_of(tmp_path / "many")
    assert not list((tmp_path / "many" / "stages").glob(".cryodedup-*"))


@pytest.mark.parametrize(
    ("stage", "written"),
    [("prepare", "stages/prepared-*"), ("plan", "stages/plan/**/*"), ("compare", "stages/compared-*"), ("merge", "*.*")],
)
def test_a_file_that_the_disk_has_no_room_for_is_named(command: Command, star: Path, tmp_path: Path, stage: str, written: str) -> None:
    """The largest size of a file is limited to less than each that the stage writes, in turn."""
    out, soft_hard = tmp_path / "out", resource.getrlimit(resource.RLIMIT_FSIZE)
    staged(command, star, out, shards=(1, 1))
    before, there = files_of(out), [path for path in out.glob(written) if path.is_file()]
    sizes = sorted({path.stat().st_size for path in there})
    for path in there if stage in ("prepare", "compare") else []:  # else it is done already
        path.unlink()
    statuses = []
    for size in sizes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1, soft_hard[1]))
        try:
            ran = command("micrographs", star, "-o", out, "--bin", BIN, "--stage", stage, "--overwrite", "--no-report")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, soft_hard)
        statuses.append(ran.status)
        if ran.status:
            place, _, reason = ran.err.removeprefix("cryodedup: error: ").partition(": ")
            assert (Path(place).is_relative_to(out), reason) == (True, "File too large\n"), ran.err
            assert files_of(out) == before
    assert 1 in statuses
    assert set(statuses) <= {0, 1}


def test_what_is_there_is_not_done_again(command: Command, star: Path, tmp_path: Path) -> None:
    staged(command, star, tmp_path / "out")
    there = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "stages").glob("compared*")}
    cache = (tmp_path / "out" / "stages" / "prepared-00001-of-00003.cache").read_bytes()
    again = command("micrographs", star, "-o", tmp_path / "out", "--bin", BIN, "--stage", "compare", "--shard", "2/4")
    assert again.status == 0
    assert "compared-00002-of-00004.npz of an earlier run is complete" in again.out
    command("micrographs", star, "-o", tmp_path / "out", "--bin", BIN, "--stage", "prepare", "--shard", "1/3", "--overwrite")
    assert {path: path.stat().st_mtime_ns for path in there} == there
    assert (tmp_path / "out" / "stages" / "prepared-00001-of-00003.cache").read_bytes() == cache


def test_the_folder_can_be_moved_between_stages(command: Command, star: Path, tmp_path: Path) -> None:
    staged(command, star, tmp_path / "one", shards=(1, 1))
    shutil.copytree(tmp_path / "one" / "stages", tmp_path / "other" / "stages")
    shutil.rmtree(tmp_path / "one" / "stages")
    assert command("micrographs", star, "-o", tmp_path / "other", "--bin", BIN, "--stage", "merge", "--no-report").status == 0
    assert files_of(tmp_path / "one") == files_of(tmp_path / "other")


def test_the_last_stage_decides_again_by_other_limits(command: Command, star: Path, tmp_path: Path) -> None:
    staged(command, star, tmp_path / "out")
    base = ["micrographs", star, "-o", tmp_path / "out", "--bin", BIN, "--no-report", "--overwrite"]
    assert command(*base, "--stage", "merge", "--fdr", "0.001", "--max-removed", "0.01").status == 3
    command("micrographs", star, "-o", tmp_path / "one", "--bin", BIN, "--no-report", "--fdr", "0.001", "--max-removed", "0.01")
    assert files_of(tmp_path / "one") == files_of(tmp_path / "out")


def without_compare(command: Command, star: Path, output: Path) -> list[object]:
    base: list[object] = ["micrographs", star, "-o", output, "--bin", BIN]
    command(*base, "--stage", "prepare")
    command(*base, "--stage", "plan")
    return base


def test_each_stage_asks_for_those_before_it(command: Command, star: Path, tmp_path: Path) -> None:
    base = ["micrographs", star, "-o", tmp_path / "out", "--bin", BIN]
    assert "run --stage prepare" in command(*base, "--stage", "plan").err
    assert not (tmp_path / "out").exists()
    command(*base, "--stage", "prepare", "--shard", "2/3")
    found = command(*base, "--stage", "plan")
    assert (found.status, found.out) == (2, "")
    assert "found 1 of 3 shards of the stage prepare" in found.err
    assert "--stage prepare for shard 1, 3" in found.err
    assert "found no plan; run --stage plan first" in command(*base, "--stage", "compare").err
    for k in (1, 3):
        command(*base, "--stage", "prepare", "--shard", f"{k}/3")
    command(*base, "--stage", "plan")
    assert "run --stage compare" in command(*base, "--stage", "merge").err
    command(*base, "--stage", "compare", "--shard", "2/2")
    found = command(*base, "--stage", "merge")
    assert (found.status, len(found.err.splitlines())) == (2, 1)
    assert "found 1 of 2 shards of the stage compare" in found.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--stage", "plan", "--shard", "1/2"],
            "found --shard with --stage plan, which has no shards",
        ),
        (["--shard", "1/2"], "found --shard without --stage prepare or --stage compare; add one of them, or leave --shard out"),
        (["--stage", "merge", "--shard", "1/2"], "found --shard"),
        *((["--stage", "compare", "--shard", text], f"--shard: found '{text}', expected") for text in ("0/2", "3/2", "1", "a/b", "1/0")),
    ],
)
def test_shards_that_there_are_not_are_refused(command: Command, star: Path, tmp_path: Path, options: list[str], message: str) -> None:
    found = command("micrographs", star, "-o", tmp_path / "out", "--bin", BIN, *options)
    assert found.status == 2
    assert message in found.err
    assert not (tmp_path / "out").exists()


def test_the_stages_replace_a_result_that_is_withheld(command: Command, star: Path, tmp_path: Path) -> None:
    base = without_compare(command, star, tmp_path / "out")
    command(*base, "--stage", "compare")
    assert command(*base, "--stage", "merge", "--max-removed", "0").status == 3
    for stage in ("prepare", "plan", "merge"):
        refused = command(*base, "--stage", stage, "--max-removed", "1")
        assert (refused.status, "--overwrite" in refused.err) == (2, True)
    for stage in ("prepare", "plan", "compare", "merge"):
        assert command(*base, "--stage", stage, "--max-removed", "1", "--resume").status == 0


def test_a_plan_goes_with_its_parameters_micrographs_and_machine(
    command: Command, star: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = tmp_path / "session"
    shutil.copytree(star.parent, session)
    base = without_compare(command, session / star.name, tmp_path / "out")
    found = command(*base, "--stage", "compare", "--max-shift", "100")
    assert (found.status, "--max-shift: found 100, expected no value, as in the plan" in found.err) == (2, True)
    assert command(*base, "--stage", "compare", "--fdr", "0.02", "--threads", "1").status == 0
    changed = sorted(session.glob("**/*.mrc"))[0]
    changed.write_bytes(changed.read_bytes())
    found = command(*base, "--stage", "merge")
    assert (found.status, "found other micrographs than in the plan, or changed ones" in found.err) == (2, True)
    found = command(*base, "--stage", "plan")
    assert (found.status, "1 micrograph of the input not prepared" in found.err) == (2, True)
    monkeypatch.setattr(_core, "INSTRUCTION_SET", "another")
    found = command(*base, "--stage", "compare", "--shard", "1/2")
    assert found.status == 2
    assert "found the processor's instructions another on this machine, expected" in found.err


CHANGED = "prepared micrographs that have changed since this run began (the file is damaged, or was written again)"


@pytest.mark.parametrize("case", ["prepared again", "damaged", "shortened", "exchanged"])
def test_prepared_micrographs_that_changed_after_the_plan_are_refused(command: Command, star: Path, tmp_path: Path, case: str) -> None:
    out, base = tmp_path / "out", ["micrographs", star, "-o", tmp_path / "out", "--bin", BIN, "--no-report", "--overwrite"]
    staged(command, star, out)
    before = files_of(out)
    caches = sorted((out / "stages").glob("prepared-*.cache"))
    whole = [cache.read_bytes() for cache in caches]
    if case == "prepared again":  # the records come in another order
        for number in (1, 2, 3):
            caches[number - 1].unlink()
            records = star.read_text("utf-8").splitlines(keepends=True)
            names = [line for line in records if ".mrc" in line]
            turned = star.with_name("turned.star")
            turned.write_text("".join(line for line in records if ".mrc" not in line) + "".join(reversed(names)))
            again = ["micrographs", turned, *base[2:], "--order", "input", "--threads", "1"]
            command(*again, "--stage", "prepare", "--shard", f"{number}/3")
            turned.unlink()
    elif case == "damaged":
        for cache, content in zip(caches, whole, strict=True):
            cache.write_bytes(b"".join(bytes([byte ^ (i % 701 == 700)]) for i, byte in enumerate(content)))
    elif case == "shortened":
        for cache, content in zip(caches, whole, strict=True):
            cache.write_bytes(content[: len(content) // 4])
    else:
        caches[0].write_bytes(whole[1])
        caches[1].write_bytes(whole[0])
    ran = command(*base, "--stage", "merge")
    assert (ran.status, CHANGED in ran.err) == (2, True), ran.err
    assert files_of(out) == before
    assert command(*base, "--stage", "prepare", "--shard", "1/1").status == 0
    for stage in (["plan"], *(["compare", "--shard", f"{k}/4"] for k in (1, 2, 3, 4)), ["merge"]):
        assert command(*base, "--stage", *stage).status == 0
    assert files_of(out) == before


def test_a_shard_under_the_name_of_another_is_refused(command: Command, star: Path, tmp_path: Path) -> None:
    staged(command, star, tmp_path / "out")
    base, stages = ["micrographs", star, "-o", tmp_path / "out", "--bin", BIN, "--no-report", "--overwrite"], tmp_path / "out" / "stages"
    before = files_of(tmp_path / "out")
    shutil.copy(stages / "compared-00002-of-00004.npz", stages / "compared-00003-of-00004.npz")
    found = command(*base, "--stage", "merge")
    assert "compared-00003-of-00004.npz: found shard 2 of 4, expected 3 of 4; run --stage compare --shard 3/4 again" in found.err
    assert command(*base, "--stage", "compare", "--shard", "3/4").out.startswith(f"{tmp_path / 'out'}: compared")
    assert command(*base, "--stage", "merge").status == 0
    assert files_of(tmp_path / "out") == before
    shutil.copy(stages / "prepared-00002-of-00003.json", stages / "prepared-00001-of-00003.json")
    found = command(*base, "--stage", "plan")
    assert (found.status, "prepared-00001-of-00003.json: found shard 2 of 3, expected 1 of 3" in found.err) == (2, True)


def test_a_plan_of_other_prepared_pixels_is_another(command: Command, star: Path, tmp_path: Path) -> None:
    """Of one input: a comparison of what was there before is not taken for one of what is there now."""
    without_compare(command, star, tmp_path / "out")
    made = plan.Plan.read(files.StageFiles.of(tmp_path / "out"))
    assert made.id != replace(made, prepared=made.prepared[::-1]).id


def test_every_damage_of_a_compared_shard_names_its_file(command: Command, star: Path, tmp_path: Path) -> None:
    base = without_compare(command, star, tmp_path / "out")
    command(*base, "--stage", "compare")
    place = tmp_path / "out" / "stages" / "compared-00001-of-00001.npz"
    whole = place.read_bytes()
    for at in [*range(0, len(whole), len(whole) // 200), *range(len(whole) - 120, len(whole), 7)]:
        place.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        with pytest.raises(InputError, match=r"compared-00001-of-00001\.npz: found a damaged file"):
            files.found_arrays(place)
    found = command(*base, "--stage", "merge")
    assert (found.status, found.err.count("\n"), "run its shard again" in found.err) == (2, 1, True)
    assert command(*base, "--stage", "compare").status == 0
    assert place.read_bytes() == whole


def test_damaged_files_are_named(command: Command, star: Path, tmp_path: Path) -> None:
    base = without_compare(command, star, tmp_path / "out")
    command(*base, "--stage", "compare")
    stages = tmp_path / "out" / "stages"
    for path in ["plan/plan.json", "plan/class-1/session", "plan/class-1/views", "plan/class-1/patterns", "compared-00001-of-00001.npz"]:
        place = stages / path
        whole = place.read_bytes()
        place.write_bytes(whole[: len(whole) // 2])
        found = command(*base, "--stage", "merge")
        assert (found.status, len(found.err.splitlines())) == (2, 1), (path, found.err)
        place.write_bytes(whole)
    views = stages / "plan/class-1/views"
    whole = views.read_bytes()
    views.write_bytes(whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :])
    messages = "".join(command(*base, "--stage", "compare", "--shard", f"{k}/3").err for k in (1, 2, 3))
    assert (
        "views: found a damaged file, or one of another version of cryodedup, expected one of this version; run --stage plan again"
        in messages
    )
    views.write_bytes(whole)
    (stages / "prepared-00001-of-00001.json").write_text("[")
    assert "prepared-00001-of-00001.json: found a damaged file" in command(*base, "--stage", "plan").err
    (stages / "prepared-00001-of-00001.cache").unlink()
    found = command(*base, "--stage", "prepare")
    assert found.status == 0
    assert command(*base, "--stage", "plan").status == 0


def test_of_several_layouts_a_complete_one_is_taken(command: Command, star: Path, tmp_path: Path) -> None:
    base = without_compare(command, star, tmp_path / "out")
    for shard in ("1/3", "1/2", "2/2"):
        command(*base, "--stage", "compare", "--shard", shard)
    assert command(*base, "--stage", "merge", "--no-report").status == 0


def test_a_plan_is_read_as_it_was_made(command: Command, star: Path, tmp_path: Path) -> None:
    without_compare(command, star, tmp_path / "out")
    stage_files = files.StageFiles.of(tmp_path / "out")
    made = plan.Plan.read(stage_files)
    made.write(tmp_path)
    assert (tmp_path / "plan.json").read_bytes() == (stage_files.plan / "plan.json").read_bytes()
    assert len(made.unreadable) == 1


def test_missing_shards() -> None:
    assert plan.missing([]) == (1, [1])
    assert plan.missing([(0, 1)]) is None
    assert plan.missing([(0, 3), (2, 3)]) == (3, [2])
    assert plan.missing([(0, 3), (0, 2), (1, 2)]) is None
