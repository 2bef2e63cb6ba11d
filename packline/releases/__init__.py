"""Releases: immutable manifests of selects, and the pointers by which environments show them."""
