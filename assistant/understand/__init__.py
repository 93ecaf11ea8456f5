"""Reads from a turn's own words what it asks for: languages, labels, and where the passage is.

``languages`` knows names, ``detect`` tells which language a text is in, ``split`` parts a request
from its passage, ``target`` finds the language to translate to, ``labels`` the labels to choose
from. Standard library only; py3langid helps with short or rare Latin-script texts when installed.
"""

from assistant.understand.detect import detect_language
from assistant.understand.followup import language_mentioned, refers_back
from assistant.understand.labels import labels_in
from assistant.understand.languages import language_code, language_name
from assistant.understand.split import split_request
from assistant.understand.target import target_language, translation_direction

__all__ = [
    "detect_language",
    "labels_in",
    "language_code",
    "language_mentioned",
    "language_name",
    "refers_back",
    "split_request",
    "target_language",
    "translation_direction",
]
