"""The held-out comparison: forecasts of the model and its rivals, scores by series and horizon, the verdict."""
