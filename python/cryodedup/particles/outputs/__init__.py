"""Writing the kept and the rejected particles of each input in its own format, rows byte for byte."""
