//! What a clinic offers.

use std::collections::{BTreeMap, HashMap};

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
    /// Other words for it, in any language. No two treatments share one. A word that ends in `%` has any ending, for
    /// languages that put one behind a name: `ekim%` is "ekimi", "ekimine" and so on.
    pub synonyms: Vec<String>,
    /// The same in other languages, by BCP 47 tag.
    #[serde(default)]
    pub translations: BTreeMap<String, TreatmentText>,
}

/// A treatment in another language than the file's own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreatmentText {
    /// Its name, as it is shown to visitors. A request stores the treatment's own name.
    pub name: String,
    /// As in [`Treatment`], and so are all that follow.
    pub also: Option<String>,
    /// One sentence.
    pub description: String,
    /// The lowest price.
    pub price_from: String,
    /// How long it takes.
    pub duration: String,
    /// How long one needs afterwards.
    pub recovery: String,
    /// Other words for it, besides those of the treatment.
    #[serde(default)]
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

    /// The treatment as it is said in `language`; as it stands where that is not translated.
    #[must_use]
    pub fn in_language(&self, language: &str) -> Self {
        let Some(text) = self.translations.get(language).cloned() else {
            return self.clone();
        };
        Self {
            name: text.name,
            also: text.also,
            description: text.description,
            price_from: text.price_from,
            duration: text.duration,
            recovery: text.recovery,
            synonyms: self.synonyms.clone(),
            translations: BTreeMap::new(),
        }
    }

    /// The words that mean this treatment, in the file's own language and in `language`.
    pub fn words_in(&self, language: &str) -> impl Iterator<Item = &String> {
        let translated = self.translations.get(language).into_iter();
        let translated =
            translated.flat_map(|text| text.synonyms.iter().chain([&text.name]).chain(&text.also));
        self.synonyms
            .iter()
            .chain([&self.name])
            .chain(&self.also)
            .chain(translated)
    }

    /// The words that mean this treatment, in all languages.
    fn words(&self) -> impl Iterator<Item = &String> {
        let translated = self
            .translations
            .values()
            .flat_map(|text| text.synonyms.iter().chain([&text.name]).chain(&text.also));
        self.synonyms
            .iter()
            .chain([&self.name])
            .chain(&self.also)
            .chain(translated)
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
        check_price(&path("price_from"), &treatment.price_from)?;
        if treatment.synonyms.is_empty() {
            return field(&path("synonyms"), "at least one synonym is expected");
        }
        for (language, text) in &treatment.translations {
            let path = |name: &str| path(&format!("translations.{language}.{name}"));
            filled(&path("name"), &text.name)?;
            filled(&path("description"), &text.description)?;
            filled(&path("duration"), &text.duration)?;
            filled(&path("recovery"), &text.recovery)?;
            check_price(&path("price_from"), &text.price_from)?;
            text.also
                .as_deref()
                .map_or(Ok(()), |also| filled(&path("also"), also))?;
        }
        for word in treatment.words() {
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

fn check_price(path: &str, price: &str) -> Result<(), ClinicError> {
    let amount = price.chars().any(|c| c.is_ascii_digit());
    let currency = price.chars().any(|c| c.is_alphabetic() || "€$£₺".contains(c));
    if amount && currency {
        return Ok(());
    }
    field(path, "an amount with its currency is expected, e.g. \"€1,900\"")
}
