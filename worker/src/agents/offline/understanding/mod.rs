//! What a visitor's text says: names, treatments, contacts, times, yes and no, questions. Pure functions of the text.

pub(crate) mod answer;
pub(crate) mod contact;
pub(crate) mod found;
pub(crate) mod name;
pub(crate) mod question;
pub(crate) mod text;
pub(crate) mod treatment;
pub(crate) mod vocabulary;
pub(crate) mod when;
