# %% [markdown]
# # Groups of viewers with similar tastes
#
# Nobody is asked what they like: the groups come from what they watch. They keep their names from day to day, and what
# marks a group is what its members have more of than others, beyond chance.

# %%
from cinelake.audience import report
from cinelake.audience.asked import clusters, newest, portrait
from cinelake.audience.commands import listed, shown
from cinelake.audience.pictures import marks
from cinelake.notebook import open_lake, pictures
from cinelake.tables.audience import CLUSTER_PORTRAITS, CLUSTER_STATES
from cinelake.tables.behaviour import TITLES

# %% tags=["parameters"]
LAKE = ".cinelake/simulated-120x14"

# %%
lake = open_lake(LAKE)
groups = [row for row in clusters(lake.lake.read(CLUSTER_STATES)) if row["component"] is not None]
listed(groups)

# %% [markdown]
# ## The map
# What lies near each other watches alike; the area of a circle tells of members. At the axes stands what is watched
# more towards that side.

# %%
(section,) = report.sections(lake)
maps = pictures(section)
maps[0].figure if maps else section

# %% [markdown]
# ## What marks each
# Red is watched more by the group than by the others, beyond chance. What is most popular marks nobody.

# %%
told = newest(lake.lake.read(CLUSTER_PORTRAITS)).toArrow().to_pylist()
marks(groups, told, "genre")

# %%
marks(groups, told, "theme")

# %%
section.parts[-1]

# %% [markdown]
# ## The largest, in full

# %%
largest = groups[0]
own = portrait(lake.lake.read(CLUSTER_PORTRAITS), lake.lake.read(TITLES), largest["cluster_id"], 5)
shown(largest, own, groups)
