//! Saying what the model says: cleaned, without what it repeats, without what it must not say.

use super::clean::Clean;
use super::guard::Guard;
use super::seam::Seam;
use super::thoughts::Thoughts;
use crate::agents::{AgentError, Reply};

/// The longest reply, in bytes: many times what anyone reads in a chat.
const MAX_TEXT: usize = 24 << 10;

/// What stands between the texts of two rounds, and behind a text that was cut off.
const PARAGRAPH: &str = "\n\n";

/// A reply on its way out.
pub(crate) struct Voice<'r> {
    reply: &'r mut Reply,
    /// Everything that the visitor has of this reply, from this run and the one before it.
    text: String,
    /// How much of it is from the run before.
    before: usize,
    /// Where the text of this round begins.
    round: usize,
    thoughts: Thoughts,
    clean: Clean,
    seam: Option<Seam>,
    guard: Guard,
    /// A new paragraph is to be begun.
    paragraph: bool,
}

/// Why nothing more is said.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Nobody listens any more.
    By(AgentError),
    /// It is long enough.
    TooLong,
}

impl From<AgentError> for Ended {
    fn from(error: AgentError) -> Self {
        Self::By(error)
    }
}

impl<'r> Voice<'r> {
    /// A voice that goes on behind `already`; `medical` is said instead of doses and diagnoses.
    pub(crate) fn new(reply: &'r mut Reply, already: &str, medical: &str) -> Self {
        let mut voice = Self {
            reply,
            text: already.to_owned(),
            before: already.len(),
            round: 0,
            thoughts: Thoughts::default(),
            clean: Clean::default(),
            seam: None,
            guard: Guard::after(already, medical),
            paragraph: false,
        };
        if !already.is_empty() {
            voice.resume();
        }
        voice
    }

    /// What the visitor has.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What of it was said in this round, or was there before it.
    pub(crate) fn of_this_round(&self) -> &str {
        &self.text[self.round..]
    }

    /// Whether what the visitor has may be all of it: it does not end within a sentence.
    pub(crate) fn may_be_whole(&self) -> bool {
        let text = self.text.trim_end_matches(['"', '\'', ')', '»', '”', '“']);
        text.ends_with(|last: char| {
            last != ',' && last != ':' && !last.is_alphanumeric() && !last.is_whitespace()
        })
    }

    /// Whether anything was said in this run.
    pub(crate) fn has_spoken(&self) -> bool {
        self.text.len() > self.before
    }

    /// Says a piece of the model's text.
    pub(crate) async fn say(&mut self, piece: &str) -> Result<(), Ended> {
        let piece = self.thoughts.next(piece);
        let mut piece = self.clean.next(&piece);
        if let Some(seam) = &mut self.seam {
            piece = seam.next(&piece);
        }
        let piece = self.guard.next(&piece);
        self.send(piece).await?;
        if self.text.len() > MAX_TEXT {
            return Err(Ended::TooLong);
        }
        Ok(())
    }

    /// Says what was held back, once the model has no more to say in this round.
    pub(crate) async fn end_of_round(&mut self) -> Result<(), AgentError> {
        let held = self.thoughts.end();
        let mut piece = self.clean.next(&held);
        if let Some(seam) = &mut self.seam {
            piece = seam.next(&piece);
        }
        let piece = self.guard.next(&piece) + &self.guard.end();
        self.send(piece).await
    }

    /// Begins the next round.
    pub(crate) fn next_round(&mut self) {
        self.round = self.text.len();
        self.resume();
    }

    /// Goes on behind a text that was cut off, and leaves out what is repeated of it. What was held back will come again.
    pub(crate) fn resume(&mut self) {
        let anew = self.of_this_round().is_empty();
        self.thoughts = Thoughts::default();
        self.clean = if anew { Clean::default() } else { Clean::within() };
        self.seam = (!anew).then(|| Seam::after(&self.text));
        self.guard.forget();
        self.paragraph = anew && !self.text.is_empty();
    }

    /// Declares that what the visitor has stays, whether or not anything was added to it.
    pub(crate) fn keeps(&mut self) {
        if self.before > 0 {
            self.reply.goes_on();
        }
    }

    /// Ends what was cut off, and says `sentence`.
    pub(crate) async fn close(&mut self, sentence: &str) -> Result<(), AgentError> {
        let cut = if self.text.ends_with(['.', '!', '?', '؟']) {
            ""
        } else {
            "…"
        };
        self.paragraph = false;
        let gap = if sentence.is_empty() { "" } else { PARAGRAPH };
        self.send(format!("{cut}{gap}{sentence}")).await
    }

    async fn send(&mut self, piece: String) -> Result<(), AgentError> {
        if piece.is_empty() {
            return Ok(());
        }
        self.keeps();
        let piece = match std::mem::take(&mut self.paragraph) {
            true => format!("{PARAGRAPH}{}", piece.trim_start()),
            false => piece,
        };
        self.reply.piece(&piece).await?;
        self.text.push_str(&piece);
        Ok(())
    }

    /// Notes something beside the text: at once, where the visitor has text that may speak of it.
    pub(crate) async fn note(&mut self, note: String) -> Result<(), AgentError> {
        if self.text.is_empty() {
            self.reply.note(note);
            return Ok(());
        }
        self.keeps();
        self.reply.note_at_once(note).await
    }

    /// The reply itself, where nothing has been said yet.
    pub(crate) fn into_reply(self) -> &'r mut Reply {
        self.reply
    }
}
