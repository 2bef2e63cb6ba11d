"""The ledger's revisions, one line; each file's name is its revision's identity."""
