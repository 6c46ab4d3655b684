//! Emergencies, and what only looks like one.

use super::{Emergency, Said, find};

#[test]
fn emergencies_are_noticed() {
    let danger = [
        "I have chest pain",
        "chest pains and sweating",
        "my chest hurts a lot",
        "there is a pressure on my chest",
        "I can't breathe",
        "i cant breath",
        "I can not breathe",
        "I can't really breathe",
        "I am struggling to breathe",
        "my wife has trouble breathing",
        "I am bleeding heavily",
        "the bleeding won't stop",
        "it won't stop bleeding",
        "heavy bleeding after my implant",
        "I'm losing a lot of blood",
        "I cannot stop the bleeding",
        "he is unconscious",
        "my husband passed out",
        "she collapsed and is not responding",
        "I think I'm having a stroke",
        "his face is drooping",
        "she has slurred speech",
        "I can't move my left arm",
        "I took too many pills",
        "overdose",
        "I think he overdosed",
        "severe allergic reaction",
        "my throat is closing",
        "my tongue is swelling",
        "heart attack!",
        "I think my father is having a heart attack",
        "call an ambulance",
        "this is an emergency",
        "No, I have chest pain",
        "no i have chest pain",
        "I don't know, but I have chest pain",
        "I had chest pain an hour ago and it is back",
        "I have chest pain, is that normal?",
        "is it normal that I can't breathe?",
        "My name is John. I can't breathe. I need help",
        "I am dying",
        "I'm coughing up blood",
        "he has a seizure",
        "what is the emergency number",
        "I want a hair transplant but now I have chest pain",
        "göğüs ağrım var",
        "nefes alamıyorum",
        "ich habe Brustschmerzen",
        "لا أستطيع التنفس",
        "he drank bleach",
        "I am choking",
        "What should I do if I have heavy bleeding?",
    ];
    all(&danger, Some(Emergency::Danger));
    let despair = [
        "I want to kill myself",
        "I want to die",
        "I feel suicidal",
        "I don't want to live anymore",
        "I'm going to end my life",
        "everyone is better off dead",
        "i wanna die",
        "I am thinking about suicide",
        "I hurt myself",
        "there is no reason to live",
        "intihar edeceğim",
        "ich will sterben",
    ];
    all(&despair, Some(Emergency::Despair));
}

fn all(texts: &[&str], expected: Option<Emergency>) {
    let wrong: Vec<_> = texts
        .iter()
        .filter(|text| find(&Said::new(text)).map(|(emergency, _)| emergency) != expected)
        .collect();
    assert!(wrong.is_empty(), "not {expected:?}: {wrong:#?}");
}

#[test]
fn an_emergency_is_found_at_the_end_of_the_longest_message() {
    /// Bytes, as the api takes them.
    const LONGEST: usize = 64 << 10;
    for (filler, alarm) in [
        ("a ", "I have chest pain"),
        ("1, ", "göğüs ağrım var"),
        ("so, I said. ", "ich will sterben"),
        ("no pain ", "ألم في صدري"),
    ] {
        let text = format!("{}. {alarm}", filler.repeat((LONGEST - 50) / filler.len()));
        assert!(find(&Said::new(&text)).is_some(), "{alarm} behind {filler:?}");
    }
}

#[test]
fn look_alikes_are_none() {
    let calm = [
        "my heart is set on Tuesday",
        "this price is killing me",
        "I'm dying to know",
        "is bleeding normal after implants?",
        "my friend had a heart attack last year",
        "I'd kill for a nose like that",
        "no chest pain",
        "I have no chest pain",
        "I don't have chest pain",
        "I have never had a stroke",
        "no fever, no chest pain",
        "no shortness of breath or chest pain",
        "the price nearly gave me a heart attack",
        "I had a heart attack in 2019",
        "my father died of a heart attack",
        "what if I have chest pain after the surgery?",
        "what is the risk of heavy bleeding?",
        "can a hair transplant cause heavy bleeding?",
        "is chest pain a side effect?",
        "I can't breathe through my nose",
        "I have trouble breathing through my nose",
        "will I be unconscious during the surgery?",
        "I want to die my hair",
        "a smile to die for",
        "a stroke of luck",
        "this is not an emergency",
        "I was dying of laughter",
        "Do I bleed a lot?",
        "my gums bleed a little",
        "do you have emergency appointments?",
        "hair transplant",
        "",
        "I would die for that smile",
        "unconscious bias",
        "I am afraid of heavy bleeding",
        "is shortness of breath common afterwards?",
        "it hurts a bit",
        "I lost a lot of hair",
        "chest hair transplant",
        "My heart is broken by the price",
        "breast implants",
        "I have a history of seizures",
        "I used to have trouble breathing",
    ];
    all(&calm, None);
}

#[test]
fn emergencies_are_noticed_in_every_language() {
    let danger = [
        // Turkish
        "göğsümde şiddetli ağrı var",
        "gogsum agriyor",
        "babam kalp krizi geçiriyor",
        "nefes alamıyor yardım edin",
        "kanama durmuyor",
        "çok kanıyor",
        "annem bayıldı",
        "bilinci kapalı",
        "babam tepki vermiyor",
        "112'yi arayın",
        "eşim felç geçiriyor",
        "çok fazla ilaç içtim",
        "ambulans çağırın",
        "bu acil bir durum, acil durum",
        "boğazım şişti nefes alamıyorum",
        "kolumu hareket ettiremiyorum",
        "ölüyorum",
        // German
        "Ich habe starke Schmerzen in der Brust",
        "Meine Brust tut weh",
        "ich kann nicht atmen",
        "Ich kriege keine Luft",
        "Es hört nicht auf zu bluten",
        "die Blutung hört nicht auf",
        "Er ist bewusstlos",
        "mein Vater reagiert nicht mehr",
        "meine Mutter ist ohnmächtig geworden",
        "ich glaube, er hat einen Schlaganfall",
        "Ich habe zu viele Tabletten genommen",
        "Rufen Sie einen Krankenwagen",
        "das ist ein Notfall",
        "mein Hals schwillt zu",
        "Nein, ich habe Brustschmerzen",
        "Ist es normal, dass ich nicht atmen kann?",
        // Arabic
        "صدري يؤلمني",
        "عندي ألم شديد في الصدر",
        "لا أقدر أتنفس",
        "مش قادر أتنفس",
        "ضيق في التنفس",
        "النزيف لا يتوقف",
        "عندي نزيف شديد",
        "أبي فاقد الوعي",
        "أغمي عليها",
        "أظن أنها جلطة دماغية",
        "أخذت جرعة زائدة",
        "اتصلوا بالإسعاف",
        "هذه حالة طارئة",
        "زوجي عنده نوبة قلبية",
        "لا، عندي ألم في الصدر",
    ];
    all(&danger, Some(Emergency::Danger));
    let despair = [
        "kendimi öldürmek istiyorum",
        "artık yaşamak istemiyorum",
        "ölmek istiyorum",
        "Ich will mich umbringen",
        "ich möchte nicht mehr leben",
        "Ich denke an Selbstmord",
        "ich wäre lieber tot",
        "أريد أن أموت",
        "أفكر في الانتحار",
        "سأقتل نفسي",
        "لا أريد أن أعيش",
    ];
    all(&despair, Some(Emergency::Despair));
}

#[test]
fn look_alikes_are_none_in_any_language() {
    let calm = [
        // Turkish
        "kalbim kırık",
        "göğüs ağrım yok",
        "gülmekten öldüm",
        "meraktan ölüyorum",
        "bu gülüşe bayıldım",
        "fiyatı görünce kalp krizi geçirecektim",
        "babam geçen yıl kalp krizi geçirdi",
        "burnumdan nefes alamıyorum",
        "implanttan sonra kanama olur mu?",
        "kanama riski var mı?",
        "acil değil",
        "saçlarım dökülüyor",
        "siteniz tepki vermiyor",
        "numaram 0532 112 33 44",
        "intihar etmeyi düşünmüyorum",
        "göğüs estetiği istiyorum",
        // German
        "Herzlichen Dank",
        "herzlich willkommen",
        "mir liegt das am Herzen",
        "ich sterbe vor Neugier",
        "das bringt mich um den Schlaf, der Preis bringt mich um",
        "keine Brustschmerzen",
        "Ich habe keine Atemnot und keine Brustschmerzen",
        "mein Vater hatte vor zwei Jahren einen Herzinfarkt",
        "Ist eine Blutung nach Implantaten normal?",
        "kann es zu starken Blutungen kommen?",
        "Bin ich während der Operation bewusstlos?",
        "Ich bekomme durch die Nase keine Luft",
        "Das ist kein Notfall",
        "Was soll ich tun, wenn ich nach der Operation eine starke Blutung habe, ist das normal?",
        "Brustvergrößerung",
        "Ich habe Angst vor einer Überdosis Kaffee",
        "zum Sterben schön",
        "Die Klinik reagiert nicht auf meine E-Mails",
        "meine Nummer ist 112 233 4455",
        // Arabic
        "قلبي معك",
        "قلبي معكم",
        "أموت من الضحك",
        "بموت من الفضول",
        "ليس عندي ألم في الصدر",
        "ما عندي ضيق في التنفس",
        "لا أستطيع التنفس من أنفي",
        "هل النزيف بعد الزراعة طبيعي؟",
        "ما هي مخاطر نزيف شديد؟",
        "والدي أصيب بجلطة قلبية قبل سنة",
        "ليست حالة طارئة",
        "السعر سبب لي جلطة",
        "أريد زراعة الشعر",
        "الموقع لا يستجيب",
    ];
    all(&calm, None);
}

#[test]
fn what_was_before_does_not_take_back_what_is_now() {
    let danger = [
        "I had my implants two weeks ago and now the bleeding won't stop",
        "I had my implants two weeks ago and the bleeding won't stop",
        "two weeks ago I got a hair transplant now I have chest pain",
        "I had a stroke last year and I have severe chest pain",
        "I have a history of asthma and I can't breathe",
        "my father died last year and my mother can't breathe",
        "This chest pain is killing me",
        "I had surgery last month and today I can't breathe",
        "Is it normal that I had surgery a week ago and now the bleeding won't stop?",
        "Ich wurde vor zwei Wochen operiert und jetzt habe ich starke Brustschmerzen",
        "Ich wurde vor zwei Wochen operiert und die Blutung hört nicht auf",
        "Ich hatte vor einem Jahr einen Herzinfarkt und ich bekomme keine Luft",
        "iki hafta önce ekim yaptırdım şimdi kanama durmuyor",
        "iki hafta önce ekim yaptırdım ve kanama durmuyor",
        "geçen ay ameliyat oldum ve nefes alamıyorum",
        "أجريت العملية قبل أسبوع وعندي نزيف شديد",
        "أجريت العملية قبل أسبوع والآن لا أستطيع التنفس",
        "أجريت العملية قبل أسبوعين والنزيف لا يتوقف",
    ];
    all(&danger, Some(Emergency::Danger));
    let despair = [
        "My husband died last year and I want to die",
        "My mother died from cancer and I want to kill myself",
        "I have wanted to die since last year",
        "I am afraid that I will kill myself",
        "Is it normal that I want to die?",
        "Mein Mann ist gestorben und ich will nicht mehr leben",
        "Ich habe Angst, dass ich mich umbringe",
        "eşim öldü ve ben de ölmek istiyorum",
        "annem geçen yıl vefat etti ve kendimi öldürmek istiyorum",
        "توفي زوجي وأريد أن أموت",
        "ماتت أمي قبل سنة ولا أريد أن أعيش",
    ];
    all(&despair, Some(Emergency::Despair));
    let calm = [
        "my father had chest pain and shortness of breath last year",
        "last year I had chest pain and shortness of breath",
        "I had a stroke five years ago and I am fine now",
        "I had nose surgery years ago and I can't breathe through it",
        "What happens if I take aspirin and I start bleeding heavily?",
        "can finasteride cause suicidal thoughts?",
        "my brother committed suicide last year",
        "I have a history of seizures and take tablets for it",
        "Kann Finasterid Suizidgedanken auslösen?",
        "Vor zwei Jahren hatte ich einen Herzinfarkt und jetzt geht es mir gut",
        "geçen yıl göğüs ağrım ve nefes darlığım vardı",
        "babam geçen yıl kalp krizi geçirdi ve şimdi iyi",
        "أصيب والدي بجلطة قلبية قبل سنة والآن هو بخير",
    ];
    all(&calm, None);
}
