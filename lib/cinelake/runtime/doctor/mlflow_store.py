"""Whether MLflow's store, or the server before it, can be had."""

from __future__ import annotations

import sqlite3
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

from cinelake.runtime.doctor.finding import Finding, Status
from cinelake.runtime.settings import ConfigError, Settings, without_password

SERVER_TIMEOUT_SECONDS = 5


def check_mlflow(settings: Settings) -> Finding:
    try:
        uri = settings.tracking_uri
    except ConfigError as error:
        return Finding("MLflow", Status.FAIL, "no store", str(error))
    if uri.startswith("sqlite:///"):
        return _checked_sqlite(Path(uri.removeprefix("sqlite:///")))
    if uri.startswith(("http://", "https://")):
        return _checked_server(uri)
    return Finding(
        "MLflow",
        Status.WARN,
        without_password(uri),
        "a store of this kind is not checked; open it with MLflow",
    )


def _checked_sqlite(path: Path) -> Finding:
    if not path.exists():
        return Finding("MLflow", Status.OK, f"SQLite at {path} (not made yet)")
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        try:
            connection.execute("SELECT count(*) FROM experiments")
        finally:
            connection.close()
    except sqlite3.Error as error:
        return Finding(
            "MLflow",
            Status.FAIL,
            f"{path} is not an MLflow store: {error}",
            "move the file away, or set mlflow.tracking_uri to another store",
        )
    return Finding("MLflow", Status.OK, f"SQLite at {path}")


def _checked_server(uri: str) -> Finding:
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=SERVER_TIMEOUT_SECONDS):
            return Finding("MLflow", Status.OK, f"server at {uri}")
    except urllib.error.HTTPError as error:
        # A server that wants credentials, or a proxy in front of it, answers all the same.
        return Finding(
            "MLflow",
            Status.WARN,
            f"{uri} answers {error.code} {error.reason}",
            "check credentials (secrets.mlflow_token) and the server's --allowed-hosts",
        )
    # The second where the address has a port that is none, or another kind of server answers.
    except (OSError, HTTPException) as error:
        return Finding(
            "MLflow",
            Status.FAIL,
            f"{uri} does not answer: {getattr(error, 'reason', error)}",
            "start the server, correct mlflow.tracking_uri, or unset it to use SQLite beside the lake",
        )
