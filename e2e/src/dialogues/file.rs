//! The format of `e2e/dialogues/*.toml`. What stands in a turn is expected of every engine, but for its `rules`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    dialogue: Vec<Dialogue>,
}

/// One conversation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dialogue {
    /// Unique; what a filter is compared with.
    pub name: String,
    /// What is stored of a visitor who was here before.
    #[serde(default)]
    pub user_name: Option<String>,
    /// Whether that visitor has consented.
    #[serde(default)]
    pub user_consented: bool,
    /// What is stored of that visitor's language, as a BCP 47 tag.
    #[serde(default)]
    pub user_language: Option<String>,
    /// The language of the replies until a turn names another one; English where it is absent.
    #[serde(default)]
    pub language: Option<String>,
    /// RFC 3339; noon of a Wednesday where it is absent.
    #[serde(default)]
    pub now: Option<String>,
    /// The state that the first turn finds.
    #[serde(default)]
    pub state: Option<Value>,
    /// Why no language model can be held to this one, where that is so.
    #[serde(default)]
    pub rules_only: Option<String>,
    /// The fake model's lines for this dialogue: a file in `scripts/`, without its ending.
    #[serde(default)]
    pub script: Option<String>,
    /// What is said, and what comes of it.
    #[serde(rename = "turn")]
    pub turns: Vec<Step>,
}

/// One message, and what is expected of the reply.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What the visitor writes; several messages where it is a list.
    pub say: Say,
    /// How often the text is repeated, for very long ones.
    #[serde(default)]
    pub times: Option<usize>,
    /// Links to pictures and to voice notes ("audio:…"), all on the last message.
    #[serde(default)]
    pub media: Vec<String>,
    /// Facts that the reply has in it, in any case of letters; "a|b" is either.
    #[serde(default)]
    pub must_say: Vec<String>,
    /// What it has not, in any case of letters.
    #[serde(default)]
    pub must_not_say: Vec<String>,
    /// The effects in short form: "consent yes", "name John", "consultation John | … | … | …". Absent: none at all.
    #[serde(default)]
    pub effects: Vec<String>,
    /// Effects that a model may have or not, by a good reading of what was said.
    #[serde(default)]
    pub optional: Vec<String>,
    /// Paths into the state and what they hold; "" is nothing.
    #[serde(default)]
    pub state: BTreeMap<String, Value>,
    /// To which agent the session is pinned.
    #[serde(default)]
    pub agent: Option<String>,
    /// How many attachments the consultation of this turn lists.
    #[serde(default)]
    pub attached: Option<usize>,
    /// Fragments of the summary for the staff.
    #[serde(default)]
    pub staff: Vec<String>,
    /// The language of this reply and of those that follow.
    #[serde(default)]
    pub language: Option<String>,
    /// No model is asked, whatever thinks: the rules answer an emergency, so `rules` counts for every engine.
    #[serde(default)]
    pub by_rule: bool,
    /// The rules' own wording.
    #[serde(default)]
    pub rules: Wording,
}

/// How the rules say it. A model finds its own words.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wording {
    /// To the letter.
    #[serde(default)]
    pub say: Vec<String>,
    /// To the letter.
    #[serde(default)]
    pub not_say: Vec<String>,
    /// The buttons, all of them.
    #[serde(default)]
    pub quick_replies: Option<Vec<String>>,
    /// As `state` of the turn: what the rules alone keep to.
    #[serde(default)]
    pub state: BTreeMap<String, Value>,
}

/// One message, or a burst of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Say {
    /// One.
    One(String),
    /// Several, answered together.
    Burst(Vec<String>),
}

/// Where the dialogues are.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dialogues")
}

/// All dialogues, by file and place.
///
/// # Errors
/// A file cannot be read, or two dialogues have one name.
pub fn all() -> Result<Vec<Dialogue>> {
    let entries = std::fs::read_dir(folder()).context("the folder of dialogues")?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    paths.sort();
    let mut dialogues: Vec<Dialogue> = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let file: File = toml::from_str(&text).with_context(|| path.display().to_string())?;
        for dialogue in file.dialogue {
            let taken = dialogues.iter().any(|other| other.name == dialogue.name);
            ensure!(!taken, "{}: {:?} is there twice", path.display(), dialogue.name);
            dialogues.push(dialogue);
        }
    }
    Ok(dialogues)
}
