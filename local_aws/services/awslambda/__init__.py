"""Lambda: functions really run. See README.md."""
