"""Measured, never asserted: what the line does on real files, and what it costs."""
