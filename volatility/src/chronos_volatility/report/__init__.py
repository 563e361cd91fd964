"""report.html: what is forecast, how good forecasts have been, and what the gate decided."""
