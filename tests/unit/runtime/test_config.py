from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, Field, SecretStr

from cinelake.runtime.config import find_conf_dir, load_settings
from cinelake.runtime.doctor.mlflow_store import check_mlflow
from cinelake.runtime.settings import ConfigError, Origin, Settings
from cinelake.runtime.tracking.runs import Tracking

ROOT = Path(__file__).parents[3]
BASE = '[lake]\nroot = "lake"\n[spark]\nshuffle_partitions = 8\n'


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    directory = tmp_path / "project" / "conf"
    directory.mkdir(parents=True)
    (directory / "base.toml").write_text(BASE)
    (directory / "local.toml").write_text("")
    return directory


def source_of(settings: Settings, key: str) -> str:
    return next(origin.source for origin in settings.origins() if origin.key == key)


def test_a_later_source_wins_and_each_is_named(conf: Path) -> None:
    (conf / "local.toml").write_text("[spark]\nshuffle_partitions = 16\ndriver_memory = '2g'\n")
    base = load_settings(env={}, conf_dir=conf)
    assert base.spark.shuffle_partitions == 16
    assert source_of(base, "spark.shuffle_partitions") == str(conf / "local.toml")
    assert source_of(base, "lake.root") == str(conf / "base.toml")
    assert source_of(base, "spark.ui") == "default"

    env = {"CINELAKE_SPARK__SHUFFLE_PARTITIONS": "32"}
    from_env = load_settings(env=env, conf_dir=conf)
    assert from_env.spark.shuffle_partitions == 32
    assert (
        source_of(from_env, "spark.shuffle_partitions")
        == "environment variable CINELAKE_SPARK__SHUFFLE_PARTITIONS"
    )

    told = load_settings(overrides=["spark.shuffle_partitions=64"], env=env, conf_dir=conf)
    assert told.spark.shuffle_partitions == 64
    assert source_of(told, "spark.shuffle_partitions") == "--set spark.shuffle_partitions"
    # What no later source mentions stays.
    assert told.spark.driver_memory == "2g"


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("[lake]\nrot = 'x'", "lake.root"),
        ("[spark]\nshufle_partitions = 3", "spark.shuffle_partitions"),
        ("[lake]\nlock_wait = '1s'\n[lakes]\nroot = 'x'", "lake.root"),
        # The right key in the wrong section.
        ("[spark]\ntracking_uri = 'x'", "mlflow.tracking_uri"),
        ("[lake.root]\ndeep = 1", "lake.root"),
    ],
)
def test_an_unknown_key_in_a_file_names_the_file_and_the_nearest_key(
    conf: Path, text: str, nearest: str
) -> None:
    (conf / "local.toml").write_text(text)
    with pytest.raises(ConfigError, match=rf"local\.toml: .* did you mean {nearest}\?"):
        load_settings(env={}, conf_dir=conf)


def test_an_unknown_empty_table_is_refused_too(conf: Path) -> None:
    (conf / "local.toml").write_text("[sparc]\n")
    with pytest.raises(ConfigError, match="sparc is not a setting"):
        load_settings(env={}, conf_dir=conf)


def test_an_unknown_variable_names_the_nearest_one(conf: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"variable CINELAKE_LAKE_ROOT is .* did you mean CINELAKE_LAKE__ROOT\?"
    ):
        load_settings(env={"CINELAKE_LAKE_ROOT": "/x"}, conf_dir=conf)
    with pytest.raises(ConfigError, match=r"CINELAKE_HOMES is .* did you mean CINELAKE_HOME\?"):
        load_settings(env={"CINELAKE_HOMES": "/x"}, conf_dir=conf)


def test_variables_that_say_where_to_look_are_no_settings(conf: Path) -> None:
    env = {"CINELAKE_HOME": "/x", "CINELAKE_CONF": str(conf), "CINELAKE_ENV": "local", "PATH": "y"}
    assert load_settings(env=env).environment == "local"


def test_an_unknown_key_on_the_command_line_names_the_nearest_one(conf: Path) -> None:
    with pytest.raises(ConfigError, match=r"--set lake\.rooot: .* did you mean lake\.root\?"):
        load_settings(overrides=["lake.rooot=/x"], env={}, conf_dir=conf)
    with pytest.raises(ConfigError, match=r"--set lake\.root: write it as section\.key=value"):
        load_settings(overrides=["lake.root"], env={}, conf_dir=conf)


def test_a_wrong_value_names_its_source(conf: Path) -> None:
    (conf / "local.toml").write_text("[spark]\nshuffle_partitions = 'many'\n")
    with pytest.raises(ConfigError, match=r"local\.toml: spark\.shuffle_partitions: .*integer"):
        load_settings(env={}, conf_dir=conf)
    (conf / "local.toml").write_text("[spark]\ndriver_memory = '4 gigabytes'\n")
    with pytest.raises(ConfigError, match=r'driver_memory: .* write it as "900m" or "4g"'):
        load_settings(env={}, conf_dir=conf)


def test_a_setting_without_a_value_says_where_to_set_it(conf: Path) -> None:
    (conf / "base.toml").write_text("[lake]\nlock_wait = '1s'\n")
    with pytest.raises(
        ConfigError, match=r"lake\.root: it has no value; set it in conf/base\.toml"
    ):
        load_settings(env={}, conf_dir=conf)


def test_an_environment_without_a_file_lists_those_there_are(conf: Path) -> None:
    (conf / "cluster.toml").write_text("")
    with pytest.raises(ConfigError, match="no environment 'clutser' in .*; it has cluster, local"):
        load_settings("clutser", env={}, conf_dir=conf)
    with pytest.raises(ConfigError, match="no environment 'base'"):
        load_settings(env={"CINELAKE_ENV": "base"}, conf_dir=conf)


def test_broken_files_are_named(conf: Path) -> None:
    (conf / "local.toml").write_text("[lake\n")
    with pytest.raises(ConfigError, match=r"local\.toml is not valid TOML: .*line 1"):
        load_settings(env={}, conf_dir=conf)
    (conf / "local.toml").write_bytes(b"[lake]\nroot = '\xff'\n")
    with pytest.raises(ConfigError, match=r"local\.toml is not UTF-8"):
        load_settings(env={}, conf_dir=conf)


def test_a_missing_base_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"base\.toml does not exist"):
        load_settings(env={}, conf_dir=tmp_path)


def test_a_path_in_a_file_is_taken_from_the_project_and_one_at_the_prompt_from_here(
    conf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(env={}, conf_dir=conf).lake.root == str(conf.parent / "lake")
    told = load_settings(overrides=["lake.root=../other"], env={}, conf_dir=conf)
    assert told.lake.root == str(tmp_path.parent / "other")
    assert told.landing == str(tmp_path.parent / "other" / "landing")
    elsewhere = load_settings(overrides=["lake.landing=out/landing"], env={}, conf_dir=conf)
    assert elsewhere.landing == str(tmp_path / "out" / "landing")
    stored = load_settings(env={"CINELAKE_LAKE__ROOT": "s3a://bucket/lake"}, conf_dir=conf)
    assert stored.lake.root == "s3a://bucket/lake"
    assert not stored.lake_is_local


def test_jobs_take_any_parameters_with_their_types(conf: Path) -> None:
    (conf / "base.toml").write_text(BASE + "[jobs.rate]\nlow = 0.5\n[jobs.rate.deep]\nx = [1, 2]\n")
    settings = load_settings(
        overrides=["jobs.rate.high=5", "jobs.rate.grace=90s", "jobs.rate.on=true"],
        env={"CINELAKE_JOBS__RATE__LOW": "0.25"},
        conf_dir=conf,
    )
    assert settings.jobs == {
        "rate": {"low": 0.25, "deep": {"x": [1, 2]}, "high": 5, "grace": "90s", "on": True}
    }
    assert source_of(settings, "jobs.rate.low") == "environment variable CINELAKE_JOBS__RATE__LOW"
    assert source_of(settings, "jobs.rate.deep.x") == str(conf / "base.toml")


def test_spark_settings_keep_their_dotted_names_however_they_are_written(conf: Path) -> None:
    (conf / "base.toml").write_text(BASE + '[spark.conf]\n"spark.a.b" = "1"\nspark.c.d = 2\n')
    settings = load_settings(
        overrides=["spark.conf.spark.e.f=3"],
        env={"CINELAKE_SPARK__CONF": '{"spark.a.b": "9", "spark.g": "4"}'},
        conf_dir=conf,
    )
    assert settings.spark.conf == {
        "spark.a.b": "9",
        "spark.c.d": "2",
        "spark.e.f": "3",
        "spark.g": "4",
    }
    assert (
        source_of(settings, "spark.conf.spark.a.b") == "environment variable CINELAKE_SPARK__CONF"
    )


def test_an_empty_text_unsets_what_may_be_unset(conf: Path) -> None:
    (conf / "base.toml").write_text(
        BASE + "[mlflow]\ntracking_uri = 'https://mlflow.example.org'\n"
    )
    settings = load_settings(overrides=["mlflow.tracking_uri="], env={}, conf_dir=conf)
    assert settings.tracking_uri == f"sqlite:///{conf.parent / 'lake' / 'mlflow' / 'mlflow.db'}"


def test_names_that_are_kafkas_to_give_keep_their_dots(conf: Path) -> None:
    (conf / "base.toml").write_text(
        BASE + '[ingest.kafka.options]\nsecurity.protocol = "SSL"\n"client.id" = "x"\n'
    )
    settings = load_settings(
        overrides=[
            "ingest.kafka.options.fetch.min.bytes=1",
            "ingest.kafka.topics.playback=events.playback",
        ],
        env={},
        conf_dir=conf,
    )
    assert settings.ingest.kafka.options == {
        "security.protocol": "SSL",
        "client.id": "x",
        "fetch.min.bytes": "1",
    }
    assert settings.ingest.kafka.topics == {"playback": "events.playback"}


def test_secrets_never_show(conf: Path) -> None:
    settings = load_settings(
        overrides=["spark.conf.spark.ssl.keyPassword=hunter2", "jobs.x.api_token=hunter2"],
        env={"CINELAKE_SECRETS__MLFLOW_TOKEN": "hunter2"},
        conf_dir=conf,
    )
    assert settings.secrets.mlflow_token == SecretStr("hunter2")
    shown = {origin.key: origin.value for origin in settings.origins()}
    assert shown["secrets.mlflow_token"] == "********"
    assert shown["spark.conf.spark.ssl.keyPassword"] == "********"
    assert "hunter2" not in repr(shown) + repr(settings.secrets)


def test_parameters_of_jobs_are_settings_too(conf: Path) -> None:
    class Taste(BaseModel):
        weights: dict[str, float] = Field({"genre": 1.0}, description="what a block counts")
        prior: float = 2.0

    class Params(BaseModel):
        taste: Taste = Field(Taste(), description="what a profile is made of")

    settings = load_settings(overrides=["jobs.group.taste.prior=3"], env={}, conf_dir=conf)
    params = Params.model_validate(settings.jobs["group"])
    shown = [o for o in settings.origins({"group": params}) if o.key.startswith("jobs.")]
    assert shown == [
        Origin("jobs.group.taste.weights.genre", "1.0", "default", "what a block counts"),
        Origin(
            "jobs.group.taste.prior",
            "3.0",
            "--set jobs.group.taste.prior",
            "what a profile is made of",
        ),
    ]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://user:hunter2@host/db", "postgresql://user:********@host/db"),
        ("mysql+pymysql://user:hun/ter@2@host:3306/db", "mysql+pymysql://user:********@host:3306/db"),
        ("postgresql://h/db?user=u&password=hunter2&x=1", "postgresql://h/db?user=u&password=********&x=1"),
        ("postgresql://user@host:5432/db", "postgresql://user@host:5432/db"),
    ],
)  # fmt: skip
def test_the_password_of_a_database_is_masked_and_nothing_else_of_its_address(
    conf: Path, address: str, shown: str
) -> None:
    named = [f"mlflow.tracking_uri={address}"]
    settings = load_settings(overrides=named, env={}, conf_dir=conf)
    assert settings.tracking_uri == address
    assert {o.key: o.value for o in settings.origins()}["mlflow.tracking_uri"] == shown
    assert check_mlflow(settings).found == shown
    assert Tracking(address).place == f"MLflow at {shown}"


def test_a_refused_secret_does_not_show_in_the_error(conf: Path) -> None:
    (conf / "base.toml").write_text(BASE + "[secrets]\nmlflow_token = ['hunter2']\n")
    with pytest.raises(ConfigError) as refused:
        load_settings(env={}, conf_dir=conf)
    assert "hunter2" not in str(refused.value)
    assert "secrets.mlflow_token" in str(refused.value)


@pytest.mark.parametrize(
    "named",
    [
        "spark.conf.spark.hadoop.fs.s3a.secret.key=hunter2",
        "spark.conf.spark.hadoop.fs.s3a.bucket.films.access.key=hunter2",
        "spark.conf.spark.hadoop.fs.azure.account.key.films.dfs.core.windows.net=hunter2",
        "spark.conf.spark.hadoop.fs.gs.auth.service.account.private.key=hunter2",
        "lake.root=s3a://user:hunter2@bucket/lake",
        "lake.landing=s3a://user:hunter2@bucket",
        "mlflow.tracking_uri=http://user:hunter2@mlflow.example.org",
        "mlflow.tracking_uri=HTTPS://hunter2@mlflow.example.org:5000/path",
    ],
)
def test_credentials_of_a_store_are_refused_with_the_place_where_they_belong(
    conf: Path, named: str
) -> None:
    with pytest.raises(ConfigError, match="plain sight; give them by the environment") as refused:
        load_settings(env={}, overrides=[named], conf_dir=conf)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "named",
    [
        "spark.conf.spark.hadoop.fs.s3a.aws.credentials.provider=org.x.Provider",
        "spark.conf.spark.hadoop.fs.s3a.endpoint=http://127.0.0.1:9000",
        "spark.conf.spark.hadoop.fs.s3a.path.style.access=true",
        "lake.root=abfss://container@account.dfs.core.windows.net/lake",
    ],
)
def test_what_only_says_where_credentials_are_is_no_secret(conf: Path, named: str) -> None:
    shown = {o.value for o in load_settings(env={}, overrides=[named], conf_dir=conf).origins()}
    assert named.partition("=")[2] in shown


def test_the_conf_directory_is_found_from_below_the_project(
    conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = conf.parent / "notebooks" / "deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert find_conf_dir({}) == conf


def test_a_job_file_finds_the_conf_of_its_own_bundle(
    conf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = conf.parent / "jobs" / "area" / "do_it.py"
    monkeypatch.setattr("sys.modules", {"__main__": type("Main", (), {"__file__": str(job)})})
    monkeypatch.chdir(tmp_path)
    assert find_conf_dir({}) == conf


def test_a_wrong_cinelake_conf_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"CINELAKE_CONF=.*: there is no base\.toml"):
        find_conf_dir({"CINELAKE_CONF": str(tmp_path)})


@pytest.mark.parametrize("environment", ["local", "trial", "cluster"])
def test_the_environments_that_we_ship_load(environment: str) -> None:
    assert load_settings(environment, env={}, conf_dir=ROOT / "conf").lake.root
