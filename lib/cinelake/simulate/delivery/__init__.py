"""From what happened to what lands: event ids, clocks, receipt, faults, JSON text."""
