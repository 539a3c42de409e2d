"""Results in a notebook: DataFrames, summaries as text and HTML, and plots by matplotlib of the data that the page draws."""
