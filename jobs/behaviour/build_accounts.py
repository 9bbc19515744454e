"""Build the accounts: a row each change of an account, under pseudonyms."""

from cinelake.behaviour.entities import ACCOUNT, entity_changes
from cinelake.behaviour.identity import IdKind
from cinelake.behaviour.records import LOOKBACK
from cinelake.runtime.job import JobParams, Reading, Run, job, previous
from cinelake.tables.behaviour import ACCOUNTS
from cinelake.tables.ingest import BRONZE_ACCOUNTS


@job(
    reads=[Reading(BRONZE_ACCOUNTS, lookback=LOOKBACK, accounted=True), previous(ACCOUNTS)],
    writes=[ACCOUNTS],
)
def build_accounts(run: Run[JobParams]) -> None:
    told, before, keys = run.read(BRONZE_ACCOUNTS), run.read(ACCOUNTS), run.keys(IdKind)
    found = entity_changes(told, before, keys, ACCOUNT, run.start, run.end, run.account_for)
    run.write(ACCOUNTS, found)


if __name__ == "__main__":
    build_accounts.main()
