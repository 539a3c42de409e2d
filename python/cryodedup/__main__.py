"""``python -m cryodedup``."""

from cryodedup.cli import main

if __name__ == "__main__":
    main()
