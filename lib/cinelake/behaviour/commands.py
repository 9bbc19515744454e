"""`cinelake pseudonym KIND ID …`: what an id is called from silver on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from cinelake.behaviour.identity import LENGTH, IdKind
from cinelake.runtime.workspace import Workspace


def register(app: typer.Typer, context: Callable[[], Workspace]) -> None:
    """Add the command to `cinelake`."""

    @app.command()
    def pseudonym(
        kind: Annotated[IdKind, typer.Argument(help="What the ids identify.")],
        ids: Annotated[list[str], typer.Argument(help="Ids as delivered.", show_default=False)],
    ) -> None:
        """Print the pseudonym of each id; who asked is kept in the table pseudonym_requests."""
        for text, answer in context().pseudonyms(kind, ids, LENGTH, "cinelake pseudonym").items():
            typer.echo(f"{text}\t{answer}")
