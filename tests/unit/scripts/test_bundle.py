from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

import bundle
from cinelake.runtime import alone
from cinelake.runtime.runs.graph import Graph, as_json, discover

ROOT = Path(__file__).parents[3]
PLAN = as_json(Graph(tuple(discover(ROOT / "jobs"))))


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle.build(tmp_path_factory.mktemp("dist"), PLAN)


def contents(target: Path) -> dict[str, tuple[bytes, float]]:
    files = (path for path in sorted(target.rglob("*")) if path.is_file())
    return {str(p.relative_to(target)): (p.read_bytes(), p.stat().st_mtime) for p in files}


def test_two_builds_have_the_same_bytes(bundled: Path, tmp_path: Path) -> None:
    again = bundle.build(tmp_path, PLAN)
    os.utime(ROOT / "lib" / "cinelake" / "py.typed")
    later = bundle.build(tmp_path / "later", PLAN)
    assert contents(bundled) == contents(again) == contents(later)


def test_the_bundle_holds_what_a_cluster_needs(bundled: Path) -> None:
    names = set(contents(bundled))
    assert {"cinelake.zip", "requirements.lock", "LICENSE"} <= names
    assert {"jars.lock", "kafka.lock", "s3.lock"} <= names
    assert {"README.md", "run_cinelake.py", "plan.json", "SHA256SUMS"} <= names
    assert {"schemas/ratings.json", "schemas/playback.json"} <= names
    assert {"conf/base.toml", "conf/cluster.toml", "conf/kubernetes/Dockerfile"} <= names
    systems = ("local", "standalone", "yarn", "kubernetes")
    assert {f"conf/spark/{system}.conf" for system in systems} <= names
    jobs = {str(path.relative_to(ROOT)) for path in (ROOT / "jobs").rglob("*.py")}
    assert {name for name in names if name.startswith("jobs/")} == jobs
    assert not [name for name in names if "__pycache__" in name]


def test_the_zip_holds_the_package_and_its_data_only(bundled: Path) -> None:
    with zipfile.ZipFile(bundled / "cinelake.zip") as archive:
        names = archive.namelist()
    assert {
        "cinelake/__init__.py",
        "cinelake/runtime/spark/jars.lock",
        "cinelake/runtime/spark/log4j2.properties",
    } <= {*names}
    assert all(name.startswith("cinelake/") for name in names)
    assert names == sorted(names)


def test_the_package_works_from_the_zip(bundled: Path, tmp_path: Path) -> None:
    code = (
        "import cinelake; from cinelake.runtime import config; from cinelake.runtime.spark import jars, machine; "
        "print(cinelake.__file__, len(jars.DELTA.jars), machine.log_settings().is_file())"
    )
    env = {**os.environ, "PYTHONPATH": str(bundled / "cinelake.zip")}
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == [f"{bundled}/cinelake.zip/cinelake/__init__.py", "8", "True"]


def test_a_job_in_the_bundle_finds_the_conf_beside_it(bundled: Path, tmp_path: Path) -> None:
    job = bundled / "jobs" / "probe" / "find_conf.py"
    job.parent.mkdir()
    job.write_text("from cinelake.runtime.config import find_conf_dir\nprint(find_conf_dir({}))\n")
    env = {**os.environ, "PYTHONPATH": str(bundled / "cinelake.zip")}
    run = subprocess.run(
        [sys.executable, str(job)],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    job.unlink()
    job.parent.rmdir()
    assert run.stdout.strip() == str(bundled / "conf")


def test_the_checksums_are_those_of_all_other_files(bundled: Path) -> None:
    names = {line.split()[1] for line in (bundled / "SHA256SUMS").read_text().splitlines()}
    assert names == set(contents(bundled)) - {"SHA256SUMS"}
    subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=bundled, check=True
    )


def test_the_readme_names_the_versions_that_are_pinned(bundled: Path) -> None:
    readme = (bundled / "README.md").read_text(encoding="utf-8")
    assert f"# Cinelake {bundle.version()}, for spark-submit" in readme
    assert "runs on Spark 4.2.0" in readme
    assert "runs with Delta 4.4.0" in readme


def test_every_setting_of_spark_has_its_reason(bundled: Path) -> None:
    # A reason stands over each setting, or over a block of settings that belong together.
    for conf in sorted((bundled / "conf" / "spark").glob("*.conf")):
        blocks = conf.read_text(encoding="utf-8").split("\n\n")
        assert [block for block in blocks if not block.startswith("# ")] == [], conf


def test_drivers_on_kubernetes_may_do_what_executors_need_and_no_more(bundled: Path) -> None:
    role = (bundled / "conf" / "kubernetes" / "role.yaml").read_text(encoding="utf-8")
    account, granted, binding = yaml.safe_load_all(role)
    assert granted["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["pods", "services", "configmaps", "persistentvolumeclaims"],
            "verbs": ["create", "get", "list", "watch", "patch", "delete", "deletecollection"],
        }
    ]
    assert binding["roleRef"]["name"] == granted["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", **account["metadata"]}]
    conf = (bundled / "conf" / "spark" / "kubernetes.conf").read_text(encoding="utf-8")
    assert f"driver.serviceAccountName  {account['metadata']['name']}\n" in conf
    readme = (bundled / "README.md").read_text(encoding="utf-8")
    assert "apply -f conf/kubernetes/role.yaml" in readme
    assert "clusterrole" not in readme


def test_a_conf_environment_that_is_not_there_is_said_with_those_that_are(
    bundled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = next(job for job in discover(bundled / "jobs") if job.name == "build_ratings")
    day = ["--start", "2026-01-01", "--end", "2026-01-02"]
    with pytest.raises(SystemExit, match=r"no environment 'prod' in .*cluster, local, trial"):
        alone.run_alone(job, ["--conf", str(bundled / "conf"), "--env", "prod", *day])


def test_another_spark_is_named_before_anything_is_imported(bundled: Path, tmp_path: Path) -> None:
    other = tmp_path / "pyspark"
    other.mkdir()
    (other / "__init__.py").write_text("__version__ = '3.5.1'\n")
    run = subprocess.run(
        [sys.executable, str(bundled / "jobs" / "behaviour" / "build_ratings.py"), "--help"],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{bundled / 'cinelake.zip'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "Cinelake 0.1.0 runs on Spark 4.2, and this Python has pyspark 3.5.1" in run.stderr
    assert "SPARK_HOME" in run.stderr
