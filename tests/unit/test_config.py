"""Settings: where they come from, and how they are written."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from assistant import config
from assistant.errors import ConfigError
from assistant.paths import shipped, user_paths


def write(text: str) -> Path:
    file = user_paths().config_file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


# -- where things live -----------------------------------------------------------------------------


def test_assistant_home_holds_all_four_folders(tmp_path: Path) -> None:
    paths, home = user_paths(), tmp_path / "home"
    assert paths.config_file == home / "config" / "config.toml"
    assert paths.database == home / "data" / "assistant.db"
    assert (paths.cache, paths.models) == (home / "cache", home / "models")
    assert not home.exists()


def test_assistant_home_may_be_relative_or_begin_with_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSISTANT_HOME", "here")
    assert user_paths().data == tmp_path / "here" / "data"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ASSISTANT_HOME", "~/there")
    assert user_paths().data == tmp_path / "there" / "data"


def test_without_assistant_home_the_platform_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ASSISTANT_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    paths = user_paths()
    for folder in (paths.config, paths.data, paths.cache, paths.models):
        assert folder.is_relative_to(tmp_path)
        assert "assistant" in folder.parts
    assert len({paths.config, paths.data, paths.cache, paths.models}) == 4


def test_the_prompts_ship_with_the_program() -> None:
    assert (shipped("prompts") / "qa.yaml").is_file()


# -- reading ---------------------------------------------------------------------------------------


def test_flags_go_over_environment_over_file_over_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config.load().max_tokens is None
    assert config.load().model == config.DEFAULT_MODEL
    write("max_tokens = 1\nmodel = 'from-file'\n")
    assert config.load().max_tokens == 1
    monkeypatch.setenv("ASSISTANT_MAX_TOKENS", "2")
    assert config.load().max_tokens == 2
    assert config.load(max_tokens=3).max_tokens == 3
    assert config.load(max_tokens=None).max_tokens == 2
    assert config.load(max_tokens=3).model == "from-file"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        config.load().model = "other"


def test_an_unknown_key_in_the_file_is_named_with_the_file_and_the_nearest() -> None:
    file = write("temprature = 0.5\n")
    with pytest.raises(ConfigError) as caught:
        config.load()
    assert caught.value.message == f"There is no setting 'temprature'. (in {file})"
    assert "Did you mean 'temperature'?" in caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("temperature = 9", "'temperature'"),
        ("temperature = 'hot'", "'temperature'"),
        ("max_tokens = 0", "'max_tokens'"),
        ("device = 'tpu'", "'device'"),
        ("strategy = 'best'", "'strategy'"),
        ("seed = -1", "'seed'"),
        ("context_tokens = 10", "'context_tokens'"),
        ("threads = 1000", "'threads'"),
        ("keys = 'ctrl+t'", "'keys'"),
        ("[keys]\nnew_chat = 3", "'keys.new_chat'"),
    ],
)
def test_a_wrong_value_is_named_with_the_file(text: str, named: str) -> None:
    file = write(text)
    with pytest.raises(ConfigError) as caught:
        config.load()
    assert f"Setting {named}" in caught.value.message
    assert str(file) in caught.value.hint


def test_a_wrong_value_in_the_environment_names_the_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ASSISTANT_TEMPERATURE", "warm")
    with pytest.raises(ConfigError, match=r"'temperature'.*'warm'") as caught:
        config.load()
    assert "ASSISTANT_TEMPERATURE" in caught.value.hint


def test_keys_in_the_environment_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSISTANT_KEYS", '{"new_chat": "ctrl+t"}')
    assert config.load().keys == {"new_chat": "ctrl+t"}
    monkeypatch.setenv("ASSISTANT_KEYS", "new_chat=ctrl+t")
    with pytest.raises(ConfigError, match="keys") as caught:
        config.load()
    assert "JSON" in caught.value.hint


def test_a_file_that_is_not_toml_names_the_line() -> None:
    file = write("model = 'a'\nmax_tokens\n")
    with pytest.raises(ConfigError, match="line 2") as caught:
        config.load()
    assert str(file) in caught.value.message


def test_a_file_that_is_not_text_or_cannot_be_read_is_an_error() -> None:
    file = write("")
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not valid TOML"):
        config.load()
    file.unlink()
    file.mkdir()
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        config.load()


def test_every_setting_is_described() -> None:
    assert all(field.description for field in config.Settings.model_fields.values())


# -- writing ---------------------------------------------------------------------------------------


def saved() -> dict[str, object]:
    return tomllib.loads(user_paths().config_file.read_text(encoding="utf-8"))


def test_saving_writes_one_setting_and_leaves_the_others() -> None:
    write("model = 'mine'\n\n[keys]\nnew_chat = 'ctrl+t'\n")
    config.save_value("temperature", "0.5")
    config.save_value("max_tokens", "100")
    config.save_value("keys.quit", "ctrl+x")
    assert saved() == {
        "model": "mine",
        "temperature": 0.5,
        "max_tokens": 100,
        "keys": {"new_chat": "ctrl+t", "quit": "ctrl+x"},
    }
    assert config.load().keys == {"new_chat": "ctrl+t", "quit": "ctrl+x"}


@pytest.mark.parametrize("text", ["true", "3", "0.5", 'with "quotes" and \\', "你好\nzwei"])
def test_text_settings_take_any_text(text: str) -> None:
    config.save_value("system", text)
    assert config.load().system == text


def test_all_keys_may_be_written_as_one_table() -> None:
    config.save_value("keys", "{ new_chat = 'ctrl+t' }")
    assert config.load().keys == {"new_chat": "ctrl+t"}


def test_an_empty_value_goes_back_to_the_default() -> None:
    config.save_value("temperature", "0.5")
    config.save_value("keys.quit", "ctrl+x")
    config.save_value("temperature", "")
    config.save_value("keys.quit", "")
    config.save_value("seed", "")
    assert saved() == {"keys": {}}
    assert config.load().temperature is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("temperature", "9"),
        ("temperature", "hot"),
        ("max_tokens", "1.5"),
        ("device", "tpu"),
        ("temprature", "1"),
        ("model.name", "x"),
        ("nothing", ""),
        ("keys", "ctrl+t"),
    ],
)
def test_a_wrong_key_or_value_leaves_the_file_as_it_was(key: str, value: str) -> None:
    file = write("# mine\nmodel = 'a'\n")
    with pytest.raises(ConfigError, match=key):
        config.save_value(key, value)
    assert file.read_text() == "# mine\nmodel = 'a'\n"
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]


def test_what_is_wrong_in_the_file_can_be_taken_out() -> None:
    write("temperature = 9\ntemprature = 1\n")
    with pytest.raises(ConfigError, match="temprature"):
        config.save_value("temperature", "")
    config_file = write("temprature = 1\n")
    config.save_value("temprature", "")
    assert config_file.read_text() == ""
    write("temperature = 9\n")
    config.save_value("temperature", "")
    assert config.load().temperature is None


def test_keys_that_are_no_table_are_an_error_that_says_what_to_do() -> None:
    write("keys = 3\n")
    with pytest.raises(ConfigError, match="not a table") as caught:
        config.save_value("keys.quit", "ctrl+x")
    assert 'assistant config set keys ""' in caught.value.hint
    config.save_value("keys", "")
    assert config.load().keys == {}


def test_the_environment_does_not_get_in_the_way_of_saving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSISTANT_TEMPERATURE", "hot")
    config.save_value("max_tokens", "7")
    assert saved() == {"max_tokens": 7}


def test_a_write_that_fails_leaves_the_old_file_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    file = write("model = 'a'\n")

    def full(self: Path, *_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises((OSError, ConfigError)):
        config.save_value("model", "b")
    assert file.read_text() == "model = 'a'\n"
