"""Datasets: Parquet by year and month with a manifest. Imports pandas and pyarrow."""
