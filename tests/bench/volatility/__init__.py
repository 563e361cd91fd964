"""What the volatility forecast is measured by."""
