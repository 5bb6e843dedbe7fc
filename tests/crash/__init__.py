"""The crash matrix: the real daemon, killed before and after every write of every path.

What a row, a point and a step are, and which end states are the same, is told in :mod:`tests.crash.matrix`,
:mod:`tests.crash.wire`, :mod:`tests.crash.run` and :mod:`tests.crash.outcome`.
"""
