//! Numbers, complete and by half.

use clap::{CommandFactory, Parser};

use super::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: WhatsAppArgs,
}

const META: [&str; 4] = [
    "--meta-phone-number-id=106",
    "--meta-app-secret=s3cret-a",
    "--meta-verify-token=s3cret-b",
    "--meta-access-token=s3cret-c",
];
const TWILIO: [&str; 3] = [
    "--twilio-from=whatsapp:+15550783881",
    "--twilio-account-sid=AC1",
    "--twilio-auth-token=s3cret-d",
];
const PUBLIC: Option<&str> = Some("https://chat.example/");

fn senders(args: &[&str], public_url: Option<&str>) -> Result<Senders, ConfigError> {
    let command = Command::parse_from([&["test"], args].concat());
    command.args.senders(public_url)
}

fn refusal(args: &[&str], public_url: Option<&str>) -> String {
    let text = senders(args, public_url).unwrap_err().to_string();
    assert!(!text.contains("s3cret"), "{text}");
    text
}

#[test]
fn without_settings_there_is_no_number_and_with_all_of_them_there_is_one() {
    assert_eq!(senders(&[], None).unwrap(), Senders::default());
    let blank = ["--meta-app-secret=", "--twilio-from= "];
    assert_eq!(senders(&blank, None).unwrap(), Senders::default());
    let both = senders(&[&META[..], &TWILIO].concat(), PUBLIC).unwrap();
    let (meta, twilio) = (&both.meta[0], &both.twilio[0]);
    assert_eq!(meta.base_url, "https://graph.facebook.com");
    assert_eq!((meta.api_version.as_str(), &meta.template), ("v23.0", &None));
    assert_eq!(twilio.from, "+15550783881");
    assert_eq!(
        twilio.status_callback(Uuid::nil()),
        "https://chat.example/webhooks/twilio?delivery=00000000-0000-0000-0000-000000000000"
    );
    let keys: Vec<String> = both.keys().map(|key| key.to_string()).collect();
    assert_eq!(keys, ["meta:106", "twilio:+15550783881"]);
    for key in both.keys() {
        assert!(both.sender(&key).is_some(), "{key}");
    }
    let unknown = "meta:107".parse().unwrap();
    assert_eq!(both.sender(&unknown), None);
    let bare = ["--twilio-from=+15550783881", TWILIO[1], TWILIO[2]];
    assert_eq!(senders(&bare, PUBLIC).unwrap().twilio[0].from, "+15550783881");
}

#[test]
fn what_is_missing_is_named_in_one_sentence_for_both_providers() {
    for (index, name) in [
        "META_PHONE_NUMBER_ID",
        "META_APP_SECRET",
        "META_VERIFY_TOKEN",
        "META_ACCESS_TOKEN",
    ]
    .iter()
    .enumerate()
    {
        let mut some = META.to_vec();
        some.remove(index);
        let text = refusal(&some, None);
        assert_eq!(text, format!("WhatsApp is configured by half: {name} is missing"));
        let text = refusal(&META[index..=index], None);
        assert_eq!(text.matches("META_").count(), 3, "{text}");
    }
    assert_eq!(
        refusal(&[META[0], META[1], TWILIO[0]], None),
        "WhatsApp is configured by half: META_VERIFY_TOKEN and META_ACCESS_TOKEN are missing; \
         TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and PUBLIC_URL are missing"
    );
    let template = [&META[..], &["--meta-template=hello"]].concat();
    assert!(refusal(&template, None).ends_with("META_TEMPLATE_LANGUAGE is missing"));
    let language = [&META[..], &["--meta-template-language=en_US"]].concat();
    assert!(refusal(&language, None).ends_with(": META_TEMPLATE is missing"));
    assert!(refusal(&language[4..], None).ends_with(", META_ACCESS_TOKEN and META_TEMPLATE are missing"));
    assert!(refusal(&["--meta-template=hello"], None).contains("META_APP_SECRET"));
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    for (wrong, name) in [
        ("--meta-phone-number-id=+1555", "META_PHONE_NUMBER_ID"),
        ("--meta-access-token=s3cret c", "META_ACCESS_TOKEN"),
        ("--meta-base-url=graph.facebook.com", "META_BASE_URL"),
        ("--meta-api-version=23", "META_API_VERSION"),
        ("--meta-api-version=v23/../x", "META_API_VERSION"),
    ] {
        let mut args = META.to_vec();
        let setting = wrong.split('=').next().unwrap();
        args.retain(|arg| !arg.starts_with(setting));
        args.push(wrong);
        let text = refusal(&args, None);
        assert!(text.starts_with(&format!("{name}: ")), "{text}");
    }
    let refused = |from: &'static str, public| refusal(&[from, TWILIO[1], TWILIO[2]], Some(public));
    assert!(refused("--twilio-from=Anna", "https://a").starts_with("TWILIO_FROM: "));
    assert!(refused(TWILIO[0], "chat.example").starts_with("PUBLIC_URL: "));
    assert!(refused(TWILIO[0], "https://a/?b").starts_with("PUBLIC_URL: "));
}

#[test]
fn a_file_adds_numbers_and_its_mistakes_are_found_without_being_quoted() {
    let path = std::env::temp_dir().join(format!("frontdesk-whatsapp-{}.toml", Uuid::now_v7()));
    let given = format!("--whatsapp-config={}", path.display());
    let args = [&META[..], &[&given]].concat();
    let write = |text: &str| std::fs::write(&path, text).unwrap();

    write(
        "[[meta]]\nphone_number_id = \"107\"\napp_secret = \"s3cret\"\nverify_token = \"s3cret\"\n\
         access_token = \"s3cret\"\ntemplate = \"hello\"\ntemplate_language = \"en_US\"\n\
         [[twilio]]\nfrom = \"+15550783881\"\naccount_sid = \"AC1\"\nauth_token = \"s3cret\"\nbase_url = \"http://sim:1/\"\n",
    );
    let all = senders(&args, PUBLIC).unwrap();
    let keys: Vec<String> = all.keys().map(|key| key.to_string()).collect();
    assert_eq!(keys, ["meta:106", "meta:107", "twilio:+15550783881"]);
    assert_eq!(all.meta[1].template.as_ref().unwrap().language, "en_US");
    assert_eq!(all.twilio[0].base_url, "http://sim:1");

    write("[[meta]]\nphone_number_id = \"106\"\napp_secret = \"s3cret\"\n");
    let text = refusal(&args, None);
    let place = "WHATSAPP_CONFIG, [[meta]] 1, ";
    assert!(
        text.ends_with(&format!(
            "{place}verify_token and {place}access_token are missing"
        )),
        "{text}"
    );
    for (wrong, line) in [
        ("\napp_secret = \"s3cret", 2),
        (
            "[[meta]]\nphone_number_id = \"1\"\n\naccess_token = 12 # s3cret\n",
            4,
        ),
        ("[[meta]]\naccess_tokn = \"s3cret\"\n", 2),
    ] {
        write(wrong);
        let text = refusal(&args, None);
        assert!(text.contains(&format!("line {line}:")), "{text}");
    }
    write(
        "[[meta]]\nphone_number_id = \"106\"\napp_secret = \"s3cret\"\nverify_token = \"s3cret\"\naccess_token = \"s3cret\"\n",
    );
    assert!(refusal(&args, None).contains("meta:106 is configured twice"));
    std::fs::remove_file(&path).unwrap();
    assert!(refusal(&args, None).starts_with("WHATSAPP_CONFIG: "));
}

#[test]
fn secrets_print_nowhere() {
    let all = [&META[..], &TWILIO].concat();
    let command = Command::parse_from([&["test"], &all[..]].concat());
    let printed = format!("{:?} {:?}", command.args, command.args.senders(PUBLIC).unwrap());
    assert!(!printed.contains("s3cret"), "{printed}");
    // A value of the environment stands in the help, unless that is switched off.
    for name in [
        "meta_app_secret",
        "meta_verify_token",
        "meta_access_token",
        "twilio_auth_token",
    ] {
        let command = Command::command();
        let mut settings = command.get_arguments();
        let setting = settings.find(|argument| argument.get_id() == name).unwrap();
        assert!(setting.is_hide_env_values_set(), "{name}");
    }
}
