"""The command line: one file a command, a table that finds them."""
