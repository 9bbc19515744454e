"""The gates that rows pass on their way into a table; Great Expectations suites made from contracts."""
