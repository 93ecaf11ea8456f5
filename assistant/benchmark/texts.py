"""What is read and asked while measuring."""

from __future__ import annotations

from functools import cache

from assistant.paths import shipped

LANGUAGES = ("en", "zh")


@cache
def prose(language: str) -> str:
    """Return the fixed text of a language; written for this and in no training set."""
    file = shipped("benchmarks") / "texts" / f"{language}.txt"
    return file.read_text(encoding="utf-8")


SENTENCES = (
    "I would like a cup of coffee, please.",
    "The library is closed on Mondays.",
    "We missed the last bus and walked home.",
    "Could you send me the bill by Friday?",
    "My brother is learning to play the violin.",
    "There is a small garden behind the house.",
    "The meeting begins at ten in the morning.",
    "She has never seen the sea before.",
    "Please leave your shoes by the door.",
    "It has been raining since yesterday.",
    "He forgot his umbrella on the train.",
    "The children are painting a large picture.",
)
"""One for each run of a translation, so that no run finds the answer of another in memory."""

TURNS = (
    "what is the capital of Australia?",
    "Translate into German: the train leaves at noon.",
    "Is this review positive or negative? The room was clean and quiet.",
    "Summarize in one sentence: The council met on Tuesday and agreed, after three hours, to close "
    "the market square to cars from April to September, with six spaces for permit holders.",
    "hi there, how was your day?",
    "How long do you boil an egg?",
    "今天天气怎么样？",
    "把这句话翻译成英文：我明天不去上班。",
    "这条评论是好评还是差评？菜很咸，服务员也不理人。",
    "用一句话概括：市场要搬走，居民开了三次会，最后决定把摊位移到院子里。",
    "谁写了《红楼梦》？",
    "Wie hoch ist der Mont Blanc?",
    "Übersetze ins Englische: Wo ist der Bahnhof?",
    "Fasse zusammen: Der Laden war drei Wochen zu, weil der Ofen kaputt war.",
    "Combien de jours y a-t-il dans une année ?",
    "Traduis en anglais : il fait froid ce matin.",
    "¿Quién pintó el Guernica?",
    "Traduce al inglés: me gusta leer por la noche.",
    "Spam or not spam: You have won a free phone, click here now!",
    "tell me a short joke",
)
"""Turns of every task in several languages, for the router."""

CHAT = (
    "Hello! I planted basil on my balcony last week. How often should I water it?",
    "And what should I do when the leaves turn yellow?",
)
"""Two turns of a conversation."""

QUESTION = "Why do leaves turn yellow in autumn?"


def mixed_prompts(count: int) -> list[str]:
    """Return ``count`` prompts from a few words to a few hundred."""
    paragraphs = [p for p in prose("en").split("\n\n") if p.strip()]
    prompts = []
    for index in range(count):
        words = paragraphs[index % len(paragraphs)].split()
        length = (12, 30, 60, 110)[index % 4] + index
        prompts.append(f"Say in other words: {' '.join(words[:length])}")
    return prompts


_THINGS = (
    "a lighthouse", "a violin", "a compass", "an umbrella", "a glacier", "a library", "a volcano",
    "a market", "a bridge", "a telescope", "a garden", "a harbour", "a clock", "a desert",
    "a school", "a windmill",
)  # fmt: skip


def open_prompts(count: int) -> list[str]:
    """Return ``count`` short prompts whose answers repeat nothing that was given."""
    asked = ("Write three sentences about {}.", "Tell a child what {} is good for.")
    return [
        asked[index // len(_THINGS) % len(asked)].format(_THINGS[index % len(_THINGS)])
        for index in range(count)
    ]
