//! What a clinic offers.

use std::collections::HashMap;

use serde::Deserialize;

use super::error::{ClinicError, field, filled};

/// One treatment. The texts stand behind "from", "takes" and "recovery:", so they start in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Treatment {
    /// Its name, as it is shown to visitors and stored in a request.
    pub name: String,
    /// A second name that is shown behind the first one, e.g. "nose job".
    pub also: Option<String>,
    /// One sentence that says what it is.
    pub description: String,
    /// The lowest price, with its currency, e.g. "€1,900".
    pub price_from: String,
    /// How long it takes.
    pub duration: String,
    /// How long one needs afterwards.
    pub recovery: String,
    /// Other words for it, in any language. No two treatments share one.
    pub synonyms: Vec<String>,
}

impl Treatment {
    /// The name as a list shows it: "rhinoplasty (nose job)".
    #[must_use]
    pub fn full_name(&self) -> String {
        match &self.also {
            Some(also) => format!("{} ({also})", self.name),
            None => self.name.clone(),
        }
    }
}

/// Checks each treatment, and that every word means one of them only.
pub(super) fn check(treatments: &[Treatment]) -> Result<(), ClinicError> {
    if treatments.is_empty() {
        return field("treatments", "at least one treatment is expected");
    }
    let mut words: HashMap<String, usize> = HashMap::new();
    for (index, treatment) in treatments.iter().enumerate() {
        let path = |name: &str| format!("treatments[{index}].{name}");
        filled(&path("name"), &treatment.name)?;
        filled(&path("description"), &treatment.description)?;
        filled(&path("price_from"), &treatment.price_from)?;
        filled(&path("duration"), &treatment.duration)?;
        filled(&path("recovery"), &treatment.recovery)?;
        if let Some(also) = &treatment.also {
            filled(&path("also"), also)?;
        }
        let amount = treatment.price_from.chars().any(|c| c.is_ascii_digit());
        let currency = treatment
            .price_from
            .chars()
            .any(|c| c.is_alphabetic() || "€$£₺".contains(c));
        if !amount || !currency {
            return field(
                &path("price_from"),
                "an amount with its currency is expected, e.g. \"€1,900\"",
            );
        }
        if treatment.synonyms.is_empty() {
            return field(&path("synonyms"), "at least one synonym is expected");
        }
        for word in treatment.synonyms.iter().chain([&treatment.name]) {
            filled(&path("synonyms"), word)?;
            let owner = *words.entry(word.to_lowercase()).or_insert(index);
            if owner != index {
                return field(
                    &path("synonyms"),
                    &format!("{word:?} already means treatments[{owner}]"),
                );
            }
        }
    }
    Ok(())
}
