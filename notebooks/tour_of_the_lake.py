# %% [markdown]
# # A tour of the lake
#
# Tables are the interface: jobs read tables and write tables, and everything that follows is read from them. `make run`
# makes a lake to look at, from a simulated service or from a data set of ratings.

# %%
from cinelake.behaviour import report as behaviour
from cinelake.notebook import few, open_lake, pictures, tables
from cinelake.operations import pictures as deliveries
from cinelake.operations import report as operations
from cinelake.report import report as suite
from cinelake.tables.features import PROFILE_DAYS
from cinelake.tables.operations import DELIVERY_HOURS
from cinelake.tables.tastes import GENRE_HOURS
from cinelake.tables.viewing import VIEWING_SESSIONS

# %% tags=["parameters"]
LAKE = ".cinelake/simulated-120x14"

# %%
lake = open_lake(LAKE)
tables(lake)

# %% [markdown]
# ## What comes in
# Bronze keeps every record as it was received. An empty stripe is an hour in which nothing was delivered; the monitor
# of deliveries warns of those that are hardly ever empty.

# %%
hours = few(lake.lake.read(DELIVERY_HOURS), 100_000).to_dict("records")
first = min(row["event_date"] for row in hours)
days = (max(row["event_date"] for row in hours) - first).days + 1
deliveries.hours(hours, "playback", first, days)

# %% [markdown]
# ## What becomes of it
# A record is kept, or turned away with its reasons; nothing is lost in between, and every run draws the balance.

# %%
entries = lake.ledger.entries()
suite.quality(entries, [])

# %% [markdown]
# ## From events to sessions
# One row of silver is a viewing session: starts, seeks, stalls and the end of a play, joined. Ids are pseudonyms.

# %%
few(lake.lake.read(VIEWING_SESSIONS).orderBy("started_at"), 5)

# %% [markdown]
# ## What is watched
# Gold answers questions: here, which genres are watched at which hour, and on what.

# %%
programme = pictures(behaviour.programme_types(lake.lake.read(GENRE_HOURS)))
programme[0]

# %%
pictures(behaviour.habits(lake.lake.read(PROFILE_DAYS)))[0]

# %% [markdown]
# ## What it cost
# The ledger keeps of every run what it read and wrote, and what it cost by Spark's own measures.

# %%
(health,) = operations.sections(lake)
pictures(health)[-1]
