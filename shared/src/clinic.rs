//! `clinic.toml`: the clinic, its treatments, its opening hours and its assistant.

mod error;
mod hours;
mod treatment;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use time::UtcOffset;

pub use error::ClinicError;
pub use hours::{DayHours, OpeningHours};
pub use treatment::{Treatment, TreatmentText};

use error::{field, filled};

/// A clinic as its configuration file describes it. A value of this type is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clinic {
    /// The clinic's name.
    pub name: String,
    /// The name under which the assistant introduces itself.
    pub assistant: String,
    /// Said only in answers to emergencies.
    pub emergency_number: String,
    /// The clinic's clock: "tomorrow" and the opening hours are read with it.
    pub utc_offset: UtcOffset,
    /// Which wording of the consent question is asked; stored with every answer to it.
    pub consent_version: String,
    /// The language in which a request is summed up for the staff, as a BCP 47 tag.
    pub staff_language: String,
    /// Languages that the team speaks, by their English names.
    pub languages: Vec<String>,
    /// How to reach the clinic.
    pub contact: Contact,
    /// Opening hours, by the clinic's clock.
    pub opening_hours: OpeningHours,
    /// What the clinic offers, in the order in which it is listed to visitors. Never empty.
    pub treatments: Vec<Treatment>,
    /// Questions that visitors ask, with the clinic's answers.
    pub faqs: Vec<Faq>,
    /// How the assistant is to come across; for a language model.
    pub persona: Option<String>,
    /// What the clinic tells each agent beyond that; for a language model.
    pub instructions: Instructions,
}

/// Instructions of the clinic for its agents, where they think with a language model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instructions {
    /// For the agent that arranges consultations.
    pub scheduling: Option<String>,
    /// For the agent that answers questions.
    pub information: Option<String>,
    /// While a conversation waits for a person.
    pub human: Option<String>,
}

/// How to reach the clinic. What is absent is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Street address on one line.
    pub address: Option<String>,
    /// Telephone number as it is shown to visitors.
    pub phone: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Web address.
    pub website: Option<String>,
}

/// A question that visitors ask, with the clinic's answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faq {
    /// A question with one of these phrases is this question.
    pub keywords: Vec<String>,
    /// What is answered.
    pub answer: String,
    /// The same in other languages, by BCP 47 tag.
    #[serde(default)]
    pub translations: BTreeMap<String, FaqText>,
}

/// A question with its answer in another language than the file's own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaqText {
    /// As in [`Faq`], and besides those there. A word that ends in `%` has any ending.
    pub keywords: Vec<String>,
    /// What is answered.
    pub answer: String,
}

/// The file as it is written, before its values are checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    assistant: String,
    emergency_number: String,
    utc_offset: String,
    consent_version: String,
    #[serde(default = "english")]
    staff_language: String,
    languages: Vec<String>,
    #[serde(default)]
    contact: Contact,
    opening_hours: hours::Table,
    treatments: Vec<Treatment>,
    #[serde(default)]
    faqs: Vec<Faq>,
    persona: Option<String>,
    #[serde(default)]
    instructions: Instructions,
}

fn english() -> String {
    "en".to_owned()
}

impl Clinic {
    /// Reads the text of a `clinic.toml`.
    ///
    /// # Errors
    /// The first field that is missing, unknown or has no sensible value, by its name.
    pub fn parse(text: &str) -> Result<Self, ClinicError> {
        let file: File = toml::from_str(text)?;
        filled("name", &file.name)?;
        filled("assistant", &file.assistant)?;
        filled("consent_version", &file.consent_version)?;
        filled("staff_language", &file.staff_language)?;
        if !file.emergency_number.chars().any(|c| c.is_ascii_digit()) {
            return field("emergency_number", "a telephone number is expected, e.g. \"112\"");
        }
        if file.languages.is_empty() {
            return field("languages", "at least one language is expected");
        }
        for (index, language) in file.languages.iter().enumerate() {
            filled(&format!("languages[{index}]"), language)?;
        }
        file.contact.check()?;
        treatment::check(&file.treatments)?;
        for (index, faq) in file.faqs.iter().enumerate() {
            faq.check(index)?;
        }
        let texts = [
            ("persona", &file.persona),
            ("instructions.scheduling", &file.instructions.scheduling),
            ("instructions.information", &file.instructions.information),
            ("instructions.human", &file.instructions.human),
        ];
        for (name, text) in texts {
            // Several lines are fine here.
            let lines = text.as_deref().unwrap_or("-").trim().replace(['\n', '\r'], " ");
            filled(name, &lines)?;
        }
        Ok(Self {
            name: file.name,
            assistant: file.assistant,
            emergency_number: file.emergency_number,
            utc_offset: hours::utc_offset("utc_offset", &file.utc_offset)?,
            consent_version: file.consent_version,
            staff_language: file.staff_language,
            languages: file.languages,
            contact: file.contact,
            opening_hours: OpeningHours::read("opening_hours", &file.opening_hours)?,
            treatments: file.treatments,
            faqs: file.faqs,
            persona: file.persona,
            instructions: file.instructions,
        })
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// As [`Clinic::parse`], and when the file cannot be read.
    pub fn load(path: &Path) -> Result<Self, ClinicError> {
        let text = std::fs::read_to_string(path).map_err(|source| ClinicError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text)
    }

    /// The clinic that ships with the product, used where no file is named.
    #[must_use]
    pub fn shipped() -> Self {
        Self::parse(include_str!("../../clinic.toml")).expect("a test reads the shipped clinic.toml")
    }
}

impl Contact {
    fn check(&self) -> Result<(), ClinicError> {
        let fields = [
            ("contact.address", &self.address),
            ("contact.phone", &self.phone),
            ("contact.email", &self.email),
            ("contact.website", &self.website),
        ];
        for (name, value) in fields {
            value.as_deref().map_or(Ok(()), |value| filled(name, value))?;
        }
        Ok(())
    }
}

impl Faq {
    fn check(&self, index: usize) -> Result<(), ClinicError> {
        if self.keywords.is_empty() {
            return field(
                &format!("faqs[{index}].keywords"),
                "at least one keyword is expected",
            );
        }
        for (number, keyword) in self.keywords.iter().enumerate() {
            filled(&format!("faqs[{index}].keywords[{number}]"), keyword)?;
        }
        for (language, text) in &self.translations {
            for keyword in &text.keywords {
                filled(
                    &format!("faqs[{index}].translations.{language}.keywords"),
                    keyword,
                )?;
            }
            filled(
                &format!("faqs[{index}].translations.{language}.answer"),
                &text.answer,
            )?;
        }
        filled(&format!("faqs[{index}].answer"), &self.answer)
    }
}

#[cfg(test)]
mod tests;
