//! What a `clinic.toml` may say, and how a mistake in it is named.

use time::macros::{datetime, offset, time};
use time::{UtcOffset, Weekday};

use super::{Clinic, DayHours};

const SHIPPED: &str = include_str!("../../../clinic.toml");

#[test]
fn the_shipped_clinic_is_complete() {
    let clinic = Clinic::parse(SHIPPED).unwrap();
    assert_eq!(clinic, Clinic::shipped());
    assert_eq!(
        (clinic.name.as_str(), clinic.assistant.as_str()),
        ("Istanbul Medic", "Anna")
    );
    assert_eq!(clinic.emergency_number, "112");
    assert_eq!(clinic.utc_offset, UtcOffset::from_hms(3, 0, 0).unwrap());
    let names: Vec<_> = clinic
        .treatments
        .iter()
        .map(super::Treatment::full_name)
        .collect();
    assert_eq!(
        names,
        [
            "hair transplant",
            "rhinoplasty (nose job)",
            "dental implants",
            "dental veneers"
        ]
    );
    assert_eq!(
        clinic.opening_hours.on(Weekday::Saturday),
        DayHours::Open(time!(10:00), time!(16:00))
    );
    assert_eq!(clinic.opening_hours.on(Weekday::Sunday), DayHours::Closed);
}

#[test]
fn the_shipped_clinic_is_translated() {
    let clinic = Clinic::shipped();
    for language in ["tr", "ar", "de"] {
        for treatment in &clinic.treatments {
            assert!(
                treatment.translations.contains_key(language),
                "{}: {language}",
                treatment.name
            );
        }
        for faq in &clinic.faqs {
            assert!(
                faq.translations.contains_key(language),
                "{}: {language}",
                faq.answer
            );
        }
    }
    let hair = &clinic.treatments[0];
    assert_eq!(hair.in_language("de").full_name(), "Haartransplantation");
    assert_eq!(
        hair.in_language("fr").name,
        "hair transplant",
        "what is missing is said as it stands"
    );
    assert!(hair.words_in("tr").any(|word| word == "saç ekim%"));
    assert!(!hair.words_in("en").any(|word| word == "saç ekim%"));
}

#[test]
fn open_means_from_the_first_minute_until_the_last() {
    let hours = Clinic::shipped().opening_hours;
    let monday = datetime!(2026-11-23 09:00).assume_offset(offset!(+3));
    assert!(hours.is_open(monday));
    assert!(!hours.is_open(monday.replace_hour(8).unwrap()));
    assert!(!hours.is_open(monday.replace_hour(19).unwrap()));
    assert!(!hours.is_open(monday - time::Duration::DAY), "Sunday");
}

#[test]
fn a_mistake_is_named_by_its_field() {
    let cases = [
        (
            "name = \"Istanbul Medic\"",
            "name = \" \"",
            "name: must not be empty",
        ),
        ("assistant = \"Anna\"\n", "", "missing field `assistant`"),
        (
            "assistant = \"Anna\"",
            "assistent = \"Anna\"",
            "unknown field `assistent`",
        ),
        ("\"112\"", "\"call us\"", "emergency_number: a telephone number"),
        (
            "\"+03:00\"",
            "\"Europe/Istanbul\"",
            "utc_offset: an offset such as",
        ),
        ("\"+03:00\"", "\"+3\"", "utc_offset: an offset such as"),
        ("sunday = \"closed\"\n", "", "opening_hours.sunday: missing"),
        (
            "sunday = \"closed\"",
            "sunday = \"no\"",
            "opening_hours.sunday: hours such as",
        ),
        (
            "sunday = \"closed\"",
            "sonntag = \"closed\"",
            "opening_hours.sonntag: no such day",
        ),
        (
            "\"10:00-16:00\"",
            "\"16:00-10:00\"",
            "opening_hours.saturday: the clinic closes before it opens",
        ),
        (
            "\"10:00-16:00\"",
            "\"10:00-24:30\"",
            "opening_hours.saturday: hours such as",
        ),
        (
            "\"€2,800\"",
            "\"2800\"",
            "treatments[1].price_from: an amount with its currency",
        ),
        (
            "also = \"nose job\"",
            "alias = \"nose job\"",
            "unknown field `alias`",
        ),
        (
            "\"rhino\", ",
            "\"hairline\", ",
            "treatments[1].synonyms: \"hairline\" already means treatments[0]",
        ),
        (
            "[\"insurance\", \"insured\", \"health fund\"]",
            "[]",
            "faqs[3].keywords: at least one keyword",
        ),
        (
            "phone = \"+90 212 555 01 00\"",
            "phone = \"\"",
            "contact.phone: must not be empty",
        ),
        (
            "persona = \"",
            "persona = \"\" # \"",
            "persona: must not be empty",
        ),
        ("\ninformation = ", "\ninfo = ", "unknown field `info`"),
        (
            "name = \"Veneers\"",
            "name = \" \"",
            "treatments[3].translations.de.name: must not be empty",
        ),
        (
            "\"450 € pro Implantat\"",
            "\"pro Implantat\"",
            "treatments[2].translations.de.price_from: an amount with its currency",
        ),
        ("\"glatze\", ", "\"nase\", ", "already means treatments[0]"),
        (
            "languages = [",
            "languages = [] #",
            "languages: at least one language",
        ),
    ];
    for (from, to, expected) in cases {
        assert!(SHIPPED.contains(from), "{from} is not in clinic.toml");
        let error = Clinic::parse(&SHIPPED.replacen(from, to, 1))
            .expect_err(to)
            .to_string();
        assert!(error.contains(expected), "{to}: {error}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Clinic::load(std::path::Path::new("/no/such/clinic.toml")).unwrap_err();
    assert!(error.to_string().starts_with("/no/such/clinic.toml: "), "{error}");
}
