//! Black-box tests: real processes, real servers.

mod bad_input;
mod browser;
mod chaos;
mod compose;
mod conversation;
mod crash;
mod database;
mod order;
mod outage;
mod sessions;
mod topology;
mod turns;
mod wire;
