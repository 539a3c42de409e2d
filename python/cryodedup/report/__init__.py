"""The page that people look at: one HTML file that needs nothing else, and its figures as SVG."""
