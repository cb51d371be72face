"""What is read of real GPUs: `make test-gpu`, on a machine that has some."""
