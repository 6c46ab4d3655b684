//! `GET /chat/history`: what was said, page by page.

use axum::extract::{RawQuery, State};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde::Serialize;
use shared::db::history::{self, HistoryMessage};
use utoipa::ToSchema;
use uuid::Uuid;

use super::erase::erase;
use crate::error::Problem;
use crate::identity::Visitor;
use crate::relay::stored::within;
use crate::state::App;

/// Messages of a page at most.
const MOST: i64 = 100;
/// Messages of a page where the client does not say.
const USUAL: i64 = 50;

/// This resource's routes.
pub fn router() -> Router<App> {
    Router::new()
        .route("/chat/history", get(page).delete(erase))
        .route("/chat/history/", get(page).delete(erase))
}

/// A page of messages, newest last.
#[derive(Serialize, ToSchema)]
pub(super) struct HistoryPage {
    #[schema(value_type = Vec<super::docs::StoredMessage>)]
    messages: Vec<HistoryMessage>,
    /// The `before` of the page before this one; null where there is none.
    next_before: Option<Uuid>,
}

/// Which page.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    before: Option<Uuid>,
    limit: i64,
}

impl Wanted {
    fn read(query: &str) -> Result<Self, Problem> {
        let mut wanted = Self {
            before: None,
            limit: USUAL,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "before" => {
                    let id = Uuid::try_parse(value).map_err(|_| {
                        Problem::bad("before", "bad_parameter", "before is the id of a message.")
                    })?;
                    wanted.before = Some(id);
                }
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
                    let detail = "limit is a number from 1 to 100.";
                    wanted.limit = limit.ok_or_else(|| Problem::bad("limit", "bad_parameter", detail))?;
                }
                _ => {}
            }
        }
        Ok(wanted)
    }
}

/// Read the messages of the session's user, newest last.
#[utoipa::path(
    get, path = "/chat/history", tag = "chat",
    params(
        super::docs::ReadHeaders,
        ("before" = Option<Uuid>, Query, description = "Messages older than this one: `next_before` of the last page."),
        ("limit" = Option<u8>, Query, description = "Messages of a page, 1 to 100; 50 where it is not said."),
    ),
    responses(
        (status = 200, description = "A page.", body = HistoryPage),
        super::docs::ReadProblems,
    )
)]
pub(super) async fn page(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
) -> Result<Json<HistoryPage>, Problem> {
    let Wanted { before, limit } = Wanted::read(&query.unwrap_or_default())?;
    // One more than asked for tells whether there is another page.
    let query = history::page(&app.pool, visitor.user_id(), before, limit + 1);
    let mut messages = within(query).await.map_err(|_| Problem::no_storage())?;
    let surplus = usize::try_from(limit).is_ok_and(|limit| messages.len() > limit);
    if surplus {
        messages.remove(0);
    }
    let next_before = messages.first().filter(|_| surplus).map(|message| message.id);
    Ok(Json(HistoryPage {
        messages,
        next_before,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_asked_for_with_sensible_numbers() {
        let id = Uuid::from_u128(7);
        let read = |query: &str| Wanted::read(query).map_err(|problem| problem.field.clone().unwrap());
        let wanted = |before, limit| Ok(Wanted { before, limit });
        assert_eq!(read(""), wanted(None, 50));
        assert_eq!(read(&format!("limit=1&before={id}&x=y")), wanted(Some(id), 1));
        assert_eq!(read("limit=100"), wanted(None, 100));
        for bad in ["limit=0", "limit=101", "limit=-1", "limit=x", "limit=", "limit"] {
            assert_eq!(read(bad), Err("limit".into()), "{bad}");
        }
        for bad in ["before=", "before=1", "before=x"] {
            assert_eq!(read(bad), Err("before".into()), "{bad}");
        }
    }
}
