"""How fast the operator's commands are, as ratios: against plain boto3 scripts, and against stock modules."""
