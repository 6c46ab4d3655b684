//! One module a resource, each with its own router.

pub mod chat;
pub mod docs;
pub mod erase;
pub mod health;
pub mod history;
pub mod message;
pub mod page;
pub mod stop;
pub mod stream_get;
pub mod stream_post;
