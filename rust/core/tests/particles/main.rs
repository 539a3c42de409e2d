//! The searches among particles, from outside.

#![allow(clippy::needless_range_loop, clippy::single_match_else, reason = "plain code is the better oracle")]

mod input;
mod large;
mod measures;
mod problem;
mod selection;
