"""Simulated sessions of micrographs, with truth.

`scene`: what is in ice; `exposure`: what the camera sees of it; `kinds`: which sessions there are; `session` writes them.
"""
