"""The stage's version: part of every fingerprint."""

STAGE_VERSION = "1"
"""Changes whenever the same model and scene may give other references."""
