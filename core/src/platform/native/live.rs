//! Listening for pokes (`GET /v1/live`, server-sent events): a stream grew, so a round of synchronising is worth it.
//! The poke carries nothing; the pull is the truth, and without pokes the poll finds the same a minute later.

use super::http::HttpTransport;
use crate::client::{Client, Mailbox};
use crate::device::Enrolment;
use crate::engine::Event;
use crate::error::Code;
use crate::platform::native::SystemEntropy;
use crate::protocol::PATH_LIVE;
use crate::sync::retry_delay_ms;
use std::sync::Arc;
use std::time::Duration;

/// Listens until the store is closed.
pub(super) async fn listen(client: Client, transport: HttpTransport, mailbox: Arc<Mailbox>) {
    let mut failures = 0;
    loop {
        let heard = match client.call(|step| step.device.enrolled().cloned()).await {
            Ok(enrolment) => listen_once(&enrolment, &transport, &mailbox).await,
            Err(error) if error.code == Code::Closed => return,
            Err(_) => false,
        };
        failures = if heard { 0 } else { failures + 1 };
        let delay_ms = retry_delay_ms(failures + 2, 1_000, &mut SystemEntropy);
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    }
}

/// One connection; whether anything was heard on it.
async fn listen_once(enrolment: &Enrolment, transport: &HttpTransport, mailbox: &Mailbox) -> bool {
    let Some(tokens) = &enrolment.tokens else {
        return false;
    };
    let authority = enrolment.authority.map(|authority| *authority);
    let Ok(mut response) = transport
        .listen(&enrolment.server, PATH_LIVE, authority, &tokens.access)
        .await
    else {
        return false;
    };
    let mut heard = false;
    while let Ok(Some(chunk)) = response.chunk().await {
        heard = true;
        // Comments keep the connection alive; only events are pokes.
        if chunk.windows(5).any(|window| window == b"data:") && !mailbox.post(Event::Poke) {
            break;
        }
    }
    heard
}
