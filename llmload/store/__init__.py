"""REMEMBERED: one SQLite file that keeps every run."""
