"""Move landed changes of accounts into bronze: every line once, what is unreadable into quarantine."""

from cinelake.runtime.job import IngestRun, ingest
from cinelake.sources.accounts import ACCOUNTS_SOURCE
from cinelake.sources.bronze import bronze_rows
from cinelake.tables.ingest import BRONZE_ACCOUNTS


@ingest(source=ACCOUNTS_SOURCE, writes=BRONZE_ACCOUNTS)
def ingest_accounts(run: IngestRun) -> None:
    run.append(bronze_rows(run.landed, ACCOUNTS_SOURCE))


if __name__ == "__main__":
    ingest_accounts.main()
