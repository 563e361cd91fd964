"""The steps of a day and of a week, each a subcommand."""
