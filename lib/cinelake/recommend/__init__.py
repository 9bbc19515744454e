"""Recommendations: strengths, models, top-N lists, evaluation, and the gate a model has to pass."""
