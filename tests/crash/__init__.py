"""The line is killed at any instant; a script that knows no Packline says whether anything was harmed."""
