//! Commands: work for the owner of the store, with a reply that goes out once the commit is done.

use crate::error::{Code, Result, SyncError};
use crate::step::Step;

/// Work that runs in a step's transaction. `Ok` reaches the caller only after the commit.
pub trait Command: Send {
    /// Runs in the transaction.
    fn run(&mut self, step: &mut Step<'_>) -> Result<()>;
    /// Replies: with what `run` made when the step was committed, with the error otherwise.
    fn finish(self: Box<Self>, committed: Result<()>);
}

struct Closure<F, T, R> {
    work: Option<F>,
    made: Option<T>,
    reply: R,
}

impl<F, T, R> Command for Closure<F, T, R>
where
    F: FnOnce(&mut Step<'_>) -> Result<T> + Send,
    T: Send,
    R: FnOnce(Result<T>) + Send,
{
    fn run(&mut self, step: &mut Step<'_>) -> Result<()> {
        let work = self.work.take().ok_or(SyncError::from(Code::Internal))?;
        self.made = Some(work(step)?);
        Ok(())
    }

    fn finish(self: Box<Self>, committed: Result<()>) {
        let made = self.made;
        (self.reply)(committed.and_then(|()| made.ok_or(SyncError::from(Code::Internal))));
    }
}

/// A command of a closure and where its reply goes.
pub fn command<T: Send + 'static>(
    work: impl FnOnce(&mut Step<'_>) -> Result<T> + Send + 'static,
    reply: impl FnOnce(Result<T>) + Send + 'static,
) -> Box<dyn Command> {
    Box::new(Closure {
        work: Some(work),
        made: None,
        reply,
    })
}
