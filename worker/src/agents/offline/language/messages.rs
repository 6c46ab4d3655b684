//! What is said in one language, read from its `messages.toml`.

use std::collections::HashMap;

use serde::Deserialize;
use time::Date;
use time::macros::format_description;

use crate::agents::offline::conversation::Details;

macro_rules! messages {
    ($($key:ident),* $(,)?) => {
        /// The sentences of a language. A file that lacks one, or has one too many, does not load.
        #[derive(Clone, Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct Messages {
            $(pub(crate) $key: String,)*
            pub(crate) weekdays: [String; 7],
            pub(crate) months: [String; 12],
            /// How the languages of a clinic's team are called, by their English names.
            pub(crate) spoken: HashMap<String, String>,
        }
    };
}

messages! {
    intro, intro_named, intro_emergency, purpose, hello_again, ask_consent, ask_consent_again, ask_name,
    ask_name_again, ask_treatment, ask_treatment_again, ask_contact, ask_contact_again, ask_time,
    ask_time_again, ask_change, ask_change_again, ask_offer, ask_offer_again, ask_another, ask_confirm,
    ask_confirm_update, confirm_attachments, yes, no, thanks_name, thanks_plain,
    consent_thanks, noted_treatment, noted_contact, noted_time, corrected_name, corrected_treatment,
    corrected_contact, corrected_time, undecided, noted_undecided, any_time,
    not_understood, not_a_name, not_a_treatment, not_a_contact, contact_needed, phone_short, phone_long,
    email_broken, not_a_time, time_past, time_past_date, time_closed, time_outside, time_impossible,
    too_long, refused, refused_reach, refused_still, withdrawn, withdrawn_reach, cancelled,
    cancelled_submitted, restarted, submitted, submitted_update, already_submitted, another_no, offer_no,
    welcome, goodbye, calm, smalltalk, off_topic, media_thanks, media_full, media_it, media_them,
    one_file, many_files, one_voice, many_voices, price, price_all, price_note, duration, recovery,
    treatments, about, hours_week, hours_open_day, hours_closed_day, hours_open_now, hours_closed_now,
    hours_span, hours_day, hours_range, hours_closed, address, phone, email, website, not_configured,
    reach_phone, reach_email, languages, identity, who, privacy, medical, medical_note, unknown,
    unknown_reach, capabilities, status_none, status_open, status_sent, status_emptied, human,
    human_reach, human_again, human_back, emergency, despair, emergency_after, staff_summary,
    staff_update, staff_emergency, staff_none, staff_files, staff_voices, staff_language, model_by_rules,
    model_interrupted, model_medical, contact, late_today, late_yesterday, late_on, unreadable,
    failed, failed_reach, comma, semicolon, and, or, date,
}

impl Messages {
    /// "Tuesday 1 December 2026"
    pub(crate) fn date(&self, date: Date) -> String {
        let weekday = &self.weekdays[usize::from(date.weekday().number_days_from_monday())];
        let month = &self.months[usize::from(u8::from(date.month())) - 1];
        let (day, year) = (date.day().to_string(), date.year().to_string());
        fill(
            &self.date,
            &[
                ("weekday", weekday),
                ("day", &day),
                ("month", month),
                ("year", &year),
            ],
        )
    }

    /// "a, b and c"
    pub(crate) fn all(&self, items: &[String]) -> String {
        list(items, &self.comma, &self.and)
    }

    /// "a, b or c"
    pub(crate) fn any(&self, items: &[String]) -> String {
        list(items, &self.comma, &self.or)
    }

    /// A preferred time in the visitor's words, with the dates where they were understood.
    pub(crate) fn time(&self, details: &Details) -> String {
        let words = details.time.clone().unwrap_or_default();
        let iso = format_description!("[year]-[month]-[day]");
        let dates = details
            .dates
            .iter()
            .filter_map(|date| Date::parse(date, iso).ok());
        let dates: Vec<String> = dates.map(|date| self.date(date)).collect();
        if dates.is_empty() {
            return words;
        }
        format!("{words} ({})", self.any(&dates))
    }

    /// The languages of the clinic's team.
    pub(crate) fn languages(&self, english: &[String]) -> String {
        let named = english
            .iter()
            .map(|name| self.spoken.get(name).unwrap_or(name).clone());
        self.all(&named.collect::<Vec<_>>())
    }
}

fn list(items: &[String], comma: &str, word: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{}{word}{last}", first.join(comma)),
    }
}

/// Puts values into the braces of a template. Braces within a value are text: what a visitor wrote is never a template.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (key, behind) = after.split_once('}').unwrap_or((after, ""));
        let value = values.iter().find(|(name, _)| *name == key);
        debug_assert!(value.is_some(), "no value for {key} in {template:?}");
        out.push_str(value.map_or("", |(_, value)| value));
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::{Messages, fill};

    const ENGLISH: &str = include_str!("en/messages.toml");

    #[test]
    fn a_language_that_lacks_a_sentence_does_not_load() {
        assert!(toml::from_str::<Messages>(ENGLISH).is_ok());
        let lacking = ENGLISH.replace("goodbye = ", "good_bye = ");
        assert!(toml::from_str::<Messages>(&lacking).is_err());
    }

    #[test]
    fn a_value_is_never_read_as_a_template() {
        assert_eq!(
            fill(
                "Hello {name}, {clinic}!",
                &[("name", "{clinic}"), ("clinic", "C")]
            ),
            "Hello {clinic}, C!"
        );
    }
}
