"""Simulated sessions of micrographs, with truth: what is in ice (`scene`), what the camera sees of it (`exposure`), and which sessions there are (`kinds`)."""
