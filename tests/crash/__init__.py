"""The line is killed at any instant; a script that knows no Packline says whether what must be true is true."""
