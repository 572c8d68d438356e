"""The command line: one module per command, and all of them as `superconv-tune`; they import what is slow late."""
