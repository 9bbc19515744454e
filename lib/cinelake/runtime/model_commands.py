"""`cinelake model list|compare|promote|rollback`, for the models of all areas."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console

from cinelake.runtime.workspace import Workspace
from cinelake.spelling import hint
from cinelake.tables.contract import Model

MODEL = typer.Argument(help="The model, such as recommender.")
WHY = typer.Option("--why", help="Written on the version, for those who ask later.")


def model_app(workspace: Callable[[], Workspace]) -> typer.Typer:
    """The commands, to be added to `cinelake`."""
    app = typer.Typer(
        no_args_is_help=True, help="Registered models: list, compare, promote, roll back."
    )

    def known() -> dict[str, Model]:
        written = (each for job in workspace().graph.jobs for each in job.writes)
        return {each.name: each for each in written if isinstance(each, Model)}

    def named(name: str) -> Model:
        models = known()
        if name not in models:
            raise typer.BadParameter(
                f"no job trains a model {name!r}; {hint(name, sorted(models))}"
            )
        return models[name]

    @app.command("list")
    def list_(model: Annotated[str | None, MODEL] = None) -> None:
        """Every version, what its gate said, and which is the champion."""
        from cinelake.runtime.models import version_list

        asked = [named(model)] if model else list(known().values())
        Console().print(version_list(workspace().tracking, asked))

    @app.command()
    def compare(
        model: Annotated[str, MODEL],
        one: Annotated[int, typer.Argument(help="A version.")],
        other: Annotated[int, typer.Argument(help="Another.")],
    ) -> None:
        """The metrics of two versions side by side."""
        from cinelake.runtime.models import comparison, version_of

        tracking, which = workspace().tracking, named(model)
        runs = [tracking.report(version_of(tracking, which, number)) for number in (one, other)]
        Console().print(comparison(*runs))

    @app.command()
    def promote(
        model: Annotated[str, MODEL],
        version: Annotated[int, typer.Argument(help="The version.")],
        why: Annotated[str, WHY],
    ) -> None:
        """Approve a version by hand and make it champion; one that is older than another approved one is refused."""
        from cinelake.runtime.models import promoted

        done = promoted(workspace().tracking, named(model), version, getpass.getuser(), why)
        typer.echo(
            f"{model} version {done.version} is champion. Jobs use the newest approved version that has not seen their "
            f"days: this one from {done.trained_through} on"
        )

    @app.command()
    def rollback(model: Annotated[str, MODEL], why: Annotated[str, WHY]) -> None:
        """Take the champion back; jobs use the newest of the other approved versions."""
        from cinelake.runtime.models import rolled_back

        withdrawn, instead = rolled_back(workspace().tracking, named(model), getpass.getuser(), why)
        now = f"version {instead.version} is champion" if instead else "no version is approved"
        typer.echo(
            f"{model} version {withdrawn.version} is taken back; {now}. `cinelake run` computes again what had used it"
        )

    return app
