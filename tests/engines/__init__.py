"""Real serving engines, started by the tests."""
