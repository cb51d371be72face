"""Measured and judged: pure folds over stored observations. METRICS.md in the design is the contract, line by line."""
