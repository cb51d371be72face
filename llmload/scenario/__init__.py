"""ASKED: YAML text becomes one `Scenario`, or a list of located problems."""
