"""The kinds of row of a home page, one a module: a `RowKind` declared here is offered to every page."""
