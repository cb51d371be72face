"""OBSERVED: planned requests become records over real sockets. The only hot path."""
