# %% [markdown]
# # A case of account misuse
#
# Signals of many days and kinds become a case; a person looks at it and decides. Nothing acts by itself. This notebook
# opens the most pressing case of the lake, as somebody who reviews it would.

# %%
from cinelake.integrity.commands import current, most_pressing
from cinelake.integrity.report import party_of, timeline
from cinelake.integrity.shown import as_file, as_list, changes
from cinelake.notebook import few, open_lake
from cinelake.tables.integrity import (
    ACCOUNT_PARTIES,
    INTEGRITY_CASES,
    INTEGRITY_SIGNALS,
    USAGE_DAYS,
)

# %% tags=["parameters"]
LAKE = ".cinelake/simulated-120x14"

# %%
lake = open_lake(LAKE)
states = lake.lake.read(INTEGRITY_CASES)
pressing = most_pressing(current(states), 10)
assert pressing, "no case has been opened in this lake; simulate a service with --profile misuse"
as_list(pressing)

# %% [markdown]
# ## The first, in full
# Each reason has a weight; their sum is the case's log-odds. The evidence is what one would look up first.

# %%
case = pressing[0]
account = f"account_id = '{case['account_id']}'"
history = states.where(f"case_id = '{case['case_id']}'").orderBy("state_date")
went = history.toArrow().to_pylist()
as_file(went, [], [])

# %% [markdown]
# ## Who used the account, where and when
# A line a device; a mark an hour in which it played. Devices that are seen together, in the same places and at the same
# hours, are a party; grey ones belong to the home, and the dashed line is the day on which the case was opened. Two
# homes that never change places are two households.

# %%
usage = lake.lake.read(USAGE_DAYS).where(account).toArrow().to_pylist()
parties = lake.lake.read(ACCOUNT_PARTIES).where(account).toArrow().to_pylist()
timeline(case, usage, party_of(case, parties))

# %% [markdown]
# ## What spoke up, day by day
# A single signal is often innocent: a journey, a new television, a guest.

# %%
few(lake.lake.read(INTEGRITY_SIGNALS).where(account).orderBy("signal_date", "kind"), 30)

# %% [markdown]
# ## How it went on
# `cinelake verdict ID confirm --why …` writes down what was decided; the next run heeds it, and learns from it.

# %%
changes(went)
