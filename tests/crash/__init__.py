"""The line is killed at any instant, and what must always be true is checked by a script that knows no Packline."""
