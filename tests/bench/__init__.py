"""The measurer, measured: `python -m tests.bench` holds llmload against the numbers of docs/performance.md."""
