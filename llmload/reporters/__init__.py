"""TOLD: one file per format, each a pure function from a run result to bytes."""
