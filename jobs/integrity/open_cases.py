"""Open cases of what signals go on about, and tell their state of each day, with people's verdicts and leave."""

from cinelake.integrity.cases import CaseRules, cases
from cinelake.runtime.job import JobParams, Run, history, job
from cinelake.tables.integrity import ALLOW_LIST, INTEGRITY_CASES, INTEGRITY_SIGNALS, VERDICTS


class OpenCasesParams(CaseRules, JobParams):
    pass


@job(
    reads=[history(INTEGRITY_SIGNALS), history(VERDICTS), history(ALLOW_LIST)],
    writes=[INTEGRITY_CASES],
    params=OpenCasesParams,
    version=2,
)
def open_cases(run: Run[OpenCasesParams]) -> None:
    signals, verdicts = run.read(INTEGRITY_SIGNALS), run.read(VERDICTS)
    found = cases(signals, verdicts, run.read(ALLOW_LIST), run.start, run.end, run.params)
    run.write(INTEGRITY_CASES, found)


if __name__ == "__main__":
    open_cases.main()
