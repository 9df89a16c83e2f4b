"""Is it true? Audio, metrics, comparison, captures, plots and reports."""
