"""The command line: thin faces over functions that live elsewhere."""
