"""The server before and after the load: launch, ready, probe, stop."""
