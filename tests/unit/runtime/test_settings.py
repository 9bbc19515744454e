"""What follows from settings, and that they stay as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from cinelake.runtime.settings import ConfigError, Settings, is_local, local_path


def settings_of(root: object, **mlflow: str) -> Settings:
    return Settings.model_validate({"lake": {"root": str(root)}, "mlflow": mlflow})


def test_without_a_server_mlflow_lives_beside_the_lake(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert settings.tracking_uri == f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    assert settings.artifact_root == f"file://{tmp_path}/mlflow/artifacts"

    server = settings_of(tmp_path, tracking_uri="https://m.org")
    assert server.tracking_uri == "https://m.org"
    assert server.artifact_root is None

    with pytest.raises(ConfigError, match="set mlflow.tracking_uri to the address"):
        _ = settings_of("s3a://bucket").tracking_uri


def test_settings_cannot_be_changed_afterwards(settings: Settings) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        settings.lake.root = "elsewhere"


def test_a_path_as_java_writes_it_is_local(tmp_path: Path) -> None:
    for location in (f"{tmp_path}", f"file:{tmp_path}", f"file://{tmp_path}"):
        assert is_local(location)
        assert local_path(location) == tmp_path
    assert not is_local("s3a://bucket/lake")
