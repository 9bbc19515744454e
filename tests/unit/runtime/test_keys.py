"""Where the secret for pseudonyms comes from, and that a lake keeps to one."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from cinelake.runtime.keys import CHECK_FILE, Keyring, keyring
from cinelake.runtime.passing_lake import passing
from cinelake.runtime.settings import ConfigError, Settings

GOOD, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2


class Files:
    """Local files, as the lake's storage shows them."""

    def text(self, path: str) -> str | None:
        return Path(path).read_text("utf-8") if Path(path).exists() else None

    def put(self, path: str, text: str) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, "utf-8")


def ring(tmp_path: Path, secret: str | None = None, **lake: Any) -> Keyring:
    settings = Settings.model_validate(
        {"lake": {"root": str(tmp_path / "lake")} | lake, "secrets": {"pseudonym_key": secret}}
    )
    return keyring(settings, Files())  # type: ignore[arg-type]


def test_a_development_key_is_made_once_for_its_owner_alone_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = ring(tmp_path, development_key=True)
    said = capsys.readouterr().err
    file = tmp_path / "lake.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert str(file) in said.replace("\n", "")
    assert file.read_text("utf-8") not in said
    assert ring(tmp_path, development_key=True).check == first.check
    assert capsys.readouterr().err == ""


def test_without_a_secret_nothing_is_made_up(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="CINELAKE_SECRETS__PSEUDONYM_KEY"):
        ring(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_secret_comes_from_the_environment_or_a_file_and_is_long(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{GOOD}\n", "utf-8")
    assert ring(tmp_path, key_file=str(file)).check == ring(tmp_path, GOOD).check
    with pytest.raises(ConfigError, match="at least 32"):
        ring(tmp_path, "short")
    with pytest.raises(ConfigError, match="cannot be read"):
        ring(tmp_path, key_file=str(tmp_path / "none"))


def test_a_lake_refuses_another_secret_than_its_first(tmp_path: Path) -> None:
    ring(tmp_path, GOOD)
    assert GOOD not in (tmp_path / "lake" / CHECK_FILE).read_text("utf-8")
    with pytest.raises(ConfigError, match="begun with") as refusal:
        ring(tmp_path, OTHER)
    assert OTHER not in str(refusal.value)


def test_kinds_have_keys_of_their_own() -> None:
    keys = Keyring(GOOD.encode())
    assert keys.hmac("account", "42") != keys.hmac("profile", "42")
    assert GOOD not in repr(keys)


def test_the_same_folder_has_the_same_ids_in_each_lake_that_passes(tmp_path: Path) -> None:
    own = Settings.model_validate(
        {"lake": {"root": str(tmp_path)}, "secrets": {"pseudonym_key": GOOD}}
    )
    one, other = (
        keyring(passing(own, tmp_path / name), Files())  # type: ignore[arg-type]
        for name in ("one", "other")
    )
    assert one.hmac("profile", "42") == other.hmac("profile", "42")
    assert one.check != ring(tmp_path, GOOD).check
