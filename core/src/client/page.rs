//! Pages: keyset, so that they neither skip nor repeat while entries arrive.

use crate::engine::Completeness;
use crate::error::{Code, Result, SyncError};
use crate::limits::{PAGE_ROWS, PAGE_ROWS_MAX};
use crate::step::Step;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Serialize, de::DeserializeOwned};

/// Which page.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PageRequest {
    /// Rows; `limits::PAGE_ROWS` when not given, `limits::PAGE_ROWS_MAX` at most.
    pub limit: Option<usize>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

impl PageRequest {
    /// The rows asked for.
    pub(super) fn rows(&self) -> usize {
        self.limit.unwrap_or(PAGE_ROWS).clamp(1, PAGE_ROWS_MAX)
    }

    pub(super) fn place<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let Some(after) = &self.after else { return Ok(None) };
        let invalid = || SyncError::from(Code::CursorInvalid);
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(after).map_err(|_| invalid())?;
        crate::protocol::decode(&bytes).map(Some).map_err(|_| invalid())
    }
}

/// A page of a list.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Goes into the next [`PageRequest::after`]; none on the last page.
    pub next: Option<String>,
    /// Whether the list holds everything.
    pub completeness: Completeness,
}

impl<T> Page<T> {
    /// A page of at most `limit` rows of `rows`, which holds one more if there is a next page.
    pub(super) fn cut<P: Serialize>(
        mut rows: Vec<T>,
        limit: usize,
        completeness: Completeness,
        place: impl Fn(&T) -> P,
    ) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more);
        let next = last.map(|row| BASE64_URL_SAFE_NO_PAD.encode(crate::protocol::encode(&place(row))));
        Self {
            rows,
            next,
            completeness,
        }
    }
}

/// Whether what is here is everything the server had at the last contact.
pub(super) fn completeness(step: &Step<'_>) -> Result<Completeness> {
    let streams = &step.device.enrolled()?.scope.streams;
    let complete =
        crate::store::cursors::all_caught_up(step.transaction, streams)? && step.device.resync.is_none();
    let schedule: Option<crate::sync::Schedule> = crate::store::meta::get(step.transaction, "schedule")?;
    Ok(match schedule.and_then(|schedule| schedule.last_success_ms) {
        Some(last) if complete && step.now.wall_ms.saturating_sub(last) > 120_000 => {
            Completeness::StaleSince(last)
        }
        Some(_) if complete => Completeness::Complete,
        _ => Completeness::Partial,
    })
}
