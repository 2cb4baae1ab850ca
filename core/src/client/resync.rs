//! Fetching everything again.

use super::Client;
use crate::error::Result;
use crate::sync::want_resync;

impl Client {
    /// Everything is fetched again, once the server answers: records, timelines, charts, as on a new device. Until each
    /// of it came, what was here is shown; lists say `partial`, and `status().resync` that it is not over. Whatever was
    /// written here stays: the outbox, the drawer, drafts, the audit; unsent writes are shown all the time. Drafts and
    /// chart items of a document that is awaited cannot be changed (`document_awaited`), new entries can be added.
    ///
    /// It is done by synchronising, in as many calls and lives of the process as it takes.
    ///
    /// # Errors
    /// `not_enrolled`; `text_too_long` for a reason that is.
    pub async fn resync(&self, reason: String) -> Result<()> {
        self.call(move |step| want_resync(step, &reason)).await
    }
}
