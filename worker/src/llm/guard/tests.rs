//! What must not be said, and what must be sayable.

use shared::clinic::Clinic;

use super::{FORBIDDEN, Guard};

const INSTEAD: &str = "Ask a doctor.";

/// What is said of a text that comes in these pieces.
fn said(pieces: &[&str]) -> (Vec<String>, String) {
    let mut guard = Guard::after("", INSTEAD);
    let mut out: Vec<String> = pieces.iter().map(|piece| guard.next(piece)).collect();
    out.push(guard.end());
    let whole = out.concat();
    (out, whole)
}

/// In one piece, and character by character.
fn both_ways(text: &str) -> [String; 2] {
    let characters: Vec<String> = text.chars().map(String::from).collect();
    let characters: Vec<&str> = characters.iter().map(String::as_str).collect();
    // A space is out before it is known what follows it.
    [said(&[text]).1, said(&characters).1].map(|said| said.replace(" …", "…"))
}

#[test]
fn what_is_forbidden_is_left_out_to_the_end_of_its_sentence_however_it_is_cut() {
    assert!(!FORBIDDEN.doses.is_empty() && !FORBIDDEN.diagnoses.is_empty());
    for (text, expected) in [
        (
            "Hello. You can take ibuprofen 400 mg every 4.5 hours, or 2 tablets. Then rest!",
            "Hello. You can… Ask a doctor. Then rest!",
        ),
        ("You have an infection. Rest!", "Ask a doctor. Rest!"),
        ("Rest! You have an infection.", "Rest! Ask a doctor."),
        (
            "It sounds like an abscess. It is 5 mg. Bye!",
            "It… Ask a doctor. It is… Bye!",
        ),
    ] {
        assert_eq!(both_ways(text), [expected, expected], "{text}");
    }
}

#[test]
fn doses_are_known_in_four_languages() {
    for dose in [
        "take 1,000mg",
        "take 400 **mg** now",
        "take 400\u{a0}milligrams",
        "take two pills",
        "take half a tablet",
        "five hundred milligrams are enough",
        "take it every 6 hours",
        "take one of them twice a day",
        "Paracetamol 3 times a day",
        "10 drops in each eye",
        "Nehmen Sie 2 Tabletten",
        "eine halbe Tablette reicht",
        "Nehmen Sie es dreimal täglich",
        "nehmen Sie alle 6 Stunden eine",
        "fünfhundert Milligramm",
        "günde 2 hap alın",
        "yarım tablet yeter",
        "günde üç kez alın",
        "8 saatte bir alabilirsiniz",
        "500 miligram",
        "take 1 g of paracetamol",
        "paracetamol 1 g",
        "paracetamol up to 1.5 grams",
        "half a gram of ibuprofen",
        "ein Gramm Paracetamol",
        "nehmen Sie 2 g von Ibuprofen",
        "1 gram parasetamol",
        "باراسيتامول 1 غرام",
        "غرام واحد، أي 1 جرام من الباراسيتامول",
        "خذ 500 ملغ",
        "خذ ٥٠٠ ملغ",
        "تناول حبتين",
        "تناول حبة كل 8 ساعات",
        "نصف حبة",
        "تناوله مرتين يوميًا",
    ] {
        for said in both_ways(dose) {
            assert!(said.contains(INSTEAD), "{dose}: {said}");
        }
    }
}

#[test]
fn diagnoses_are_known_in_four_languages() {
    for diagnosis in [
        "You probably have an infection",
        "You have a mild scalp infection",
        "That sounds like gingivitis",
        "This looks like a fungal infection",
        "It seems to be psoriasis",
        "Your symptoms suggest an inflammation",
        "It could be an abscess",
        "This is probably alopecia",
        "You are suffering from hair loss",
        "My diagnosis is simple",
        "Sie haben eine Entzündung",
        "Das klingt nach einer Infektion",
        "Das ist wahrscheinlich Karies",
        "Sie leiden an Haarausfall",
        "Das könnte ein Abszess sein",
        "Sizde enfeksiyon var",
        "Bu muhtemelen iltihap",
        "Enfeksiyon gibi görünüyor",
        "İltihap olabilir",
        "Teşhisim şu",
        "لديك التهاب في اللثة",
        "يبدو أنه خراج",
        "ربما تكون عدوى",
        "أنت تعاني من الصدفية",
        // What is denied or asked in another clause denies no diagnosis.
        "I'm not a doctor, but you probably have an infection",
        "I am not a doctor but you probably have an infection",
        "Don't worry, it sounds like gingivitis",
        "Don't worry – it sounds like gingivitis",
        "Do you know, that sounds like gingivitis",
        "In my opinion you have an infection",
        "I don't know if it helps, but you probably have an infection",
        "If you ask me: you have an infection",
        "Keine Sorge, das klingt nach einer Entzündung",
        "Ich bin kein Arzt, aber das ist wahrscheinlich Karies",
        "Endişelenmeyin, bu muhtemelen iltihap",
        "Eğer bana sorarsanız bilmiyorum ama bu muhtemelen iltihap",
        "لا تقلق، يبدو أنه التهاب",
        "لست طبيبة ولا أعرف لكن يبدو أنه التهاب",
    ] {
        for said in both_ways(diagnosis) {
            assert!(said.contains(INSTEAD), "{diagnosis}: {said}");
        }
    }
}

#[test]
fn what_a_front_desk_says_passes() {
    for fine in [
        "Prices start from €1,900; it takes 6 to 8 hours, and 2-3 days. You can call 112. Two specialists.",
        "Usually 2,500 to 4,000 grafts are moved. We answer within 24 hours, every day.",
        "Do you have diabetes or an allergy? Tell us if you have an infection before you travel.",
        "You probably have questions. You may have heard of it. You have a consultation on Friday at 10.",
        "I can't say whether it is an infection: a doctor has to look at it.",
        "It looks like you have a busy week! That sounds like a good plan.",
        "I have noted: John Doe, hair transplant, +44 20 7946 0000, 3 pictures.",
        "We do not treat cancer, and infections are rare.",
        "Take your time. You can take a taxi every 10 minutes.",
        "Haben Sie Diabetes? Wenn Sie eine Infektion haben, sagen Sie es uns. Sie haben am Freitag um 10 Uhr einen Termin.",
        "Sie haben wahrscheinlich Fragen. Der Eingriff dauert 6 bis 8 Stunden.",
        "Şeker hastalığınız var mı? İşlem 6-8 saat sürer, 2 gün dinlenin.",
        "هل لديك سكري؟ تستغرق العملية من 6 إلى 8 ساعات. لديك موعد يوم الجمعة.",
        // A condition holds over a comma.
        "If you have a fever, you may have an infection. Wenn Sie Fieber haben, könnte es eine Entzündung sein.",
        "Eğer ateşiniz varsa, bu muhtemelen iltihap demektir. إذا ارتفعت الحرارة، ربما تكون عدوى.",
        "هل تدخن، أو لديك سكري؟",
        "We can't tell whether you have an infection, and we do not say that you have one.",
        // Grams are a dose beside a medicine alone.
        "It has 5 g of fat. The parcel weighs 2g, or 300 grams. Ein Gramm Gold.",
    ] {
        assert_eq!(both_ways(fine), [fine, fine]);
    }
}

#[test]
fn what_the_shipped_clinic_says_passes() {
    let clinic = Clinic::shipped();
    let mut texts: Vec<String> = clinic.faqs.iter().map(|faq| faq.answer.clone()).collect();
    for tag in ["en", "tr", "ar", "de"] {
        let translated = clinic.faqs.iter().filter_map(|faq| faq.translations.get(tag));
        texts.extend(translated.map(|faq| faq.answer.clone()));
        texts.extend(clinic.treatments.iter().map(|treatment| {
            let said = treatment.in_language(tag);
            [said.description, said.price_from, said.duration, said.recovery].join(". ")
        }));
    }
    for text in texts {
        assert_eq!(said(&[&text]).1, text);
    }
}

#[test]
fn other_words_do_not_even_wait() {
    let (pieces, _) = said(&["Hello", " there", ", from", " 400", " euros"]);
    assert_eq!(pieces, ["Hello", " there", ", from", " ", "400 euros", ""]);
    let (pieces, _) = said(&[
        "You",
        " have",
        " a",
        " consultation",
        " on",
        " Friday",
        " at",
        " ten",
    ]);
    assert_eq!(pieces.concat(), "You have a consultation on Friday at ten");
    assert_eq!(
        pieces[6], "You have a consultation on Friday at",
        "for as long as an illness may come"
    );
}

#[test]
fn what_was_said_before_counts() {
    let mut guard = Guard::after("Tell us if", INSTEAD);
    assert_eq!(
        guard.next(" you have an infection. ") + &guard.end(),
        " you have an infection. "
    );
    let mut guard = Guard::after("I think that", INSTEAD);
    assert_eq!(
        guard.next(" you have an infection. ") + &guard.end(),
        "… Ask a doctor. "
    );
}
