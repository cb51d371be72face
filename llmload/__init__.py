"""CI for LLM serving: declare a server and its promises, measure, judge, remember, tell."""

__version__ = "0.1.0"
