"""MLflow: one experiment per area, one run per job run, and the registry through which models pass.

A run carries the window and the versions of every table read and written, so that any number can be
traced to its data. What a job logs is buffered and sent in one batch when it finishes: one call
costs a few milliseconds against SQLite and a round trip against a server.

A model version is made in steps, each of which a rerun recognises as done:

1. *logged*: artefacts stand in a logged model tagged with the fingerprint of its training inputs.
   Frames (user factors) are written by Spark straight into the artefact location; MLflow's Spark
   flavour would copy them through the driver's disk twice, needs a global active run, and makes no
   logged model.
2. *registered*: a version of the registered model `cinelake.<area>.<model>`, which gets
   `trained_through` and `training_fingerprint` in the same transaction.
3. *judged*: the tags `gate.reason` and, last of all, `gate` = `passed` or `failed`.
4. *alias* `challenger`, then `champion`. Aliases serve people and servers; jobs use
   `newest_approved`.

MLflow may be away while jobs run. What they log is then kept in the lake (`buffer.py`) and delivered later;
tables do not wait for it. Models cannot do without: a job that registers or reads one fails, and says why.

Only the client API is used: the fluent one keeps a global active run and tracking URI, which two
lakes in one process would fight over.

From the bottom up: `store.py` reaches MLflow; `registry.py` knows the versions of models in it, `versions.py` what one
is, `frames.py` its frames; `runs.py` opens runs, and `tracker.py` is one; `registration.py` has the steps by which it
makes a version. Runs wait in `buffer.py`.
"""
