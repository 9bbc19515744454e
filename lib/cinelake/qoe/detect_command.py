"""`cinelake detect FILE`: what is odd in one plain series, of which a file tells."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from pydantic import ValidationError

from cinelake.qoe.detect import Detection, detect

ODD = 0.5


def register(app: typer.Typer) -> None:
    """Add the command to `cinelake`; it needs no lake."""

    @app.command(name="detect")
    def detect_(
        file: Annotated[
            Path, typer.Argument(help="A CSV file with the columns timestamp and value.")
        ],
        season: Annotated[
            str | None,
            typer.Option(help="day or week: take readings against the same time of it before."),
        ] = None,
        above: Annotated[
            float | None,
            typer.Option(
                min=0, max=1, help=f"Only scores above this. [{ODD}; with --json: all rows]"
            ),
        ] = None,
        json_: Annotated[
            bool, typer.Option("--json", help="A JSON object a line, of each row of the file.")
        ] = False,
    ) -> None:
        """Score each reading of a series by how odd it is, from those before it alone."""
        try:
            settings = Detection.model_validate({"season": season})
        except ValidationError:
            raise typer.BadParameter(f"--season {season}: it is day or week") from None
        try:
            series = pd.read_csv(file)
            scores = detect(series, settings)
        except (OSError, ValueError) as error:
            raise typer.BadParameter(f"{file}: {error}") from error
        least = above if above is not None else None if json_ else ODD
        told = series.assign(score=scores)
        told = told if least is None else told[told["score"] > least]
        if json_:
            rows = told[["timestamp", "value", "score"]]
            # What is no finite number becomes null.
            typer.echo(rows.to_json(orient="records", lines=True, double_precision=15), nl=False)
            return
        for time, value, score in zip(told["timestamp"], told["value"], told["score"], strict=True):
            typer.echo(f"{time}  {value:>12g}  {score:.2f}")
        typer.echo(f"{len(told)} of {len(series)} readings score above {least:g}")
