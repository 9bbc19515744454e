"""Build the log-ins: one row each attempt, under pseudonyms, with the place and network of its address."""

from typing import Annotated

from pydantic import Field, PlainSerializer, PlainValidator
from pyspark.sql import functions as F

from cinelake.behaviour.geo_ip import Edition, network_edition, place_edition
from cinelake.behaviour.identity import IdKind
from cinelake.behaviour.log_ins import FILLED, log_ins
from cinelake.behaviour.records import LOOKBACK
from cinelake.runtime.job import JobParams, Reading, Run, job
from cinelake.tables.behaviour import LOG_INS
from cinelake.tables.ingest import BRONZE_LOG_INS

# What is in a file decides rows, and not where it stands: so parameters tell files apart by type, day and content.
told = PlainSerializer(Edition.told)


class BuildLogInsParams(JobParams):
    city_database: Annotated[Edition, PlainValidator(place_edition), told] | None = Field(
        None,
        description="MaxMind file (.mmdb) of places, such as GeoLite2-City; none: records tell all that is known",
    )
    asn_database: Annotated[Edition, PlainValidator(network_edition), told] | None = Field(
        None, description="MaxMind file (.mmdb) of networks, such as GeoLite2-ASN"
    )


@job(
    reads=[Reading(BRONZE_LOG_INS, lookback=LOOKBACK, accounted=True)],
    writes=[LOG_INS],
    params=BuildLogInsParams,
    version=2,
)
def build_log_ins(run: Run[BuildLogInsParams]) -> None:
    city, asn = run.params.city_database, run.params.asn_database
    attempts = log_ins(run.read(BRONZE_LOG_INS), run.keys(IdKind), run.start, run.end, city, asn)
    marks = [f"_filled_{what}" for what in FILLED]
    if city or asn:
        used = {"city_database": city, "asn_database": asn}
        run.tracker.log_params({name: str(one) for name, one in used.items() if one})
        filled = {f"share_filled_{what}": F.col(f"_filled_{what}") for what in FILLED}
        attempts = run.log_shares(attempts, filled)
    run.write(LOG_INS, attempts.drop(*marks))


if __name__ == "__main__":
    build_log_ins.main()
