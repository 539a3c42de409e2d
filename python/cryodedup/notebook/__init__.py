"""Results in a notebook: DataFrames, summaries as text and HTML, and the figures of the page."""
