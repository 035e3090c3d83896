"""How much work is worth handing to another thread."""

# A part that is handed to another thread has at least this much work, in units of one addition
# (see `work`). Measured: a region costs 0.7 us and some cache misses, so two threads begin to gain
# at two parts of about 2 us: for a row sum at 65,536 elements, for exp at 16,384, for a softmax at
# 8,192.
PARALLEL_WORK = 65_536
