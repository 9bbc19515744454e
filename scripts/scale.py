"""Measure the pipeline on services of several sizes, and write what larger ones would cost: what `make scale` does.

Each size is a simulated service and a lake of its own, computed from scratch one job at a time. Costs are core-seconds:
the time of all Spark tasks, with what Python did in them, and the time in which the driver was alone. The page tells
how each job's cost grows (`growth.py`), what 1, 10 and 250 million profiles would take by that, and what breaks first.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cinelake.runtime.config import load_settings
from cinelake.runtime.runs.run_history import KINDS, size
from cinelake.runtime.workspace import Workspace
from cinelake.tables.behaviour import PROFILES
from growth import Growth, fitted

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "scale.md"
MILLIONS = (1, 10, 250)
# A job that grows faster is to be mended.
STEEP = 1.15
SHOWN = 15


@dataclass(frozen=True)
class JobCost:
    """All runs of a job in one lake: core-seconds, of them the driver's alone, the longest task, the most memory that
    a task held, and what was spilled.
    """

    cores: float
    driver: float
    longest_task: float
    task_bytes: int
    spilled_bytes: int = 0

    @property
    def told(self) -> str:
        """Where it went."""
        return (
            f"{self.cores - self.driver:,.1f} s of tasks, the longest {self.longest_task:,.1f} s, "
            f"{size(self.spilled_bytes) or 'nothing'} spilled, {self.driver:,.1f} s of the driver alone"
        )


@dataclass(frozen=True)
class Measured:
    """A lake of one size; bytes are of the tables' newest versions and of what landed."""

    profiles: int
    jobs: Mapping[str, JobCost]
    table_bytes: Mapping[str, int]
    landed_bytes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--accounts", type=int, default=100, help="accounts of the smallest")
    parser.add_argument("--times", type=int, nargs="+", default=[1, 3, 10], help="sizes, in times")
    parser.add_argument("--days", type=int, default=14, help="days of each service")
    parser.add_argument("--work", type=Path, default=ROOT / ".cinelake" / "scale", help="for lakes")
    parser.add_argument("--page", type=Path, default=PAGE, help="where to write what was found")
    options = parser.parse_args()
    if len(set(options.times)) < 3:
        parser.error("--times: three sizes or more; two tell no power")
    lakes = [
        computed(options.work / f"{options.accounts * times}x{options.days}",
                 options.accounts * times, options.days)
        for times in sorted(set(options.times))
    ]  # fmt: skip
    found = [measured(lake) for lake in lakes]
    times = " ".join(map(str, sorted(set(options.times))))
    how = f"--accounts {options.accounts} --times {times} --days {options.days}"
    text = page(found, options.days, date.today(), how)  # noqa: DTZ011 - the day on which people read it
    options.page.parent.mkdir(parents=True, exist_ok=True)
    options.page.write_text(text, encoding="utf-8")
    print(text)
    if too_steep := steep(growths(found)):
        raise SystemExit(f"to be mended, for they grow faster than n^{STEEP}: {_listed(too_steep)}")


def computed(home: Path, accounts: int, days: int) -> Path:
    """The folder with a lake of all jobs over a simulated service; what is there already is gone on with."""
    home.mkdir(parents=True, exist_ok=True)
    service = home / "service"
    bring = ["simulate", str(service), "--accounts", str(accounts), "--days", str(days), "then"]
    command = [
        str(Path(sys.prefix) / "bin" / "cinelake"),
        *("--set", f"lake.root={home / 'lake'}"),
        *("--set", f"lake.landing={service / 'landing'}"),
        # Side by side, jobs would wait for each other's tasks.
        *("--set", "pipeline.concurrent_jobs=1"),
        *([] if (service / "delivery.json").exists() else bring),
        "run",
    ]
    print(f"{accounts} accounts, {days} days", file=sys.stderr, flush=True)
    ended = subprocess.run(command, cwd=ROOT, check=False)
    # 3: a job warns of something, which is not about costs.
    if ended.returncode not in (0, 3):
        raise SystemExit(f"the run in {home} ended with {ended.returncode}; nothing is written")
    return home


def measured(home: Path) -> Measured:
    where = [f"lake.root={home / 'lake'}", f"lake.landing={home / 'service' / 'landing'}"]
    workspace = Workspace(load_settings(overrides=where))
    lake, costs = workspace.lake, dict[str, JobCost]()
    for entry in workspace.ledger.entries():
        used = entry.usage
        # What a run that failed did is done again.
        if entry.kind not in KINDS or entry.status != "succeeded" or used is None:
            continue
        alone = max(0.0, entry.seconds - used.busy_seconds)
        before = costs.get(entry.job, JobCost(0, 0, 0, 0, 0))
        costs[entry.job] = JobCost(
            before.cores + used.task_seconds + alone,
            before.driver + alone,
            max(before.longest_task, used.longest_task_seconds or 0.0),
            max(before.task_bytes, used.peak_task_bytes),
            before.spilled_bytes + used.bytes_spilled,
        )
    return Measured(
        lake.read(PROFILES).select("profile_id").distinct().count(),
        costs,
        {t.name: lake.size(t)[1] for t in workspace.graph.tables if lake.exists(t)},
        sum(lake.storage.sizes(lake.landing).values()),
    )


# ---- the page


def growths(found: Sequence[Measured]) -> dict[str, Growth]:
    """How the core-seconds of each job grow that ran at every size."""
    sizes = [lake.profiles for lake in found]
    names = sorted(set.intersection(*(set(lake.jobs) for lake in found)))
    return {name: fitted(sizes, [lake.jobs[name].cores for lake in found]) for name in names}


def steep(growths: Mapping[str, Growth]) -> list[str]:
    """The jobs that are to be mended, each with its power."""
    return [f"`{n}` ({_power(g)})" for n, g in growths.items() if (g.power or 0) > STEEP]


def page(found: Sequence[Measured], days: int, on: date, how: str) -> str:
    """What was measured, by which arguments, and what follows, in Markdown."""
    sizes = [lake.profiles for lake in found]
    cores = growths(found)
    drivers = {n: fitted(sizes, [lake.jobs[n].driver for lake in found]) for n in cores}
    return "\n\n".join(
        [
            "# What Cinelake costs, and how it grows",
            f"Measured on {on} by `make scale ARGS=\"{how}\"`: all jobs, from scratch, over {days} days of simulated "
            f"services of {_listed([f'{n:,}' for n in sizes])} profiles, one job at a time on two cores. A cost is "
            "`fixed + slope · n^power` core-seconds, fitted to these sizes; larger services are extrapolated by it, "
            "with a power of 1 at least; one in brackets is assumed, where most of the cost is still fixed at these "
            "sizes and no power can be told. That is orders of magnitude beyond what was measured: read it for the "
            "order of costs among jobs, not for a budget.",
            f"## {days} days of service",
            _totals(found, sizes, cores, days),
            "## By job",
            f"Core-seconds, the {SHOWN} jobs that would cost most of {MILLIONS[-1]} million profiles.",
            _by_job(found, sizes, cores),
            "## What breaks first",
            _breaks(found, cores, drivers),
        ]
    ) + "\n"  # fmt: skip


def _totals(
    found: Sequence[Measured], sizes: Sequence[int], cores: Mapping[str, Growth], days: int
) -> str:
    tables = sorted(set.intersection(*(set(lake.table_bytes) for lake in found)))
    # Bytes that do not matter are told by their mean.
    stored = [fitted(sizes, [lake.table_bytes[t] for lake in found], least=1e6) for t in tables]
    landed = fitted(sizes, [lake.landed_bytes for lake in found], least=1e6)
    rows = [
        (
            f"{million} million",
            f"{sum(growth.at(million * 1e6) for growth in cores.values()) / 3600:,.0f}",
            f"{sum(growth.at(million * 1e6) for growth in cores.values()) / 3600 / days:,.0f}",
            size(int(sum(growth.at(million * 1e6) for growth in stored))),
            size(int(landed.at(million * 1e6))),
        )
        for million in MILLIONS
    ]
    return _table(("profiles", "core-hours", "core-hours a day", "tables", "landed"), rows)


def _by_job(found: Sequence[Measured], sizes: Sequence[int], cores: Mapping[str, Growth]) -> str:
    heading = ("job", *(f"{n:,}" for n in sizes), "power", f"{MILLIONS[-1]} million, core-hours")
    most = sorted(cores, key=lambda name: (-cores[name].at(MILLIONS[-1] * 1e6), name))[:SHOWN]
    rows = [
        (
            f"`{name}`",
            *(f"{lake.jobs[name].cores:,.1f}" for lake in found),
            _power(cores[name]),
            f"{cores[name].at(MILLIONS[-1] * 1e6) / 3600:,.0f}",
        )
        for name in most
    ]
    return _table(heading, rows)


def _breaks(
    found: Sequence[Measured], cores: Mapping[str, Growth], drivers: Mapping[str, Growth]
) -> str:
    growing = {
        n: f"`{n}`" + (f" ({_power(g)})" if g.is_told else "")
        for n, g in drivers.items()
        if g.power is not None
    }
    largest = found[-1].jobs
    held = sorted(largest, key=lambda name: (-largest[name].task_bytes, name))[:3]
    named = {n for n, g in cores.items() if (g.power or 0) > STEEP} | set(growing)
    why = [f"  - `{name}`: {largest[name].told}." for name in sorted(named)]
    return "\n".join(
        [
            f"- Jobs that grow faster than n^{STEEP}: {_listed(steep(cores)) or 'none'}.",
            "- Jobs in which the driver alone takes longer the more profiles there are: "
            f"{_listed(list(growing.values())) or 'none'}. "
            "A cluster of any size waits for them.",
            "- Most memory held by one task, at the largest size: "
            + _listed([f"`{name}` {size(largest[name].task_bytes)}" for name in held])
            + ".",
            *(["- Where it goes, at the largest size:", *why] if why else []),
        ]
    )


def _power(growth: Growth) -> str:
    if growth.power is None:
        return "flat"
    return f"{growth.power:.2f}" if growth.is_told else "(1)"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
