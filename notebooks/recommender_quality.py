# %% [markdown]
# # How good is the recommender?
#
# A recommender that is judged on what it has learnt from looks good whatever it does. Here every figure is of days
# that came after the training, with plain popularity as the rival: what everybody watches is hard to beat.

# %%
from cinelake.notebook import few, open_lake, pictures
from cinelake.recommend import report
from cinelake.recommend.asked import busiest, in_order, newest_list, recent_titles, with_reasons
from cinelake.recommend.commands import day_reached, service_told
from cinelake.recommend.terminal import side_by_side
from cinelake.tables.behaviour import TITLES
from cinelake.tables.features import TITLE_SIGNALS
from cinelake.tables.recommend import RECOMMENDATIONS, RECOMMENDER, RECOMMENDER_HEALTH

# %% tags=["parameters"]
LAKE = ".cinelake/simulated-120x14"

# %%
lake = open_lake(LAKE)
runs = [lake.tracking.report(version) for version in lake.tracking.versions(RECOMMENDER)]
f"{len(runs)} versions of the model; the newest was trained on the days before {runs[0].version.trained_through}"

# %% [markdown]
# ## The newest version beside its rivals
# nDCG says whether what people went on to watch stood near the top; coverage, how much of the catalogue is ever shown;
# miscalibration, how far the genres of a list are from those of a profile. Lines are intervals of 95 %: where they
# overlap, the figures tell no difference.

# %%
section = report.recommender(runs)
pictures(section)[0]

# %% [markdown]
# ## What the gate said
# A version serves lists only after it beat popularity and the champion on the same days.

# %%
section.parts[-1]

# %% [markdown]
# ## Since then
# What moved in the data, and what came of the lists. An alarm is a row.

# %%
few(
    lake.lake.read(RECOMMENDER_HEALTH)
    .select("day", "measure", "value", "threshold", "is_alarm", "message")
    .orderBy("day", "measure"),
    20,
)

# %% [markdown]
# ## A list, beside what it was made from
# Reasons are titles of the profile's own past; what is popular is so because of nothing in it.

# %%
signals, titles = lake.lake.read(TITLE_SIGNALS), lake.lake.read(TITLES)
(keenest,) = few(busiest(signals, 1)).to_dict("records")
profile = keenest["profile_id"]
recent = in_order(recent_titles(signals.where(f"profile_id = '{profile}'"), 8), titles)
listed = newest_list(
    lake.lake.read(RECOMMENDATIONS), profile, 8, service_told(lake), day_reached(lake)
)
side_by_side(profile[:8], recent, with_reasons(in_order(listed, titles), titles))
