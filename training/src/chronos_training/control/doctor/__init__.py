"""The first minute on an account: what would stop a launch, found out for free and before anything is made."""
