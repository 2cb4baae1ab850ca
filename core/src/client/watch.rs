//! Watched queries: the page at once, then a new one after each commit that touches it; many commits in a row
//! become one.

use crate::error::{Code, Result, SyncError};
use crate::step::Changes;
use std::future::Future;
use std::pin::Pin;
use tokio::sync::broadcast::{Receiver, error::RecvError, error::TryRecvError};

type Query<T> = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<T>> + Send>> + Send + Sync>;
type Touches = Box<dyn Fn(&Changes) -> bool + Send + Sync>;

/// A query that is watched.
pub struct Watched<T> {
    query: Query<T>,
    touches: Touches,
    changes: Receiver<Changes>,
    first: bool,
}

impl<T> std::fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watched")
    }
}

impl<T> Watched<T> {
    pub(super) fn new(changes: Receiver<Changes>, touches: Touches, query: Query<T>) -> Self {
        Self {
            query,
            touches,
            changes,
            first: true,
        }
    }

    /// The page: the first time at once, then after the next commit that touches it.
    ///
    /// # Errors
    /// `closed` when the store is; what the query itself answers.
    pub async fn next(&mut self) -> Result<T> {
        if !std::mem::take(&mut self.first) {
            self.wait().await?;
        }
        (self.query)().await
    }

    async fn wait(&mut self) -> Result<()> {
        let mut touched = false;
        while !touched {
            touched = match self.changes.recv().await {
                Ok(changes) => (self.touches)(&changes),
                Err(RecvError::Lagged(_)) => true,
                Err(RecvError::Closed) => return Err(SyncError::from(Code::Closed)),
            };
        }
        // What else has come meanwhile is in the same page.
        while matches!(self.changes.try_recv(), Ok(_) | Err(TryRecvError::Lagged(_))) {}
        Ok(())
    }
}
