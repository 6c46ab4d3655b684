//! Black-box tests: real processes, real servers.

mod bad_input;
mod browser;
mod compose;
mod conversation;
mod crash;
mod database;
mod erasure;
mod in_process;
mod model;
mod order;
mod outage;
mod overload;
mod sessions;
mod stateless;
mod stop;
mod turns;
mod wire;
