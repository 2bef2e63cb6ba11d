"""The command line: `packline --help`."""
