"""Adapters in PEFT alone: what nothing of this program runs says the same as its engines do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from real_program import PULLED, Program
from transformers import AutoModelForCausalLM, AutoTokenizer

from assistant import config
from assistant.answering import AskOptions, Planner
from assistant.engine.base import Engine
from assistant.engine.convert import convert
from assistant.engine.opening import EngineOptions, open_engine
from assistant.engine.torch_engine import load_torch_engine
from assistant.models.resolve import resolve
from assistant.paths import shipped, user_paths
from assistant.prompts import Prompts
from assistant.strategy import Adapting
from assistant.testing import tiny_model
from assistant.types import Decoding, Message

SHIPPED = sorted(path.parent for path in shipped("adapters").glob("*/*/*/adapter_config.json"))
MOST = 16
"""Tokens of an answer."""
NATS_A_TOKEN = 0.25
"""How far log-probabilities may lie apart; 0.08 was the most that was measured (default model, 2026-11-25).

The lean engine rounds while it computes with the file's 4-bit weights, PEFT here takes them in 32 bits.
"""

STORY = (
    "The bakery in Mill Street burned down on Friday night. Nobody was hurt. The owner, Ada Lund, says that she "
    "will open again in May, in the old post office."
)
TURNS = {
    "classification": [
        "Is this review positive or negative?\n\nThe zip broke on the first day and nobody answers.",
        "Sport or politics?\n\nThe keeper held two penalties in the last minute.",
        "这条评论是正面还是负面的？\n\n房间很干净，早餐也好吃，下次还来。",
    ],
    "translation": [
        "Translate to French: The train leaves at nine.",
        "Translate to Chinese: Where can I buy a lamp?",
    ],
    "summarization": [f"Summarize in one sentence: {STORY}"],
    "qa": [f"When will the owner open again?\n\n{STORY}"],
    "chat": ["Good morning! What shall we cook today?"],
}


def peft_alone(base: Path, adapter: Path, turns: Sequence[Sequence[Message]]) -> list[str]:
    """Return what plain transformers and PEFT answer, greedily."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, adapter).eval()
    found = []
    for turn in turns:
        chat = [{"role": one.role, "content": one.content} for one in turn]
        prompt = tokenizer.apply_chat_template(
            chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with torch.no_grad():
            out = model.generate(**prompt, max_new_tokens=MOST, do_sample=False)
        new = out[0, prompt["input_ids"].shape[1] :]
        found.append(tokenizer.decode(new, skip_special_tokens=True))
    return found


def of_engine(
    engine: Engine, turns: Sequence[Sequence[Message]], adapter: str | None = None
) -> list[str]:
    """Return what an engine of this program answers, greedily."""
    decoding = Decoding(max_tokens=MOST)
    return [
        "".join(piece.text for piece in engine.generate(turn, decoding, adapter=adapter))
        for turn in turns
    ]


def fp32(folder: Path) -> Engine:
    return load_torch_engine(
        folder, name="base", sha256="", device="cpu", dtype=torch.float32, threads=1
    )


def planned(engine: Engine, task: str) -> list[tuple[tuple[Message, ...], tuple[str, ...]]]:
    """Return the turns of a task as an adapter reads them, and the labels of each."""
    planner = Planner(Prompts.load(shipped("prompts"), None), config.load(), Adapting())
    options = AskOptions(task, strategy="auto", personal=False)
    plans = [planner.plan(text, task, options, engine) for text in TURNS[task]]
    return [(tuple(plan.messages), tuple(plan.request.labels)) for plan in plans]


# -- one that was just trained ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tiny model, and the folder of an adapter that `assistant train` made for it."""
    home = tmp_path_factory.mktemp("trained")
    rows = [
        {"input": f"Mood? lamp {n} {word}", "target": label, "labels": ["glad", "sad"]}
        for n in range(12)
        for word, label in (("fine", "glad"), ("bleak", "sad"))
    ]
    (home / "moods.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    base = tiny_model(home / "tiny")
    task = ("-t", "classification", "--data", "moods.jsonl", "-m", "tiny")
    size = ("--max-steps", "8", "--batch", "8", "--rate", "0.05", "--no-eval")
    return base, Path(Program(home)("train", *task, *size, "--json").json["folder"])


def test_an_adapter_of_the_programs_training_says_the_same_in_peft_alone(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    base, adapter = trained
    turns = [(Message("user", text),) for text in ("Mood? lamp 3 fine", "Hello there.", "你好")]
    theirs = peft_alone(base, adapter, turns)
    options = EngineOptions(precision="accurate", device="cpu", threads=1)
    lean = open_engine(
        *(base, "folder"),
        name="tiny",
        sha256="5" * 64,
        cache=tmp_path,
        options=options,
        progress=lambda message, share: None,
    )
    assert lean.info.path == "lean"
    for engine in (fp32(base), lean):
        engine.load_adapter("mine", adapter)
        assert of_engine(engine, turns, "mine") == theirs
        assert of_engine(engine, turns) != theirs  # the adapter does something
        engine.close()


# -- those that ship -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shipped:
    """A shipped adapter and its base model: the file as pulled, and converted for transformers."""

    adapter: Path
    file: Path
    sha256: str
    converted: Path
    cache: Path

    def lean(self) -> Engine:
        return open_engine(
            *(self.file, "gguf"),
            name="base",
            sha256=self.sha256,
            cache=self.cache,
            options=EngineOptions(device="cpu", threads=1),
            progress=lambda message, share: None,
        )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home that all shipped adapters share: converting a model takes a minute and much disk."""
    place = tmp_path_factory.mktemp("shipped")
    (place / "models").mkdir()
    yield place
    shutil.rmtree(place)


@pytest.fixture(params=SHIPPED, ids=lambda folder: "-".join(folder.parts[-3:]))
def ship(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Shipped:
    adapter: Path = request.param
    name = adapter.parts[-3]
    pulled, ours = PULLED.parent / name, home / "models" / name
    if not list(pulled.glob("*.gguf")):
        pytest.skip(f"its base model is not installed: assistant models pull {name}")
    if not ours.exists():
        ours.symlink_to(pulled)
    monkeypatch.setenv("ASSISTANT_HOME", str(home))
    files, cache = resolve(name, user_paths()), home / "cache"
    folder = convert(files.path, files.sha256, cache, lambda message, share: None)
    return Shipped(adapter, files.path, files.sha256, folder, cache)


@pytest.mark.real
def test_a_shipped_adapter_says_the_same_in_peft_alone(ship: Shipped) -> None:
    task = ship.adapter.parts[-2]
    engine = fp32(ship.converted)
    engine.load_adapter("mine", ship.adapter)
    asked = planned(engine, task)
    turns = [messages for messages, _ in asked]
    ours = of_engine(engine, turns, "mine")
    wanted = [labels or (said,) for (_, labels), said in zip(asked, ours, strict=True)]
    exact = scored(engine, turns, wanted)
    engine.close()
    assert peft_alone(ship.converted, ship.adapter, turns) == ours
    lean = ship.lean()
    assert lean.info.path == "lean"
    lean.load_adapter("mine", ship.adapter)
    quick = scored(lean, turns, wanted)
    differ = [
        abs(one - other) / lean.count_text_tokens(text)
        for texts, some, others in zip(wanted, exact, quick, strict=True)
        for text, one, other in zip(texts, some, others, strict=True)
    ]
    lean.close()
    assert max(differ) < NATS_A_TOKEN, differ


def scored(
    engine: Engine, turns: Sequence[Sequence[Message]], wanted: Sequence[Sequence[str]]
) -> list[list[float]]:
    """Return the log-probability of each wanted answer of each turn, with the adapter."""
    return [
        [one.logprob for one in engine.score(turn, texts, adapter="mine")]
        for turn, texts in zip(turns, wanted, strict=True)
    ]
