"""The v1 document as pydantic judges it: every field of SCENARIO.md, those of later versions included."""
