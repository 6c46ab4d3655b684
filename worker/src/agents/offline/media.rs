//! What a visitor attaches: kept in order, thanked for, never looked at.

use shared::media::{Media, MediaKind};

use super::conversation::MAX_MEDIA;
use super::desk::Desk;
use super::language::{Messages, fill};

/// Keeps the attachments of this turn, and says so.
pub(crate) fn acknowledge(desk: &mut Desk<'_>) {
    let new: Vec<Media> = desk
        .turn
        .requests
        .iter()
        .flat_map(|request| request.media.iter().cloned())
        .collect();
    let asked = new.len();
    let new: Vec<Media> = new
        .into_iter()
        .filter(|media| media.kind != MediaKind::Unreadable)
        .collect();
    if new.len() < asked {
        desk.say(desk.messages().unreadable.clone());
    }
    if new.is_empty() {
        return;
    }
    let room = MAX_MEDIA.saturating_sub(desk.conversation.media.len());
    desk.conversation.media.extend(new.iter().take(room).cloned());
    let messages = desk.messages();
    if new.len() > room {
        return desk.say(fill(&messages.media_full, &[("max", &MAX_MEDIA.to_string())]));
    }
    let it = if new.len() == 1 {
        &messages.media_it
    } else {
        &messages.media_them
    };
    let what = counted(
        &new,
        [
            &messages.one_file,
            &messages.many_files,
            &messages.one_voice,
            &messages.many_voices,
        ],
    );
    desk.say(fill(
        &messages.media_thanks,
        &[("media", &messages.all(&what)), ("it", it)],
    ));
}

/// What is attached, for a summary: "2 picture(s) or document(s) and 1 voice message(s)".
pub(crate) fn listed(media: &[Media], messages: &Messages) -> String {
    let (files, voices) = (&messages.staff_files, &messages.staff_voices);
    messages.all(&counted(media, [files, files, voices, voices]))
}

/// Files and voice messages by the templates for one file, many files, one voice message, many of them.
fn counted(media: &[Media], templates: [&str; 4]) -> Vec<String> {
    let voices = media
        .iter()
        .filter(|media| media.kind == MediaKind::Audio)
        .count();
    let [one_file, many_files, one_voice, many_voices] = templates;
    [
        (media.len() - voices, one_file, many_files),
        (voices, one_voice, many_voices),
    ]
    .into_iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, one, many)| {
        fill(
            if count == 1 { one } else { many },
            &[("count", &count.to_string())],
        )
    })
    .collect()
}
