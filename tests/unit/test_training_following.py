"""Trainings seen from outside: how a run stands, what it said, what is news, and starting one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from assistant.adapters.run_record import BaseModel, RunRecord, Score, write_run
from assistant.errors import AssistantError, UsageError
from assistant.paths import Paths, user_paths
from assistant.training import launching
from assistant.training.following import Watched, read_all, read_points
from assistant.training.launching import (
    LAUNCH,
    OUTPUT,
    Launch,
    Wanted,
    read_launch,
    rows_in,
    write_launch,
)
from assistant.training.owner import Owner
from assistant.training.runs import RESERVED, RunFolder, all_runs, new_run, reserve, runs_folder
from assistant.training.settings import Progress
from assistant.training.trainings import Trainings

GONE = Owner(2**22 - 3, 1.0)
HERE = Owner.this()
WANTED = Wanted("qa", ("/data/rows.jsonl",), model="m")


def made(
    name: str = "20250314-090000-qa-aaaa",
    *,
    owner: Owner | None = None,
    settings: bool = True,
    launch: Launch | None = None,
    log: str = "",
    output: str = "",
    **state: Any,
) -> RunFolder:
    run = RunFolder(name, runs_folder(user_paths()) / name)
    run.path.mkdir(parents=True)
    if settings:
        asked = {
            "settings": {"task": "qa", "technique": "lora"},
            "model": "m",
            "data": ["/d.jsonl"],
        }
        run.write_settings({"request": asked})
    if state:
        value = {**state, **(owner.as_json() if owner else {})}
        (run.path / "state.json").write_text(json.dumps(value))
    for file, text in (("log.jsonl", log), (OUTPUT, output)):
        if text:
            (run.path / file).write_text(text)
    if launch is not None:
        write_launch(run, launch)
    return run


def line(step: int, **more: float) -> str:
    return json.dumps({"step": step, "epoch": 0.5, "loss": 1.5, "tokens_per_s": 9.0, **more}) + "\n"


def only() -> Watched:
    (found,) = read_all(user_paths())
    return found


# -- whose a run is --------------------------------------------------------------------------------


def test_a_process_is_known_by_number_and_beginning() -> None:
    assert HERE.lives
    assert HERE.memory > 1_000_000
    later = Owner(HERE.pid, HERE.began + 3600)
    assert not later.lives  # the number was given out again
    assert later.memory == 0
    assert not GONE.lives
    assert Owner.from_json(HERE.as_json()) == HERE
    assert HERE.same(Owner(HERE.pid, HERE.began + 1))
    assert not HERE.same(GONE)


@pytest.mark.parametrize(
    "value",
    [{}, {"pid": "7", "began": 1}, {"pid": 7}, {"pid": 1, "began": 0}, {"pid": -1, "began": 0}],
)
def test_what_is_no_process_is_none(value: dict[str, Any]) -> None:
    assert Owner.from_json(value) is None


def test_an_ended_process_that_was_not_fetched_does_not_live() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = Owner.of(process.pid)
    assert owner.lives
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not owner.lives
    process.wait()
    with pytest.raises(AssistantError, match="gone"):
        owner.interrupt()


def test_a_new_run_is_kept_with_its_process() -> None:
    run = new_run(user_paths(), "qa")
    state = run.state()
    assert (state["state"], Owner.from_json(state)) == ("running", HERE)
    run.write_state(state="stopped", step=3)
    assert Owner.from_json(run.state()) == HERE


def test_a_reserved_folder_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = reserve(user_paths(), "qa")
    assert all_runs(user_paths()) == []
    monkeypatch.setenv(RESERVED, folder.id)
    run = new_run(user_paths(), "qa")
    assert run == folder
    run.write_settings({})
    assert new_run(user_paths(), "qa") != folder


@pytest.mark.parametrize("name", ["../x", "gone", "/tmp", ""])
def test_an_odd_reservation_is_passed_over(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RESERVED, name)
    assert new_run(user_paths(), "qa").path.parent == runs_folder(user_paths())


# -- how it stands ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "owner", "log", "expected"),
    [
        ("running", HERE, line(1), "training"),
        ("running", HERE, "", "starting"),
        ("running", GONE, line(1), "died"),
        ("running", None, line(1), "died"),
        ("stopped", GONE, line(1), "stopped"),
        ("stopped", HERE, line(1), "stopped"),
        ("failed", GONE, line(1), "failed"),
        ("done", HERE, line(1), "measuring"),
        ("done", GONE, line(1), "done"),
    ],
)
def test_standing(state: str, owner: Owner | None, log: str, expected: str) -> None:
    made(owner=owner, log=log, state=state)
    assert only().standing == expected


def test_one_that_the_app_takes_up_again_is_starting_until_it_writes() -> None:
    made(owner=GONE, log=line(1), state="stopped", launch=Launch(WANTED, HERE))
    assert only().standing == "starting"


def test_one_whose_process_is_just_being_started_again_is_starting() -> None:
    run = made(owner=GONE, log=line(1), state="stopped", launch=Launch(WANTED))
    assert only().standing == "starting"
    os.utime(run.path / LAUNCH, (1, 1))
    assert only().standing == "stopped"


def test_one_that_could_not_be_taken_up_again_says_why() -> None:
    later = Owner(GONE.pid - 1, GONE.began + 3600)
    output = "Error: d.jsonl was changed since the run began.\nBring it back.\n"
    made(owner=GONE, log=line(1), state="stopped", launch=Launch(WANTED, later), output=output)
    found = only()
    assert found.standing == "failed"
    assert found.error == ("d.jsonl was changed since the run began.", "Bring it back.")
    assert found.can_go_on


def test_without_settings_it_is_starting_as_long_as_its_process_lives() -> None:
    run = made(settings=False, launch=Launch(WANTED, HERE))
    found = only()
    assert (found.standing, found.task, found.data) == ("starting", "qa", ("/data/rows.jsonl",))
    assert not found.can_go_on
    write_launch(run, Launch(WANTED, GONE))
    assert only().standing == "failed"
    write_launch(run, Launch(WANTED))  # the process is just being started
    assert only().standing == "starting"
    os.utime(run.path / LAUNCH, (1, 1))
    assert only().standing == "failed"


def test_what_failed_says_why_as_the_command_did() -> None:
    output = "3 rows to train on\nstep 1 of 9, loss 2\nError: It needs 9 GB.\nClose programs.\n"
    made(launch=Launch(WANTED, GONE), owner=GONE, output=output, state="failed")
    found = only()
    assert found.error == ("It needs 9 GB.", "Close programs.")
    assert found.said == ("3 rows to train on",)


def test_the_words_of_an_earlier_process_do_not_count() -> None:
    made(launch=Launch(WANTED, GONE), owner=HERE, output="Error: x\n", log=line(1), state="running")
    assert (only().said, only().error) == ((), ())


def test_a_reason_kept_in_the_state_is_shown_for_one_from_a_shell() -> None:
    made(owner=GONE, state="failed", error="No memory.\nClose programs.")
    assert only().error == ("No memory.", "Close programs.")


def test_log_lines_that_cannot_be_read_are_passed_over() -> None:
    log = (
        line(1)
        + "{}\n[1]\n"
        + line(2, loss=float("nan"))
        + line(3, dev_loss=1.2, left_s=60)
        + '{"st'
    )
    run = made(owner=HERE, log=log, state="running", total=9)
    assert [point.step for point in read_points(run)] == [1, 3]
    last = only().last
    assert last is not None
    assert (last.step, last.dev_loss, last.left_s) == (3, 1.2, 60.0)
    assert read_points(RunFolder("x", Path("nowhere"))) == []


def test_what_the_trainer_logs_is_read() -> None:
    run = made(owner=HERE, state="running")
    run.log(Progress(4, 9, 0.5, 1.25, 0.5, 100.0, 33.33))
    (point,) = read_points(run)
    assert (point.step, point.loss, point.dev_loss, point.left_s) == (4, 1.25, 0.5, 33.3)


def test_damaged_folders_do_not_hide_the_others() -> None:
    made("20250314-100000-qa-good", owner=GONE, state="stopped")
    for name, files in {
        "a": {"settings.json": "{"},
        "b": {"settings.json": '{"request": 3}'},
        "c": {"launch.json": "[]", "state.json": "\x00"},
        "d": {},
    }.items():
        folder = runs_folder(user_paths()) / name
        folder.mkdir()
        for file, text in files.items():
            (folder / file).write_text(text)
    (runs_folder(user_paths()) / "file").write_text("x")
    assert [one.id for one in read_all(user_paths())] == ["20250314-100000-qa-good"]


def test_without_a_folder_there_are_none() -> None:
    assert read_all(user_paths()) == []


def test_a_finished_one_has_the_scores_of_its_adapter() -> None:
    made(owner=GONE, state="done", adapter="qa/v1")
    assert only().adapter == ""  # it was deleted since
    folder = user_paths().data / "adapters" / "m" / "qa" / "v1"
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}")
    score = Score("f1", 9, 60.0, few_shot=50.0)
    record = RunRecord(
        task="qa", base_model=BaseModel("m"), technique="lora", rank=8, seed=0, scores={"s": score}
    )
    write_run(folder, record)
    found = only()
    assert (found.adapter, found.in_use) == ("qa/v1", False)
    assert found.scores["s"].adapter == 60.0


# -- news ------------------------------------------------------------------------------------------


def test_one_that_the_app_started_is_told_of_once_even_by_another_app() -> None:
    run = made(owner=GONE, state="done", launch=Launch(WANTED, GONE))
    _, ended = Trainings(user_paths()).all()
    assert [one.id for one in ended] == [run.id]
    kept = read_launch(run)
    assert kept is not None
    assert kept.told
    assert Trainings(user_paths()).all()[1] == []


def test_one_from_a_shell_is_news_only_when_it_was_seen_running() -> None:
    made(owner=GONE, state="done")
    assert Trainings(user_paths()).all()[1] == []
    run = made("20250315-100000-qa-bbbb", owner=HERE, state="running")
    trainings = Trainings(user_paths())
    assert trainings.all()[1] == []
    assert trainings.running
    (run.path / "state.json").write_text(json.dumps({"state": "failed"}))
    assert [one.id for one in trainings.all()[1]] == [run.id]
    assert not trainings.running
    assert trainings.all()[1] == []


def test_two_that_look_at_the_same_time_are_not_both_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made(owner=GONE, state="done", launch=Launch(WANTED, GONE))
    both_read = threading.Barrier(2)

    def slow(paths: Paths) -> list[Watched]:
        found = read_all(paths)
        with contextlib.suppress(threading.BrokenBarrierError):
            both_read.wait(0.2)  # holds up the one who looks first until the other has read too
        return found

    monkeypatch.setattr("assistant.training.trainings.read_all", slow)
    trainings = Trainings(user_paths())
    with ThreadPoolExecutor(2) as pool:
        looks = [pool.submit(trainings.all) for _ in range(2)]
    assert sum(len(look.result()[1]) for look in looks) == 1


# -- starting --------------------------------------------------------------------------------------

FAKE = """
import json, os, signal, sys, time
from assistant.paths import user_paths
from assistant.training.runs import find_run, new_run
stop = []
signal.signal(signal.SIGINT, lambda *_: stop.append(1))
words = sys.argv[1:]
print("words", *words, file=sys.stderr)
if "fail.jsonl" in " ".join(words):
    sys.exit("Error: fail.jsonl is wrong.\\nMend it.")
if "--resume" in words:
    run = find_run(user_paths(), words[words.index("--resume") + 1])
    run.write_state(state="running")
else:
    run = new_run(user_paths(), "qa")
    asked = {"settings": {"task": "qa", "technique": "lora"}, "model": "m", "data": ["d"]}
    run.write_settings({"request": asked})
with (run.path / "log.jsonl").open("a") as log:
    log.write(json.dumps({"step": 1, "epoch": 0.5, "loss": 1.5, "tokens_per_s": 9.0}) + "\\n")
end = time.monotonic() + 60
while not stop and time.monotonic() < end and not os.path.exists("go"):
    time.sleep(0.02)
run.write_state(state="stopped" if stop else "done", step=1)
"""


@pytest.fixture
def fake_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    code = f"import sys; sys.path.append({str(Path(__file__).parents[2])!r})\n{FAKE}"
    monkeypatch.setattr(launching, "COMMAND", (sys.executable, "-c", code))
    (tmp_path / "rows.jsonl").write_text('{"input": "a", "target": "b"}\n' * 1)
    (tmp_path / "fail.jsonl").write_text('{"input": "a", "target": "b"}\n' * 1)


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, read_all(user_paths())
        time.sleep(0.05)


def stands(trainings: Trainings, standing: str) -> Callable[[], bool]:
    return lambda: bool(trainings.all()[0]) and trainings.all()[0][0].standing == standing


@pytest.mark.usefixtures("fake_command")
def test_start_stop_resume_and_delete() -> None:
    trainings = Trainings(user_paths())
    name = trainings.start(Wanted("qa", ("rows.jsonl",), minutes=5.0, promote=True, model="m"))
    assert only().id == name
    assert only().standing in ("starting", "training")
    until(stands(trainings, "training"))
    one = only()
    data = str(Path("rows.jsonl").absolute())
    assert (
        one.said[0].split()
        == (
            f"words train --task qa --technique lora --data {data} --max-minutes 5 --model m --promote"
        ).split()
    )
    assert one.owner is not None
    assert one.memory > 0
    assert os.getsid(one.owner.pid) == one.owner.pid != os.getsid(0)  # it outlives the terminal
    with pytest.raises(UsageError, match="running"):
        trainings.remove(one)
    with pytest.raises(UsageError, match="nothing to go on with"):
        trainings.resume(one)
    trainings.stop(one)
    until(stands(trainings, "stopped"))
    with pytest.raises(UsageError, match="does not run"):
        trainings.stop(only())
    trainings.resume(only())
    until(stands(trainings, "training"))
    assert only().said[0].split() == f"words train --resume {name} --promote".split()
    Path("go").touch()
    until(stands(trainings, "done"))
    trainings.remove(only())
    assert read_all(user_paths()) == []


@pytest.mark.usefixtures("fake_command")
def test_one_that_fails_before_it_is_a_run_and_one_that_is_killed() -> None:
    trainings = Trainings(user_paths())
    trainings.start(Wanted("qa", ("fail.jsonl",)))
    until(stands(trainings, "failed"))
    assert only().error == ("fail.jsonl is wrong.", "Mend it.")
    assert not only().can_go_on
    trainings.remove(only())
    trainings.start(Wanted("qa", ("rows.jsonl",)))
    until(stands(trainings, "training"))
    owner = only().owner
    assert owner is not None
    os.kill(owner.pid, signal.SIGKILL)
    until(stands(trainings, "died"))
    assert only().can_go_on


def test_a_run_from_a_shell_is_taken_up_with_what_it_was_started_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launching, "COMMAND", (sys.executable, "-c", "pass"))
    asked = {"settings": {"task": "qa", "technique": "dora"}, "model": "m", "data": ["/d.jsonl"]}
    run = made(owner=GONE, state="stopped")
    run.write_settings({"request": asked})
    Trainings(user_paths()).resume(only())
    launch = read_launch(run)
    assert launch is not None
    assert launch.wanted == Wanted("qa", ("/d.jsonl",), "dora", model="m")


def test_a_program_that_cannot_be_started_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(launching, "COMMAND", (str(tmp_path / "no-such-program"),))
    with pytest.raises(AssistantError, match="cannot be started"):
        launching.start(user_paths(), WANTED)
    assert list(runs_folder(user_paths()).iterdir()) == []


def test_the_real_command_is_this_program(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong module')")
    done = subprocess.run(
        [*launching.COMMAND, "train", "--resume", "nothing"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 2, done.stderr
    assert "There is no run 'nothing'." in done.stderr


# -- checking --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted", "message"),
    [
        ("", Wanted("", ("a",)), "which task"),
        ("", Wanted("qa", ()), "which file"),
        ("", Wanted("qa", ("a",), minutes=0.5), "minutes"),
        ("", Wanted("qa", ("a",), minutes=float("nan")), "minutes"),
        ("", Wanted("qa", ("gone.jsonl",)), "gone.jsonl cannot be read"),
        ('{"input": "a"}', Wanted("qa", ("a",)), "a, line 1 needs a text in 'target'"),
        ('{"task":"chat","input":"a","target":"b"}', Wanted("qa", ("a",)), "is for chat, not qa"),
        ('{"input": "a", "target": "b"}', Wanted("qa", ("a", "./a")), "twice"),
    ],
)
def test_what_is_wrong_is_said_before_the_start(
    text: str, wanted: Wanted, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a").write_text(text)
    with pytest.raises(UsageError, match=message):
        rows_in(wanted)
    with pytest.raises(UsageError, match=message):
        Trainings(user_paths()).start(wanted)
    assert not runs_folder(user_paths()).exists()


def test_rows_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"id":"1","input":"a","target":"b"}\n{"id":"2","input":"a","target":"b"}\n')
    assert rows_in(Wanted("qa", (str(file),))) == 2
