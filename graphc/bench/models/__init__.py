"""The models of the comparison: a file for each, with its arrays, reference and makers.

To add one, write a file with `MODEL = Model(arrays, reference, makers)`, whose makers come from
`graphc.bench.in_graphc` and its like; then a row in `graphc.bench.workloads`, and small settings in
`tests/bench/test_models.py`.
"""
