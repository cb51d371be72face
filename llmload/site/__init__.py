"""Publishes a store: pages for people and JSON for programs, as a Datasette plugin or as a folder of files.

A page is a function of what is asked and of the store, and knows nothing of Datasette: `plugin.py` alone does.
"""
