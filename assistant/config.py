"""Settings: flags > environment (``ASSISTANT_…``) > ``config.toml`` > defaults.

An unknown key or a wrong value is an error that names it and the file it stands in.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from assistant.errors import ConfigError
from assistant.paths import Paths, user_paths

DEFAULT_MODEL = "qwen2.5-coder-0.5b-instruct"
_PREFIX = "ASSISTANT_"
_NOT_SETTINGS = {"ASSISTANT_HOME"}


class Settings(BaseSettings):
    """All settings. Frozen: a change is written with `assistant config set`."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, frozen=True, extra="forbid", protected_namespaces=()
    )

    model: str = Field(DEFAULT_MODEL, description="catalogue name, folder, GGUF file or hub id")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="where it runs")
    precision: Literal["auto", "accurate", "fast"] = Field(
        "auto", description="auto: 8-bit activations; accurate: nothing rounded; fast: fewer bits"
    )
    engine: Literal["auto", "plain"] = Field(
        "auto", description="auto: the fastest that runs the model; plain: transformers"
    )
    threads: int | None = Field(None, ge=1, le=256, description="CPU threads; default: all cores")
    context_tokens: int | None = Field(
        None, ge=256, description="use at most this much of the model's window"
    )
    system: str | None = Field(None, description="system prompt added to every turn")
    translate_to: str | None = Field(
        None, description="target language when a turn names none (code or English name)"
    )
    strategy: Literal["auto", "zero_shot", "few_shot", "adapter"] = Field(
        "auto", description="how tasks are answered"
    )
    personal_shots: bool = Field(
        True, description="show the model your own good and corrected answers to similar turns"
    )
    max_tokens: int | None = Field(None, ge=1, description="longest answer, in tokens")
    temperature: float | None = Field(None, ge=0, le=2, description="0 is greedy")
    seed: int | None = Field(None, ge=0, description="fixed seed for sampling")
    theme: str = Field("auto", description="theme of the terminal app: auto, dark, light, …")
    keys: dict[str, str] = Field(
        default_factory=dict,
        description="binding id -> keys, as in {'chat.new' = 'ctrl+t'}; F1 lists the ids",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags first, then the environment, then what ``load`` read from the file."""
        return (init_settings, env_settings, _FileSource(settings_cls))


class _FromFile(Settings):
    """Settings as a file alone gives them: for checking what is about to be written."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_others: PydanticBaseSettingsSource,
        **_more: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


class _FileSource(PydanticBaseSettingsSource):
    """The settings file of this user; nothing when there is none."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        return read_file(user_paths().config_file)


def read_file(path: Path) -> dict[str, Any]:
    """Return what the settings file says.

    Raises:
        ConfigError: it is not TOML; the message names the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} is not valid TOML: {error}", "Mend the line, or remove the file."
        ) from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error


def load(paths: Paths | None = None, **flags: Any) -> Settings:
    """Return the settings; ``flags`` that are ``None`` count as not given.

    Raises:
        ConfigError: a value is wrong or a key unknown.
    """
    paths = paths or user_paths()
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        raise _readable(error, paths) from error
    except SettingsError as error:
        raise ConfigError(
            f"A setting in the environment cannot be read: {error}.",
            f'{_PREFIX}KEYS is JSON, such as {{"new_chat": "ctrl+t"}}.',
        ) from error


def save_value(key: str, text: str, paths: Paths | None = None) -> Path:
    """Write one setting to the settings file, checked first; return the file.

    ``text`` is read as TOML where that works (numbers, true, tables), else as a string; an empty
    text removes the setting.

    Raises:
        ConfigError: unknown key or wrong value; the file is left as it was.
    """
    import tomli_w

    paths = paths or user_paths()
    top, _, rest = key.partition(".")
    data = read_file(paths.config_file)
    known = top in Settings.model_fields and (not rest or top == "keys")
    if not known and not (text == "" and key in data):  # a wrong key may be taken out of the file
        raise _unknown(key)
    if rest and not isinstance(data.get(top, {}), dict):
        raise ConfigError(
            f"Setting '{top}' is not a table (in {paths.config_file}).",
            f'Take it out first: assistant config set {top} ""',
        )
    place = data.setdefault(top, {}) if rest else data
    name = rest or top
    if text == "":
        place.pop(name, None)
    else:
        place[name] = text if rest else _value(text, top)
    try:
        _FromFile(**data)
    except ValidationError as error:
        raise _readable(error, paths) from error
    paths.config.mkdir(parents=True, exist_ok=True)
    temporary = paths.config_file.with_suffix(".tmp")
    temporary.write_text(tomli_w.dumps(data), encoding="utf-8")
    temporary.replace(paths.config_file)
    return paths.config_file


def _value(text: str, key: str) -> Any:
    if str in _plain_types(key):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _plain_types(key: str) -> tuple[Any, ...]:
    annotation = Settings.model_fields[key].annotation
    return (annotation, *getattr(annotation, "__args__", ())) if key != "keys" else (annotation,)


def _unknown(key: str) -> ConfigError:
    close = difflib.get_close_matches(key, Settings.model_fields, n=1)
    hint = f"Did you mean '{close[0]}'? " if close else ""
    return ConfigError(
        f"There is no setting '{key}'.", f"{hint}Settings: {', '.join(Settings.model_fields)}."
    )


def _readable(error: ValidationError, paths: Paths) -> ConfigError:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"]) or "settings"
    if first["type"] == "extra_forbidden":
        wrong = _unknown(name)
        return ConfigError(f"{wrong.message} (in {paths.config_file})", wrong.hint)
    return ConfigError(
        f"Setting '{name}': {first['msg']} (got {first.get('input')!r}).",
        f"It can stand in {paths.config_file}, in {_PREFIX}{name.upper()}, or in a flag.",
    )
