"""`cinelake simulate OUT`: a service that does not exist delivers what a real one would, and tells the truth apart."""

from __future__ import annotations

import datetime as dt
import json
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console

from cinelake.runtime.intake.deliveries import Delivery
from cinelake.runtime.workspace import Workspace
from cinelake.simulate.calendar import midnight
from cinelake.simulate.profile import ProfileError, differences, settings_of
from cinelake.simulate.settings import Settings

# Raised when the same seed and settings give other records, for such deliveries cannot be continued.
VERSION = 2
DEFAULT_ACCOUNTS = 1000
DEFAULT_START = "2026-01-01"
notices = Console(stderr=True)


def register(app: typer.Typer, context: Callable[[], Workspace]) -> None:
    """Add the command to `cinelake`."""

    @app.command()
    def simulate(
        out: Annotated[
            Path | None, typer.Argument(help="Folder for landing files and truth; new or empty.")
        ] = None,
        accounts: Annotated[
            int | None, typer.Option(min=1, max=2**31, help="Accounts of the service. [1000]")
        ] = None,
        start: Annotated[str | None, typer.Option(help="First day, UTC. [2026-01-01]")] = None,
        days: Annotated[int, typer.Option(min=1, max=3650, help="Days of receipt.")] = 28,
        seed: Annotated[
            int | None, typer.Option(min=0, help="Seed of all that is random. [7]")
        ] = None,
        profile: Annotated[
            str | None,
            typer.Option(help="A TOML file of settings, or the name of one in conf/simulate/."),
        ] = None,
        append: Annotated[
            bool, typer.Option("--append", help="Continue the service that OUT holds.")
        ] = False,
        explain: Annotated[
            bool, typer.Option("--explain", help="Print the sources, each with a record.")
        ] = False,
    ) -> None:
        """Simulate a streaming service: landing files in OUT/landing, the hidden truth in OUT/truth.

        The same seed and settings give the same records; windows that follow each other (--append) give what one
        long window gives. The last line is a JSON summary.
        """
        content = _profile(profile, context)
        if seed is not None:
            content = {**content, "seed": seed}
        first = day(start or DEFAULT_START)
        with _wrong_profile():
            settings = _settings(content, first, profile)
        if explain:
            from cinelake.simulate.explanation import explanation

            typer.echo(explanation(settings, midnight(first)))
            return
        if out is None:
            raise typer.BadParameter("say where to: cinelake simulate OUT")
        with _wrong_profile():
            _check_window(settings, first, days)
        delivery = Delivery(context().spark, str(out.resolve()))
        before = delivery.manifest()
        if before is None:
            if append:
                raise typer.BadParameter(
                    f"{out} holds no simulated service to continue; leave --append out"
                )
            plan = new_service(settings, accounts or DEFAULT_ACCOUNTS, first, days)
        else:
            if not append:
                raise typer.BadParameter(
                    f"{out} holds a simulated service until {before['end']}; continue it with --append, "
                    "or name an empty or a new folder"
                )
            wanted = settings if profile or seed is not None else None
            plan = _continued(before, wanted, accounts, start, days)
        typer.echo(json.dumps(deliver(delivery, plan, days)))


def deliver(
    delivery: Delivery, plan: dict[str, Any], days: int, tasks: int | None = None
) -> dict[str, Any]:
    """Add the last `days` days of `plan` to the delivery, in so many `tasks`; returns a summary."""
    from cinelake.simulate.delivery.shipment import Window
    from cinelake.simulate.service import Order, blocks

    end = day(plan["end"])
    since = end - dt.timedelta(days=days)
    order = Order(
        Settings.model_validate(plan["settings"]),
        plan["accounts"],
        midnight(day(plan["start"])),
        Window(midnight(since), midnight(end)),
    )
    notices.print(
        f"simulating {order.accounts:,} accounts from {since} to {end} into {delivery.folder}",
        highlight=False,
    )
    batches = int(np.ceil((order.accounts + 1) / order.batch))
    numbers = delivery.spark.range(-1, order.accounts, numPartitions=tasks or batches)
    totals = {"fault_counts": _summed}
    delivery.write(blocks(numbers, order), totals, plan, order.bytes)
    counts = delivery.table("fault_counts").where(F.col("date") >= F.lit(since))
    landed = counts.where("kind = 'landed'").groupBy("source").agg(F.sum("records").alias("lines"))
    by_source = {
        row["source"]: row["lines"] for row in landed.orderBy("source").toArrow().to_pylist()
    }
    for source, lines in by_source.items():
        notices.print(f"  {source}: {lines:,} lines", highlight=False)
    return {
        "landing": delivery.landing,
        "accounts": order.accounts,
        "seed": order.settings.seed,
        "start": since.isoformat(),
        "end": end.isoformat(),
        "landed": sum(by_source.values()),
        "sources": by_source,
    }


def _summed(counts: DataFrame) -> DataFrame:
    return counts.groupBy("source", "date", "kind").agg(F.sum("records").alias("records"))


def new_service(settings: Settings, accounts: int, first: dt.date, days: int) -> dict[str, Any]:
    """What a new service is: the manifest of its delivery."""
    return {
        "what": "a simulated streaming service",
        "version": VERSION,
        "accounts": accounts,
        "start": first.isoformat(),
        "end": (first + dt.timedelta(days=days)).isoformat(),
        "settings": settings.model_dump(mode="json"),
    }


def _continued(
    before: dict[str, Any],
    settings: Settings | None,
    accounts: int | None,
    start: str | None,
    days: int,
) -> dict[str, Any]:
    """What `before` becomes with some days more; raises BadParameter when another service is wanted."""
    problems = []
    if before.get("version") != VERSION:
        raise typer.BadParameter(
            f"that service was simulated by version {before.get('version')} of the simulator, this is {VERSION}; "
            "start anew in an empty folder"
        )
    known = Settings.model_validate(before["settings"])
    if accounts is not None and accounts != before["accounts"]:
        problems.append(f"it has {before['accounts']} accounts, not {accounts}")
    if start is not None and day(start).isoformat() not in (before["end"], before["start"]):
        problems.append(f"its next day is {before['end']}, not {start}")
    if settings is not None:
        reference = known.world.reference
        same = settings.model_copy(
            update={"world": settings.world.model_copy(update={"reference": reference})}
        )
        problems += [f"other settings: {found}" for found in differences(known, same)]
    if problems:
        raise typer.BadParameter(f"--append continues the same service; {'; '.join(problems)}")
    end = day(before["end"]) + dt.timedelta(days=days)
    if end > known.world.ends:
        raise typer.BadParameter(f"the world ends on {known.world.ends}; simulate fewer days")
    return {**before, "end": end.isoformat()}


def _settings(content: dict[str, Any], first: dt.date, profile: str | None) -> Settings:
    world = content.get("world", {})
    if isinstance(world, dict) and "reference" not in world:
        # Nobody can have left before there is anybody to see it.
        content = {**content, "world": {**world, "reference": first.isoformat()}}
    return settings_of(content, f"profile {profile}" if profile else "settings")


def _check_window(settings: Settings, first: dt.date, days: int) -> None:
    founded, ends = settings.world.founded, settings.world.ends
    if first < founded or first + dt.timedelta(days=days) > ends:
        raise ProfileError(
            f"{days} days from {first} leave the simulated world, which lasts from {founded} to {ends}; "
            "choose other days, or set world.founded and world.ends"
        )


def _profile(profile: str | None, context: Callable[[], Workspace]) -> dict[str, Any]:
    if profile is None:
        return {}
    path = Path(profile)
    if not path.is_file():
        conf = context().settings.conf_dir
        folder = (conf or Path("conf")) / "simulate"
        path = folder / f"{profile.removesuffix('.toml')}.toml"
        if not path.is_file():
            known = ", ".join(sorted(p.stem for p in folder.glob("*.toml"))) or "none"
            raise typer.BadParameter(f"there is no profile {profile}; {folder} has {known}")
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} is not valid TOML: {error}") from None


def day(text: str) -> dt.date:
    """A day as people write it; raises BadParameter."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text} is not a day; write it as 2026-01-01") from None


@contextmanager
def _wrong_profile() -> Iterator[None]:
    """Tells the person at the prompt what is wrong with the settings."""
    try:
        yield
    except ProfileError as error:
        raise typer.BadParameter(str(error)) from None
