"""PLANNED: a scenario becomes requests, each a pure function of seed, step, look and index."""
