# %% [markdown]
# # An incident of streaming quality
#
# Players report how plays go: how long they take to start, how often they stall, whether they fail. Each hour of each
# combination of network, place, device and version is held against what is usual there; alarms that belong together
# become an incident, and the search for its cause asks which combination explains what the others do not.

# %%
from cinelake.notebook import few, open_lake, pictures
from cinelake.qoe import report
from cinelake.qoe.commands import as_list, as_text, course
from cinelake.qoe.pictures import picture
from cinelake.qoe.shown import latest
from cinelake.tables.qoe import QOE_INCIDENTS, QOE_ROLLUPS

# %% tags=["parameters"]
LAKE = ".cinelake/simulated-120x14"

# %%
lake = open_lake(LAKE)
rollups = lake.lake.read(QOE_ROLLUPS)
pictures(report.quality(report.by_day(rollups).toArrow().to_pylist()))[0]

# %% [markdown]
# ## What has happened
# The incidents that most sessions were affected by, whatever has become of them.

# %%
told = latest(lake.lake.read(QOE_INCIDENTS))
worst = told.orderBy("affected_sessions", "incident_id", ascending=[False, True]).limit(8)
incidents = worst.toArrow().to_pylist()
assert incidents, "no incident was found in this lake; simulate a service of more accounts"
as_list(incidents)

# %% [markdown]
# ## The first, and where its fault lies
# A combination is blamed when it explains most of what is above the usual, and its siblings are as they always are.

# %%
incident = incidents[0]
as_text(incident)

# %% [markdown]
# ## Its course
# On top the metric in the cell with most evidence beside what is usual at that hour; below, how many times usual it was
# in the cells that gave alarms; at the bottom, whom it hit by the hour.

# %%
picture(incident, course(lake, incident))

# %% [markdown]
# ## Beside it
# How the cells around it fared in the hour of the first alarm: the same minute, other networks and devices.

# %%
hour = f"bucket_at = TIMESTAMP'{incident['opened_at']:%Y-%m-%d %H:%M:%S}' AND width = 60"
few(
    rollups.where(hour)
    .orderBy("attempts", ascending=False)
    .select(
        "cell", "attempts", "starts", "start_failures", "playback_failures", "stall_ms", "play_ms"
    ),
    15,
)
