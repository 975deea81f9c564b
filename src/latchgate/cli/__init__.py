"""The shell: the command latchgate and its subcommands."""
