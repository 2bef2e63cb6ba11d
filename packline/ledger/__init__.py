"""The ledger: the database of runs, shots, candidates, scorecards, selects, flags and releases."""

from packline.ledger.ledger import Ledger

__all__ = ["Ledger"]
