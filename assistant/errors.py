"""Every error a user can meet.

::

    AssistantError                 exit 1
    ├── UsageError                 exit 2   wrong flags or arguments
    ├── ConfigError                exit 2   a setting or settings file is wrong
    ├── PromptError                         a prompt file is broken (names file, line and field)
    ├── ModelError
    │   ├── ModelNotFound                   the name means nothing here
    │   ├── ModelNotInstalled               known, but not on this machine yet
    │   ├── DownloadError                   could not be fetched from any source
    │   ├── ChecksumError                   fetched, but not the file that was asked for
    │   ├── DiskSpaceError
    │   └── ConversionError                 the file cannot be read as a model
    ├── EngineError                         loading or running the model failed
    │   └── ContextOverflow                 one single input is longer than the window
    ├── AdapterError                        an adapter is missing, unsafe or does not fit
    ├── StoreError                          the database cannot be opened or written
    │   └── NotFound                        no such conversation, turn or feedback
    └── Cancelled                  exit 130 the user stopped it

Each one carries a message (what happened) and a hint (what to do next).
"""

from __future__ import annotations


class AssistantError(Exception):
    """Base of all errors shown to a user: ``message`` says what happened, ``hint`` what to do."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(AssistantError):
    """Wrong flags or arguments."""

    exit_code = 2


class ConfigError(AssistantError):
    """A setting, an environment variable or the settings file is wrong."""

    exit_code = 2


class PromptError(AssistantError):
    """A prompt file is broken; the message names file, line and field."""


class ModelError(AssistantError):
    """Something about a model file."""


class ModelNotFound(ModelError):
    """The given model name is neither in the catalogue, nor a path, nor a hub id."""


class ModelNotInstalled(ModelError):
    """The model is known but its file is not on this machine."""


class DownloadError(ModelError):
    """No source delivered the file."""


class ChecksumError(ModelError):
    """The delivered file is not the one that was asked for."""


class DiskSpaceError(ModelError):
    """Not enough free disk for the file."""


class ConversionError(ModelError):
    """The file cannot be read as a model."""


class EngineError(AssistantError):
    """Loading or running the model failed."""


class ContextOverflow(EngineError):
    """One single input is longer than the model's window."""


class AdapterError(AssistantError):
    """An adapter is missing, unsafe or does not fit the model."""


class StoreError(AssistantError):
    """The database cannot be opened, read or written."""


class NotFound(StoreError):
    """No such conversation, turn or feedback."""


class Cancelled(AssistantError):
    """The user stopped it."""

    exit_code = 130
