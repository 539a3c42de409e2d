# What is done often. `just` lists it.
default:
    @just --list

# everything CI checks
ci:
    bash .ci/run

# in a minute: formatting, lints, types, and the tests of the house, the core's functions, parameters and words
check:
    cargo fmt --check
    cargo clippy --quiet --all-targets -- --deny warnings
    RUSTDOCFLAGS="--deny warnings" cargo doc --quiet --no-deps --package cryodedup-core
    ruff format --check --quiet python tests benches docs
    ruff check --quiet python tests benches docs
    mypy
    python -m pytest -q -n 2 tests/test_structure.py tests/test_core.py tests/test_oracle.py tests/test_properties.py tests/test_choices.py tests/test_pixel_sizes.py tests/test_decide.py tests/test_star.py tests/test_messages.py

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

# the documentation as a site, in build/site (extra [docs])
docs:
    NO_MKDOCS_2_WARNING=1 mkdocs build --strict

# speed, side by side with peers
bench: build
    python benches/kernel.py
    python benches/files.py
    python benches/micrographs.py

# damages files of every format for so many seconds (Linux)
fuzz seconds="60":
    python benches/fuzz.py {{seconds}}

# the same for the core: each target for so many seconds; needs nightly Rust and cargo-fuzz
fuzz-core seconds="60":
    rust/fuzz/run {{seconds}}

# the core's unsafe code, and loops without wide registers, under Miri; needs nightly Rust with miri
miri:
    cargo +nightly miri test -p cryodedup-core --lib -- half_floats as_by_a_plain_loop those_of_a_plain_loop
    RUSTFLAGS="-C target-feature=+avx2,+fma,+f16c" cargo +nightly miri test -p cryodedup-core --lib -- half_floats

# licences of all that is needed at run time, and the page that lists them
licences:
    cargo deny --locked check licenses bans sources
    python benches/licences.py > docs/licences.md

# what is left when something goes wrong: the table of docs/faults.md
faults: build
    python benches/faults.py --trials 50 > faults.md
    mv faults.md docs/faults.md
