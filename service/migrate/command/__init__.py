"""The command line: its words, what each command does, and how the results look."""
