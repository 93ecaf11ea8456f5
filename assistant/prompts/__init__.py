"""Prompt files: ``prompts/<task>.yaml`` in, chat messages out.

``model`` says what a prompt file holds, ``reader`` reads one with the help of ``checker``,
``shots`` picks the examples nearest to a turn, ``render`` turns all of it into messages and
``library`` ties them up.
"""

from assistant.prompts.library import Prompts
from assistant.prompts.model import DEFAULT_SHOTS, Example, LabelSet, PromptFile, Variant
from assistant.prompts.reader import read_prompt_file
from assistant.prompts.render import Rendered
from assistant.prompts.shots import select_shots

__all__ = [
    "DEFAULT_SHOTS",
    "Example",
    "LabelSet",
    "PromptFile",
    "Prompts",
    "Rendered",
    "Variant",
    "read_prompt_file",
    "select_shots",
]
