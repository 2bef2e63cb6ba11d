"""The checks: each candidate against what the 3D model says is true. See docs/checks.md."""

from scoring.check import Check, CheckInput, CheckSettings, PromptWords, read_candidate
from scoring.policy import score
from scoring.settings import ScoringSettings, default_settings, read_settings

__all__ = [
    "Check",
    "CheckInput",
    "CheckSettings",
    "PromptWords",
    "ScoringSettings",
    "default_settings",
    "read_candidate",
    "read_settings",
    "score",
]
