"""The rules of the house that a program can check, over the syntax trees of `lib/` and `jobs/`.

Each rule is a function from one parsed file to its offences. Below them every rule is shown a planted
offence and a look-alike that is allowed, so that none of them can pass by being blind.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Places outside runtime/ that bring rows to the driver, each with the reason why that is small.
MAY_COLLECT = {
    "lib/cinelake/checks/gate.py": "five sample keys of a failed expectation, for its message",
}
# The modules of runtime/ that touch tables. Everything else goes through lake.py.
MAY_TOUCH_TABLES = {
    "lib/cinelake/runtime/delta/lake.py": "it is the one that reads and writes tables",
    "lib/cinelake/runtime/delta/commits.py": "it reads the Delta log for lake.py",
    "lib/cinelake/runtime/runs/publish.py": "it stages and publishes rows for lake.py",
    "lib/cinelake/runtime/tracking/frames.py": "it keeps frames as artifacts of MLflow, which are no tables",
    "lib/cinelake/runtime/spark/class_rehearsal.py": "it writes a throw-away table, for the classes that this loads",
    "lib/cinelake/runtime/doctor/on_spark.py": "it proves that Delta works, on a throw-away table",
    "lib/cinelake/runtime/spark/preflight.py": "it looks whether executors find what was written, no table",
    "lib/cinelake/runtime/delta/staging.py": "it keeps rows on their way into tables, which are no tables",
    "lib/cinelake/runtime/delta/landed_files.py": "it reads what landed as lines of text, which are no tables",
    "lib/cinelake/runtime/footprints.py": "it reads Delta's log, artefacts and log files as lines of text",
    "lib/cinelake/runtime/intake/topics.py": "it reads topics of a broker, which are no tables",
    "lib/cinelake/runtime/intake/deliveries.py": "it writes landing files and what a simulation knows, no tables",
}
# The packages of runtime/, and which of the others each may know.
STOREYS = {
    "delta": set(),
    "intake": {"delta"},
    "spark": {"delta"},
    "tracking": {"spark"},
    "runs": {"delta", "intake", "spark", "tracking"},
    "doctor": {"delta", "intake", "spark"},
}
# What runtime/ may know of the rest: the machinery, and no area.
MACHINERY = {"runtime", "tables", "checks", "sources", "spelling"}
TABLE_MACHINERY = {"contract", "catalog", "system", "ddl", "ingest"}
# The look of pages, and not the report with its areas.
PAGES = "cinelake.report.page."

JOBS_MAY_IMPORT = ("cinelake.runtime.job.", "cinelake.runtime.tracking.versions.")

CLOCKS = {
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"),
    ("time", "time"), ("time", "time_ns"), ("time", "localtime"), ("time", "gmtime"),
    ("F", "current_timestamp"), ("F", "current_date"), ("F", "now"), ("F", "localtimestamp"),
    ("F", "curdate"), ("functions", "current_timestamp"), ("functions", "current_date"),
    ("functions", "now"), ("functions", "curdate"), ("functions", "localtimestamp"),
}  # fmt: skip
SPARK_CLOCKS = {name for module, name in CLOCKS if module == "F"}
SQL_CLOCK = re.compile(
    r"\b(?:current_timestamp|current_date|localtimestamp)\b|\b(?:now|curdate|unix_timestamp)\(\s*\)",
    re.I,
)
SESSIONS = {"spark", "session", "sparkSession", "_spark"}
# The methods of DataFrameReader and DataFrameWriter.
IO_METHODS = {
    "format", "load", "save", "mode", "option", "options", "schema", "partitionBy", "parquet", "json", "csv",
    "text", "orc", "jdbc", "table", "xml",
}  # fmt: skip
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "common", "misc"}


@dataclass(frozen=True)
class Source:
    """One parsed file; `path` is relative to the project."""

    path: str
    tree: ast.Module

    @classmethod
    def of(cls, path: str, code: str) -> Source:
        return cls(path, ast.parse(code))

    @property
    def in_runtime(self) -> bool:
        return self.path.startswith("lib/cinelake/runtime/")

    @property
    def is_job(self) -> bool:
        return self.path.startswith("jobs/")

    @property
    def stem(self) -> str:
        return Path(self.path).stem


@dataclass(frozen=True)
class Offence:
    """Where a rule is broken, and what to do instead."""

    line: int
    advice: str


Rule = Callable[[Source], Iterator[Offence]]


def name_of(node: ast.AST) -> str:
    """The last part of a dotted name: `udf` for both `udf` and `F.udf`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
            return name
        case ast.Call(func=func):
            return name_of(func)
    return ""


def owner_of(node: ast.AST) -> str:
    """The part before the last: `datetime` for `datetime.now` and `dt.datetime.now`."""
    return name_of(node.value) if isinstance(node, ast.Attribute) else ""


def calls(source: Source) -> Iterator[ast.Call]:
    return (node for node in ast.walk(source.tree) if isinstance(node, ast.Call))


def imports(source: Source) -> Iterator[tuple[int, str]]:
    """Every imported name in full (`cinelake.runtime.job.Run`), relative imports resolved."""
    package = source.path.removeprefix("lib/").removesuffix(".py").split("/")[:-1]
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def docstrings(tree: ast.Module) -> set[int]:
    """The ids of the constants that are docstrings."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str()) as text), *_]:
                    found.add(id(text))
    return found


def texts(source: Source) -> Iterator[ast.Constant]:
    """Every string that is not a docstring."""
    skipped = docstrings(source.tree)
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in skipped
        ):
            yield node


# --- the rules ----------------------------------------------------------------------------------


def no_udf(source: Source) -> Iterator[Offence]:
    for node in ast.walk(source.tree):
        # A name stands in calls, decorators and aliases alike; all of them lead to a UDF.
        if isinstance(node, ast.Name | ast.Attribute) and name_of(node) in {
            "udf",
            "pandas_udf",
            "udtf",
        }:
            yield Offence(
                node.lineno, f"{name_of(node)}: use built-in functions, or mapInArrow for matrices"
            )


def no_inferred_schema(source: Source) -> Iterator[Offence]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.keyword) and node.arg == "inferSchema":
            yield Offence(node.value.lineno, "inferSchema: schemas are code; pass one")
    for text in texts(source):
        if text.value == "inferSchema":
            yield Offence(text.lineno, "inferSchema: schemas are code; pass one")


def no_show(source: Source) -> Iterator[Offence]:
    for call in calls(source):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "show":
            yield Offence(
                call.lineno, ".show(): leftover of a notebook; return the frame or log a number"
            )


def no_stray_collect(source: Source) -> Iterator[Offence]:
    if source.in_runtime or source.path in MAY_COLLECT:
        return
    for call in calls(source):
        if isinstance(call.func, ast.Attribute) and call.func.attr in {
            "collect",
            "toPandas",
            "toLocalIterator",
        }:
            yield Offence(
                call.lineno,
                f".{call.func.attr}(): keep rows in Spark; if they are few by construction, add the file to "
                "MAY_COLLECT here with the reason",
            )


def no_clock(source: Source) -> Iterator[Offence]:
    if source.in_runtime:
        return
    advice = "time comes from the data and the window, never from a clock; take it as an argument"
    from_spark = {
        full.rpartition(".")[2]
        for _, full in imports(source)
        if full.startswith("pyspark.sql.functions.")
    }
    for call in calls(source):
        named = (owner_of(call.func), name_of(call.func))
        bare = isinstance(call.func, ast.Name) and call.func.id in SPARK_CLOCKS & from_spark
        # With an argument it converts; without one it is a clock.
        stamp = name_of(call.func) == "unix_timestamp" and not call.args and not call.keywords
        if named in CLOCKS or bare or stamp:
            yield Offence(call.lineno, f"{name_of(call.func)}(): {advice}")
    for text in texts(source):
        if SQL_CLOCK.search(str(text.value)):
            yield Offence(text.lineno, f"a clock in SQL: {advice}")


def tables_only_through_the_lake(source: Source) -> Iterator[Offence]:
    if source.path in MAY_TOUCH_TABLES:
        return
    advice = "only runtime/delta/lake.py touches tables; a job uses run.read and run.write"
    for node in ast.walk(source.tree):
        match node:
            case ast.Attribute(
                attr="readStream" | "writeStream" | "saveAsTable" | "insertInto" | "writeTo"
            ):
                yield Offence(node.lineno, f".{node.attr}: {advice}")
            # handle.read() and a property called `read` are innocent; what follows gives a reader away.
            case ast.Attribute(attr=method, value=ast.Attribute(attr="read" | "write") as door) if (
                method in IO_METHODS
            ):
                yield Offence(node.lineno, f".{door.attr}.{method}: {advice}")
            case ast.Attribute(attr="read", value=door) if name_of(door) in SESSIONS and isinstance(
                door, ast.Name
            ):
                yield Offence(node.lineno, f"{name_of(door)}.read: {advice}")
            case ast.Call(func=ast.Attribute(attr="sql" | "table" as method, value=door)) if (
                name_of(door) in SESSIONS
            ):
                yield Offence(node.lineno, f".{method}(): {advice}")
            case ast.Name(id="DeltaTable"):
                yield Offence(node.lineno, f"DeltaTable: {advice}")


def the_core_does_not_know_the_runtime(source: Source) -> Iterator[Offence]:
    parts = source.path.split("/")
    if source.path.startswith("lib/cinelake/") and len(parts) > 3 and not source.in_runtime:
        if parts[-1] in {"commands.py", "report.py"}:
            return
        for line, name in imports(source):
            if f"{name}.".startswith("cinelake.runtime."):
                yield Offence(
                    line, f"{name}: the core is pure; hand in what it needs as an argument"
                )
    if source.is_job:
        for line, name in imports(source):
            allowed = f"{name}.".startswith(JOBS_MAY_IMPORT)
            if f"{name}.".startswith("cinelake.runtime.") and not allowed:
                yield Offence(
                    line,
                    f"{name}: a job imports of the runtime only `job`, and `tracking.versions` for models",
                )


def the_runtime_knows_no_area(source: Source) -> Iterator[Offence]:
    if not source.in_runtime:
        return
    for line, name in imports(source):
        parts = name.split(".")
        if parts[0] != "cinelake" or len(parts) < 2 or parts[1].startswith("__"):
            continue
        area = parts[1] not in MACHINERY and not f"{name}.".startswith(PAGES)
        table = parts[1] == "tables" and len(parts) > 2 and parts[2] not in TABLE_MACHINERY
        if area or table:
            yield Offence(line, f"{name}: runtime/ knows no area by name; areas are discovered")


def a_storey_of_the_runtime_knows_those_below(source: Source) -> Iterator[Offence]:
    parts = source.path.removeprefix("lib/cinelake/runtime/").split("/")
    if not source.in_runtime or parts[0] not in STOREYS:
        return
    for line, name in imports(source):
        other = name.removeprefix("cinelake.runtime.").split(".")[0]
        above = STOREYS.keys() - STOREYS[parts[0]] - {parts[0]}
        if name.startswith("cinelake.runtime.") and other in above:
            yield Offence(line, f"{name}: runtime/{parts[0]}/ is below runtime/{other}/")


def a_model_says_what_it_is_not_for(source: Source) -> Iterator[Offence]:
    if not source.path.startswith("lib/cinelake/tables/"):
        return
    for call in calls(source):
        if name_of(call) == "Model":
            for missing in {"not_for", "weak"} - {keyword.arg for keyword in call.keywords}:
                yield Offence(call.lineno, f"{missing}: the cards of its versions have to say so")


def names_that_say_something(source: Source) -> Iterator[Offence]:
    for part in Path(source.path).with_suffix("").parts:
        if part in VAGUE_NAMES:
            yield Offence(1, f"{part}: name a module by its purpose")


def no_columns_added_in_a_loop(source: Source) -> Iterator[Offence]:
    loops = (
        ast.For,
        ast.While,
        ast.AsyncFor,
        ast.ListComp,
        ast.SetComp,
        ast.GeneratorExp,
        ast.DictComp,
    )
    seen = set()
    for loop in ast.walk(source.tree):
        if not isinstance(loop, loops) and not (
            isinstance(loop, ast.Call) and name_of(loop) == "reduce"
        ):
            continue
        for node in ast.walk(loop):
            adds = isinstance(node, ast.Attribute) and node.attr in {
                "withColumn",
                "withColumnRenamed",
            }
            if adds and id(node) not in seen:
                seen.add(id(node))
                yield Offence(
                    node.lineno, f"{node.attr} in a loop nests a plan per turn; use one select"
                )


def a_job_is_named_after_its_file(source: Source) -> Iterator[Offence]:
    if not source.is_job or source.stem == "__init__":
        return
    jobs = [
        node.name
        for node in source.tree.body
        if isinstance(node, ast.FunctionDef)
        and any(
            name_of(decorator) in {"job", "ingest", "maintenance"}
            for decorator in node.decorator_list
        )
    ]
    if jobs != [source.stem]:
        found = ", ".join(jobs) or "none"
        yield Offence(1, f"a job file holds one job, the function {source.stem}; found: {found}")
    last = ast.unparse(source.tree.body[-1]) if source.tree.body else ""
    if last != f"if __name__ == '__main__':\n    {source.stem}.main()":
        end = source.tree.body[-1].lineno if source.tree.body else 1
        yield Offence(end, f'a job file ends with: if __name__ == "__main__": {source.stem}.main()')


def every_module_says_what_it_is(source: Source) -> Iterator[Offence]:
    if ast.get_docstring(source.tree) is None:
        yield Offence(1, "no module docstring: state grain, method, source and caveats")


RULES: tuple[Rule, ...] = (
    no_udf,
    no_inferred_schema,
    no_show,
    no_stray_collect,
    no_clock,
    tables_only_through_the_lake,
    the_core_does_not_know_the_runtime,
    the_runtime_knows_no_area,
    a_storey_of_the_runtime_knows_those_below,
    a_model_says_what_it_is_not_for,
    names_that_say_something,
    no_columns_added_in_a_loop,
    a_job_is_named_after_its_file,
    every_module_says_what_it_is,
)


@cache
def project() -> list[Source]:
    paths = sorted(path for top in ("lib", "jobs") for path in (ROOT / top).rglob("*.py"))
    return [
        Source.of(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in paths
    ]


# --- the project keeps them ---------------------------------------------------------------------


def test_the_project_is_found() -> None:
    paths = {source.path for source in project()}
    assert "lib/cinelake/runtime/spark/session.py" in paths
    assert any(path.startswith("jobs/") for path in paths)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_project_keeps_the_rule(rule: Rule) -> None:
    offences = [
        f"{source.path}:{offence.line}: {offence.advice}"
        for source in project()
        for offence in rule(source)
    ]
    assert not offences, "\n" + "\n".join(offences)


def test_the_lists_of_exceptions_name_files_that_exist() -> None:
    assert [path for path in (*MAY_COLLECT, *MAY_TOUCH_TABLES) if not (ROOT / path).is_file()] == []


# --- and the rules can see ----------------------------------------------------------------------

CORE = "lib/cinelake/recommend/ranking.py"
JOB = "jobs/recommend/rank_titles.py"
RUNTIME = "lib/cinelake/runtime/runs/pipeline.py"
TABLES = "lib/cinelake/tables/ranking.py"
END = "if __name__ == '__main__':\n    rank_titles.main()"

OFFENCES: list[tuple[Rule, str, str]] = [
    (no_udf, CORE, "f = F.udf(lambda x: x)"),
    (no_udf, RUNTIME, "@pandas_udf('double')\ndef f(x): ..."),
    (no_udf, JOB, "g = functions.udf"),
    (no_inferred_schema, CORE, "spark.read.csv(p, inferSchema=True)"),
    (no_inferred_schema, RUNTIME, "reader.option('inferSchema', 'true')"),
    (no_show, CORE, "df.limit(3).show()"),
    (no_stray_collect, CORE, "df.collect()"),
    (no_stray_collect, JOB, "df.select('a').toPandas()"),
    (no_stray_collect, JOB, "for row in df.toLocalIterator(): ..."),
    (no_clock, CORE, "datetime.now(UTC)"),
    (no_clock, CORE, "dt.datetime.utcnow()"),
    (no_clock, JOB, "date.today()"),
    (no_clock, CORE, "time.time()"),
    (no_clock, CORE, "F.current_timestamp()"),
    (no_clock, CORE, "F.unix_timestamp()"),
    (no_clock, CORE, "from pyspark.sql.functions import now\nnow()"),
    (no_clock, CORE, "F.expr('day < current_date()')"),
    (no_clock, JOB, "F.expr('unix_timestamp( ) - t')"),
    (tables_only_through_the_lake, CORE, "spark.read.format('delta')"),
    (tables_only_through_the_lake, RUNTIME, "reader = spark.read"),
    (tables_only_through_the_lake, RUNTIME, "df.write.mode('append').save(p)"),
    (tables_only_through_the_lake, JOB, "df.writeStream.start()"),
    (tables_only_through_the_lake, JOB, "spark.readStream.load(p)"),
    (tables_only_through_the_lake, JOB, "DeltaTable.forPath(spark, p)"),
    (tables_only_through_the_lake, JOB, "spark.table('ratings')"),
    (tables_only_through_the_lake, RUNTIME, "self.spark.sql('SELECT 1')"),
    (tables_only_through_the_lake, JOB, "w.saveAsTable('x')"),
    (the_core_does_not_know_the_runtime, CORE, "from cinelake.runtime.delta.lake import Lake"),
    (the_core_does_not_know_the_runtime, CORE, "from cinelake import runtime"),
    (the_core_does_not_know_the_runtime, CORE, "from ..runtime import lake"),
    (the_core_does_not_know_the_runtime, CORE, "def f():\n    import cinelake.runtime.config"),
    (the_core_does_not_know_the_runtime, JOB, "from cinelake.runtime.delta.lake import Lake"),
    (the_runtime_knows_no_area, RUNTIME, "from cinelake.recommend.ranking import top"),
    (the_runtime_knows_no_area, RUNTIME, "from cinelake.tables.recommend import X"),
    (the_runtime_knows_no_area, RUNTIME, "from cinelake import recommend"),
    (the_runtime_knows_no_area, RUNTIME, "from cinelake.report.report import sections"),
    (
        a_storey_of_the_runtime_knows_those_below,
        "lib/cinelake/runtime/delta/lake.py",
        "from cinelake.runtime.runs.books import Books",
    ),
    (a_model_says_what_it_is_not_for, TABLES, "M = Model('m', 'area', 'Doubles.', weak=('Often.',))"),
    (names_that_say_something, "lib/cinelake/recommend/utils.py", "x = 1"),
    (names_that_say_something, "jobs/common/do_it.py", "x = 1"),
    (no_columns_added_in_a_loop, CORE, "for c in cs:\n    df = df.withColumn(c, F.lit(1))"),
    (no_columns_added_in_a_loop, CORE, "reduce(lambda d, c: d.withColumnRenamed(c, 'x'), cs, df)"),
    (a_job_is_named_after_its_file, JOB, "@job()\ndef rank(run): ...\n" + END),
    (a_job_is_named_after_its_file, JOB, "@job()\ndef rank_titles(run): ..."),
    (a_job_is_named_after_its_file, JOB, "def rank_titles(run): ...\n" + END),
    (every_module_says_what_it_is, CORE, "x = 1"),
]  # fmt: skip

INNOCENT: list[tuple[Rule, str, str]] = [
    (no_udf, CORE, "udfs = 1\nx = 'no udf here'"),
    (no_inferred_schema, CORE, '"""Never inferSchema."""'),
    (no_show, CORE, "show(df)"),
    (no_stray_collect, RUNTIME, "df.collect()"),
    (no_stray_collect, CORE, "F.collect_list('x')"),
    (no_clock, RUNTIME, "datetime.now(UTC)"),
    (no_clock, CORE, '"""Not current_date() but the window."""\nF.unix_timestamp("t")\nnow = run.now'),
    (tables_only_through_the_lake, JOB, "rows = run.read(RATINGS)\nrun.write(TITLES, rows)"),
    (tables_only_through_the_lake, RUNTIME, "ranges = reach.read\nself.read.start"),
    (tables_only_through_the_lake, RUNTIME, "with p.open() as f:\n    f.write(g.read())\ncheck.sql"),
    (tables_only_through_the_lake, "lib/cinelake/runtime/delta/lake.py", "spark.read.load(p)"),
    (the_core_does_not_know_the_runtime, CORE, "from cinelake.tables.recommend import X"),
    (the_core_does_not_know_the_runtime, "lib/cinelake/recommend/commands.py", "import cinelake.runtime.cli"),
    (the_core_does_not_know_the_runtime, JOB, "from cinelake.runtime.job import Run, job"),
    (the_runtime_knows_no_area, RUNTIME, "import cinelake\nfrom cinelake.tables.contract import T"),
    (the_runtime_knows_no_area, RUNTIME, "from cinelake.report.page import Cards"),
    (a_storey_of_the_runtime_knows_those_below, RUNTIME, "from cinelake.runtime.delta.lake import Lake"),
    (a_model_says_what_it_is_not_for, TABLES, "M = Model('m', 'area', 'D.', not_for=('a',), weak=('b',))"),
    (names_that_say_something, "lib/cinelake/recommend/common_titles.py", "x = 1"),
    (no_columns_added_in_a_loop, CORE, "df = df.withColumn('a', F.lit(1))\nfor c in cs:\n    print(c)"),
    (a_job_is_named_after_its_file, JOB, "@job()\ndef rank_titles(run): ...\n" + END),
    (every_module_says_what_it_is, CORE, '"""Ranks."""'),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "path", "code"), OFFENCES)
def test_an_offence_is_seen(rule: Rule, path: str, code: str) -> None:
    offences = list(rule(Source.of(path, code)))
    assert offences, f"{rule.__name__} does not see it"
    assert all(offence.advice and offence.line >= 1 for offence in offences)


@pytest.mark.parametrize(("rule", "path", "code"), INNOCENT)
def test_a_look_alike_is_not_an_offence(rule: Rule, path: str, code: str) -> None:
    assert list(rule(Source.of(path, code))) == []


def test_every_rule_is_shown_an_offence_and_a_look_alike() -> None:
    assert {rule for rule, _, _ in OFFENCES} == set(RULES)
    assert {rule for rule, _, _ in INNOCENT} == set(RULES)
