"""From what sources say to the tables raw.market, curated.market_daily and those of the macro series."""
