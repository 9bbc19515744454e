"""Which combination of attributes explains why more plays went badly than before.

`cause_of` (search.py) answers for the leaves of one incident, `causes` (step.py) for the leaves of many, in Spark.
The method is a scan over the attribute cube: each leaf tells, for each of a series of lifts, how much better that
lift explains it than no lift does (evidence.py); what a combination scores is what its leaves tell together
(cube.py).
"""
