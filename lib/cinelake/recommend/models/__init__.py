"""The kinds of model that the recommender knows, one file each.

A file here that declares a `Recipe` with a `kind` of its own is found by itself (`kinds`); nothing else need change.
"""
