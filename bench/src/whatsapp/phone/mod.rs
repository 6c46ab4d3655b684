//! A page that plays a customer's phone.
//!
//! - [`book`] is what each phone shows; [`act`] what its owner does; [`page`] serves both

pub mod act;
pub mod book;
pub mod page;

pub use book::Book;
