"""Provenance: what a delivered file says of itself, signed, and how that is read back."""
