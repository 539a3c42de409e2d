# What is done often. `just` lists it.
default:
    @just --list

# everything CI checks
ci:
    bash .ci/run

# build the extension in place, optimised
build:
    maturin develop --release

# all tests
test: build
    cargo test
    python -m pytest

# format everything
format:
    cargo fmt
    ruff format python tests benches docs
    ruff check --fix python tests benches docs

# speed, side by side with peers
bench: build
    python benches/kernel.py
    python benches/files.py
    python benches/micrographs.py

# what is left when something goes wrong: the table of docs/faults.md
faults: build
    python benches/faults.py --trials 50 > faults.md
    mv faults.md docs/faults.md
