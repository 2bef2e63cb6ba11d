"""The stage's version: part of every fingerprint."""

STAGE_VERSION = "2"
"""Changes whenever the same model and scene may give other passes; a pass that is new changes none."""
