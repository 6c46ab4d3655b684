//! Black-box tests: real processes, real servers.

mod bad_input;
mod compose;
mod conversation;
mod crash;
mod order;
mod outage;
mod sessions;
mod turns;
mod wire;
