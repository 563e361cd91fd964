"""Daily forecasts of the S&P 500's volatility over the next five sessions."""

__version__ = "0.1.0"
