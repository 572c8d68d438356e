"""Pure decisions: schedules, curves, range-test analysis, planning arithmetic and the verdict.

Nothing in this room touches a file, a clock, a network or a framework: the standard library and numpy only, and scipy
for the quantiles in ``statistics``.
"""
