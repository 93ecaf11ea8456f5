"""Learning from preferences: losses beside plain ones, the way the model moves, and going on after a stop."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from preference_help import asked, plain_log_probability, write_preferences
from test_training_core import packed_model, random_rows
from training_help import job, quiet

from assistant.errors import Cancelled
from assistant.paths import user_paths
from assistant.training.batches import Pack, Step, packs, steps
from assistant.training.checkpoint import newest_checkpoint, read_checkpoint
from assistant.training.dataset import Row
from assistant.training.dpo import PairLoss, Pairs
from assistant.training.job import DEV_LEAST, Job, TrainRequest
from assistant.training.kto import JudgedAnswers, JudgedLoss
from assistant.training.objective import Objective
from assistant.training.packed import PackedModel, tensors_of
from assistant.training.partners import mismatched, partners
from assistant.training.processes import Processes
from assistant.training.reference import log_probabilities
from assistant.training.runs import new_run
from assistant.training.settings import TECHNIQUES, Progress, TrainSettings
from assistant.training.train import Outcome, train

BETA = 0.3


def pairs(count: int, kinds: int = 1) -> list[Row]:
    """Return rows with two answers of random ids and lengths from 1 to 4."""
    rows = random_rows(count, kinds=kinds)
    others = random_rows(count, seed=9)
    return [
        Row(row.prompt, row.answer, row.shared, (*other.answer, 7)[: 1 + at % 4])
        for at, (row, other) in enumerate(zip(rows, others, strict=True))
    ]


def judged(count: int, kinds: int = 1) -> list[Row]:
    rows = random_rows(count, kinds=kinds)
    return [
        Row(row.prompt, row.answer, row.shared, good=at % 3 != 0) for at, row in enumerate(rows)
    ]


def moved(model: PackedModel, rows: list[Row] | None = None, towards: float = 1.0) -> None:
    """Change the adapter as a training would; with ``rows`` so that these become likelier, or less."""
    if rows is not None:
        batch = tensors_of(Pack(tuple(range(len(rows))), 0), rows)
        for _ in range(8):
            model.loss(batch).backward()  # type: ignore[no-untyped-call]
            for parameter in model.trainable().values():
                assert parameter.grad is not None
                parameter.data -= towards * 0.03 * parameter.grad / parameter.grad.norm()
                parameter.grad = None
        return
    torch.manual_seed(5)
    for parameter in model.trainable().values():
        parameter.data += 0.1 * torch.randn_like(parameter)


def unpacked(folder: Path, like: PackedModel, **settings: Any) -> PackedModel:
    """Return a model with the same adapter whose own ``forward`` works."""
    plain = packed_model(folder, torch.float32, **settings)
    for mine, theirs in zip(like.trainable().values(), plain.trainable().values(), strict=True):
        theirs.data.copy_(mine.data)
    plain.base.config._attn_implementation = "eager"
    return plain


def assert_same_gradients(ours: PackedModel, plain: PackedModel) -> None:
    for (name, mine), theirs in zip(
        ours.trainable().items(), plain.trainable().values(), strict=True
    ):
        assert mine.grad is not None
        assert theirs.grad is not None
        assert torch.allclose(mine.grad, theirs.grad, rtol=1e-3, atol=1e-4), name


# -- losses ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("technique", TECHNIQUES)
def test_two_answers_in_a_row_are_read_as_if_the_other_were_not_there(
    tmp_path: Path, technique: str, shared: bool
) -> None:
    rows = pairs(7, kinds=1 if shared else 7)
    model = packed_model(tmp_path, torch.float32, technique=technique)
    pack = packs(rows, 10_000, None, 100)[0] if shared else Pack(tuple(range(7)), 0)
    sums = model.answers(tensors_of(pack, rows)).view(-1, 2)
    weights = torch.linspace(-1.0, 2.0, 14).view(7, 2)
    (sums * weights).sum().backward()  # type: ignore[no-untyped-call]
    plain = unpacked(tmp_path, model, technique=technique)
    expected = torch.stack(
        [
            torch.stack(
                [plain_log_probability(plain.peft, rows[at], answer) for answer in both(rows[at])]
            )
            for at in pack.rows
        ]
    )
    assert torch.allclose(sums, expected, atol=1e-3)
    (expected * weights).sum().backward()  # type: ignore[no-untyped-call]
    assert_same_gradients(model, plain)


def both(row: Row) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return row.answer, row.other


@pytest.mark.parametrize("anchor", [0.0, 0.5])
def test_the_loss_of_pairs_is_that_of_the_paper(tmp_path: Path, anchor: float) -> None:
    rows = pairs(9, kinds=2)
    model = packed_model(tmp_path, torch.float32)
    settings = TrainSettings("", beta=BETA, anchor=anchor)
    plain = unpacked(tmp_path, model)
    with torch.no_grad():
        before = [[float(plain_log_probability(plain.peft, r, a)) for a in both(r)] for r in rows]
    objective = Pairs(model, rows, rows[:4], settings, fresh=False)
    objective.begin(None)
    moved(model)
    step = Step(tuple(packs(rows, 60, 1, 4)))
    assert len(step.packs) > 1
    ours = sum(objective.loss(pack, rows, None) for pack in step.packs) / objective.size(step, rows)
    assert isinstance(ours, torch.Tensor)
    ours.backward()  # type: ignore[no-untyped-call]

    plain = unpacked(tmp_path, model)
    losses = []
    for row, (chosen_before, rejected_before) in zip(rows, before, strict=True):
        chosen, rejected = (plain_log_probability(plain.peft, row, one) for one in both(row))
        gap = BETA * ((chosen - chosen_before) - (rejected - rejected_before))
        losses.append(-torch.log(1 / (1 + torch.exp(-gap))) - anchor * chosen / len(row.answer))
    expected = torch.stack(losses).mean()
    expected.backward()  # type: ignore[no-untyped-call]
    assert float(ours.detach()) == pytest.approx(float(expected.detach()), rel=1e-4)
    assert_same_gradients(model, plain)
    measured = objective.measured()
    assert measured.loss == pytest.approx(float(torch.stack(losses[:4]).mean().detach()), rel=1e-4)
    assert measured.accuracy in (0.0, 0.25, 0.5, 0.75, 1.0)


@pytest.mark.parametrize("towards", [1.0, -1.0])
def test_the_loss_of_judged_answers_is_that_of_the_paper(tmp_path: Path, towards: float) -> None:
    rows = judged(11)
    model = packed_model(tmp_path, torch.float32)
    groups = partners(rows, 0)
    others = mismatched(rows, groups)
    plain = unpacked(tmp_path, model)

    def plain_all(some: list[Row]) -> torch.Tensor:
        return torch.stack([plain_log_probability(plain.peft, row, row.answer) for row in some])

    with torch.no_grad():
        before, others_before = plain_all(rows), plain_all(others)
    settings = TrainSettings("", beta=BETA)
    objective = JudgedAnswers(model, rows, groups, rows[:3], settings, fresh=False)
    objective.begin(None)
    moved(model, others, towards)
    (step,) = steps(rows, 60, 1, 100, groups)
    assert len(step.packs) > 1
    objective.survey(step, Processes())
    ours = sum(objective.loss(pack, rows, None) for pack in step.packs) / objective.size(step, rows)
    assert isinstance(ours, torch.Tensor)
    ours.backward()  # type: ignore[no-untyped-call]

    plain = unpacked(tmp_path, model)
    with torch.no_grad():
        apart = float((plain_all(others) - others_before).mean())
    assert apart * towards > 0.05
    assert float(objective._moved) == pytest.approx(max(0.0, apart), abs=1e-3)
    gained = plain_all(rows) - before
    good = sum(row.good for row in rows)
    losses = []
    for row, gain in zip(rows, gained, strict=True):
        ahead = gain - max(0.0, apart) if row.good else max(0.0, apart) - gain
        weight = len(rows) / (2 * good) if row.good else len(rows) / (2 * (len(rows) - good))
        losses.append(weight * (1 - 1 / (1 + torch.exp(-BETA * ahead))))
    expected = torch.stack(losses).mean()
    expected.backward()  # type: ignore[no-untyped-call]
    assert float(ours.detach()) == pytest.approx(float(expected.detach()), rel=1e-4)
    assert_same_gradients(model, plain)


def test_how_far_the_model_moved_counts_where_it_is_more_than_nothing() -> None:
    gained = torch.tensor([2.0, -1.0])
    good = torch.tensor([True, False])
    losses = JudgedLoss(0.5)(gained, good, torch.tensor(1.5))
    assert losses.tolist() == pytest.approx([1 / (1 + math.exp(0.25)), 1 / (1 + math.exp(1.25))])


def test_before_it_learns_nothing_is_preferred() -> None:
    now = torch.randn(5, 2)
    assert PairLoss(0.1)(now, now, torch.ones(5)).tolist() == pytest.approx([math.log(2)] * 5)
    good = torch.tensor([True, False, True, True, False])
    losses = JudgedLoss.balanced(0.1, judged(5))(torch.zeros(5), good, 0.0)
    assert float(losses.mean()) == pytest.approx(0.5, abs=0.1)


def test_good_and_bad_answers_weigh_the_same_in_all() -> None:
    rows = judged(12)
    made = JudgedLoss.balanced(0.1, rows)
    good = sum(row.good for row in rows)
    assert 0 < good < 12
    assert made.good * good == pytest.approx(made.bad * (12 - good)) == pytest.approx(6)


# -- which rows belong together --------------------------------------------------------------------


@pytest.mark.parametrize(("count", "kinds"), [(1, 1), (2, 1), (13, 1), (14, 3), (9, 9), (5, 2)])
def test_every_row_has_partners_that_stay_in_its_step(count: int, kinds: int) -> None:
    rows = judged(count, kinds)
    groups = partners(rows, 4)
    assert sorted(at for group in groups for at in group) == list(range(count))
    assert all(len(group) in ((2, 3) if count > 1 else (1,)) for group in groups)
    assert partners(rows, 4) == groups
    for step in steps(rows, 50, 1, 4, groups):
        held = {at for pack in step.packs for at in pack.rows}
        assert all(held.issuperset(group) or held.isdisjoint(group) for group in groups)
        others = mismatched(rows, groups)
        assert sorted(others[at].answer for at in held) == sorted(rows[at].answer for at in held)
    for at, other in enumerate(mismatched(rows, groups)):
        assert other.prompt == rows[at].prompt


# -- which way the model moves -----------------------------------------------------------------------


class Moved:
    """A finished training and what it did to log-probabilities, compared with before it."""

    def __init__(self, folder: Path, method: str, **settings: Any) -> None:
        self.seen: list[Progress] = []
        self.request = asked(folder, method, checkpoint_s=0.0, **settings)
        self.run = new_run(user_paths(), "classification")
        self.job = job(self.request)
        outcome = train(self.job, self.run, self.seen.append)
        assert outcome is not None
        self.outcome: Outcome = outcome
        place = newest_checkpoint(self.run.checkpoints)
        assert place is not None
        self.before = read_checkpoint(place)[1]
        self.model = PackedModel(outcome.peft)

    def gained(self, which: str, rows: list[Row]) -> torch.Tensor:
        now = log_probabilities(self.model, rows, 512)
        return now - self.before[f"reference/{which}"]


def test_dpo_makes_better_answers_likelier_than_worse_ones(tmp_path: Path) -> None:
    done = Moved(tmp_path, "dpo", epochs=6)
    for which, rows in (("train", list(done.job.encoded.rows)), ("dev", done.job.dev_rows)):
        gained = done.gained(which, rows)
        margin = gained[:, 0] - gained[:, 1]
        assert float(margin.mean()) > 1.0, which
        assert float((margin > 0).float().mean()) > 0.9, which
    assert done.seen[-1].accuracy == 1.0
    assert done.seen[-1].dev_loss is not None
    assert done.seen[-1].dev_loss < 0.69
    logged = [json.loads(line) for line in (done.run.path / "log.jsonl").read_text().splitlines()]
    assert logged[-1]["dev_accuracy"] == 1.0
    assert done.run.state()["dev_accuracy"] == 1.0


def test_kto_makes_answers_judged_good_likelier_than_those_judged_bad(tmp_path: Path) -> None:
    done = Moved(tmp_path, "kto", epochs=6)
    for which, rows in (("train", list(done.job.encoded.rows)), ("dev", done.job.dev_rows)):
        gained = done.gained(which, rows)[:, 0]
        good = torch.tensor([row.good for row in rows])
        assert float(gained[good].mean()) > float(gained[~good].mean()) + 1.0, which
    assert done.seen[-1].accuracy is not None
    assert done.seen[-1].dev_loss is not None
    assert done.seen[-1].dev_loss < 0.49


def test_what_an_adapter_already_knows_is_where_it_begins(tmp_path: Path) -> None:

    from assistant.training.install import write_adapter

    first = Moved(tmp_path, "dpo", max_steps=4)
    write_adapter(first.outcome.peft, tmp_path / "first", "tiny")
    again = replace(asked(tmp_path, "dpo", max_steps=1, rate=1e-9), parent=tmp_path / "first")
    seen: list[Progress] = []
    train(job(again), new_run(user_paths(), "classification"), seen.append)
    assert seen[0].loss == pytest.approx(math.log(2), abs=0.02)


# -- stopping and going on ----------------------------------------------------------------------------


def weights(outcome: Outcome) -> dict[str, torch.Tensor]:
    return {n: p.detach().clone() for n, p in outcome.peft.named_parameters() if p.requires_grad}


def whole(request: TrainRequest) -> dict[str, torch.Tensor]:
    outcome = train(job(request), new_run(user_paths(), "classification"), quiet)
    assert outcome is not None
    return weights(outcome)


def assert_goes_on_to(expected: dict[str, torch.Tensor], request: TrainRequest, run: Any) -> None:
    outcome = train(job(request), run, quiet)
    assert outcome is not None
    for name, value in weights(outcome).items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_a_stopped_training_ends_with_the_same_bits(tmp_path: Path, method: str) -> None:
    request = asked(tmp_path, method, epochs=2, technique="layers", first=2, last=2)
    expected = whole(request)
    run = new_run(user_paths(), "classification")
    stop = threading.Event()

    def report(progress: Progress) -> None:
        if progress.step == 3:
            stop.set()

    with pytest.raises(Cancelled):
        train(job(request), run, report, stop=stop)
    assert_goes_on_to(expected, request, run)


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_a_killed_training_ends_with_the_same_bits(tmp_path: Path, method: str) -> None:
    request = asked(tmp_path, method, epochs=2, checkpoint_s=0.0)
    expected = whole(request)
    run = new_run(user_paths(), "classification")
    code = f"""
        import sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        from preference_help import asked
        from training_help import job
        from assistant.training.runs import RunFolder
        from assistant.training.train import train
        def report(progress):
            print(progress.step, flush=True)
            time.sleep(0.05)
        request = asked(Path({str(tmp_path)!r}), {method!r}, epochs=2, checkpoint_s=0.0)
        train(job(request), RunFolder({run.id!r}, Path({str(run.path)!r})), report)
        """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "4":
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL
    assert newest_checkpoint(run.checkpoints) is not None
    assert_goes_on_to(expected, request, run)


def test_it_can_be_stopped_while_it_looks_at_the_model_as_it_was(tmp_path: Path) -> None:
    request = asked(tmp_path, "dpo", epochs=1)
    run = new_run(user_paths(), "classification")
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled, match="after step 0"):
        train(job(request), run, quiet, stop=stop)
    assert run.state()["state"] == "stopped"
    assert_goes_on_to(whole(request), request, run)


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_the_estimate_counts_what_is_only_computed(tmp_path: Path, method: str) -> None:
    from assistant.training.estimate import PASSES

    passes = PASSES[method]
    plain = PASSES["sft"]
    assert plain.seconds(10, 2.0, 8.0) == 20.0
    assert passes.seconds(10, 2.0, 8.0) > 20.0
    assert passes.steps_in(passes.seconds(10, 2.0, 8.0) + 0.1, 2.0, 8.0) == 10
    assert passes.steps_in(0.0, 2.0, 8.0) == 1


def test_objectives_keep_to_the_protocol(tmp_path: Path) -> None:
    model = packed_model(tmp_path, torch.float32)
    made: list[Objective] = [
        Pairs(model, pairs(4), (), TrainSettings(""), fresh=True),
        JudgedAnswers(model, judged(4), [(0, 1), (2, 3)], (), TrainSettings(""), fresh=True),
    ]
    for one in made:
        one.begin(None)
        held = one.tensors()
        assert held
        with pytest.raises(KeyError):
            one.restore({})
        one.restore(held)
        assert all(torch.equal(value, held[name]) for name, value in one.tensors().items())


def test_held_out_rows_for_answers_are_the_good_ones(tmp_path: Path) -> None:
    made: Job = job(asked(tmp_path, "kto"))
    assert len(made.dev_rows) == 9
    made._dev = replace(made._dev, rows=[*made._dev.rows] * 10)
    sizes = []
    for count in (None, 1, 10_000):
        made.steps = count
        sizes.append(len(made.dev_rows))
    assert sizes == [90, DEV_LEAST, 90]  # in a short training measuring must not take longer
    (source,) = made.dev
    assert 0 < len(source.rows) < 9
    assert all(row.target == row.target.lower() for row in source.rows)
    assert len(made.hashes()) == 2


def test_rows_of_preferences_differ_by_seed(tmp_path: Path) -> None:
    one, other = (write_preferences(tmp_path / f"{s}", "dpo", seed=s) for s in (0, 1))
    assert one.read_text() != other.read_text()
