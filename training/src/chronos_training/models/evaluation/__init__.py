"""The held-out comparison: forecasts of the model and of what it has to beat, scores by series and horizon, the verdict."""
