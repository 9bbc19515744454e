# %% [markdown]
# # The simulated service in pictures
#
# `cinelake simulate` delivers what a streaming service would, and keeps the truth about it apart. This notebook looks
# at a small one in memory, with the truth beside it: how the service lives, and why it is hard to see through.

# %%
from cinelake.simulate import pictures
from cinelake.simulate.exhibit import exhibit

# %% tags=["parameters"]
ACCOUNTS, DAYS = 200, 21

# %%
shown = exhibit(ACCOUNTS, DAYS)
f"{len(shown.plays):,} plays, {sum(map(len, shown.records)):,} records of {ACCOUNTS} accounts in {DAYS} days"

# %% [markdown]
# ## When people watch
# Evenings, and weekends more than weekdays; children after school. A day begins at five in the morning.

# %%
pictures.week(shown)

# %% [markdown]
# ## What they watch
# Popularity has a long tail. It follows fame more than quality; both are hidden from every job.

# %%
pictures.titles(shown)

# %% [markdown]
# ## What they like
# Viewers and titles share a space that no record shows. If choices followed fame alone, a list of what is popular
# would be the best recommender; as it is, taste tells more.

# %%
pictures.tastes(shown)

# %% [markdown]
# ## What they are shown
# Tiles further down and to the right are looked at less, whatever is on them: clicks are no judgement without their
# place. A few slots are filled at random, evenly, which is what propensities can be learnt from.

# %%
pictures.home_page(shown)

# %% [markdown]
# ## How well it plays
# Start-up times differ by line, stalls by hour; an incident stands out where it strikes, if one knows where to look.

# %%
pictures.quality(shown)

# %% [markdown]
# ## Who is there
# Both accounts are seen in several places on several devices. Only the truth marks the guests.

# %%
pictures.two_accounts(shown)

# %% [markdown]
# ## What arrives
# Records come late, twice, broken, out of order, or not at all.

# %%
pictures.delivery(shown)
