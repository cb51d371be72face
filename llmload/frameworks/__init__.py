"""Plug-ins: one file per serving framework. Pure; they import nothing heavier than orjson."""
