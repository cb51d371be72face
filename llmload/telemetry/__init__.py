"""OBSERVED, beside the load: what machine this is and what it was doing."""
