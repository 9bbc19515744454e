"""Open cases of what signals go on about, and tell their state of each day, with people's verdicts and leave."""

from pydantic import Field

from cinelake.integrity.cases import CaseRules, cases
from cinelake.runtime.job import JobParams, Run, history, job
from cinelake.tables.integrity import ALLOW_LIST, INTEGRITY_CASES, INTEGRITY_SIGNALS, VERDICTS


class OpenCasesParams(JobParams):
    quiet_days: int = Field(14, ge=1, le=90, description="days without a signal that end a case")
    suppress_days: int = Field(
        90, ge=0, le=730, description="how long a rejection suppresses the same kind again (days)"
    )
    open_days: int = Field(
        2,
        ge=1,
        le=30,
        description="days with a signal that open a case, for one evening proves little",
    )
    open_at_once: float = Field(
        0.95, ge=0, le=1, description="probability that opens a case on the first day"
    )
    patient: tuple[str, ...] = Field(
        ("places", "playback"),
        description="kinds of which no single day opens a case, however sure",
    )
    high: float = Field(0.9, ge=0, le=1, description="probability from which a case is severe")
    medium: float = Field(
        0.7, ge=0, le=1, description="probability from which it is of medium severity"
    )
    stake_hours: float = Field(
        10.0,
        ge=0,
        description="hours at stake below which a case is never severe, but for takeover",
    )


@job(
    reads=[history(INTEGRITY_SIGNALS), history(VERDICTS), history(ALLOW_LIST)],
    writes=[INTEGRITY_CASES],
    params=OpenCasesParams,
    version=2,
)
def open_cases(run: Run[OpenCasesParams]) -> None:
    rules = CaseRules(**run.params.model_dump())
    signals, verdicts = run.read(INTEGRITY_SIGNALS), run.read(VERDICTS)
    found = cases(signals, verdicts, run.read(ALLOW_LIST), run.start, run.end, rules)
    run.write(INTEGRITY_CASES, found)


if __name__ == "__main__":
    open_cases.main()
