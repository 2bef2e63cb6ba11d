"""Packline: an assembly line for product pictures, safe to publish unseen."""

__version__ = "0.1.0"
