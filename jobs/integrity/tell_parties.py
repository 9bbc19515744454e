"""Tell the parties of accounts: which devices belong together, and how each stands to the home."""

from cinelake.integrity.changes import account_changes, sign_ups
from cinelake.integrity.parties import WEEKS, account_parties
from cinelake.runtime.job import JobParams, Reading, Run, history, job
from cinelake.tables.behaviour import ACCOUNTS, PROFILES
from cinelake.tables.integrity import ACCOUNT_PARTIES, LOG_IN_RISKS, USAGE_DAYS


@job(
    reads=[
        Reading(USAGE_DAYS, lookback=WEEKS - 1),
        Reading(LOG_IN_RISKS, lookback=WEEKS - 1),
        history(ACCOUNTS),
        history(PROFILES),
    ],
    writes=[ACCOUNT_PARTIES],
    version=7,
)
def tell_parties(run: Run[JobParams]) -> None:
    usage, log_ins = run.read(USAGE_DAYS), run.read(LOG_IN_RISKS)
    accounts = run.read(ACCOUNTS)
    changed, signed_up = account_changes(accounts, run.read(PROFILES)), sign_ups(accounts)
    made = account_parties(usage, log_ins, changed, signed_up, run.start, run.end)
    run.write(ACCOUNT_PARTIES, made)


if __name__ == "__main__":
    tell_parties.main()
