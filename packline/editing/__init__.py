"""Editing: engines, LoRAs, prompts, refine and the funnel."""
