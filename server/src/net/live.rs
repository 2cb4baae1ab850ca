//! `GET /v1/live`: server-sent events (WHATWG HTML §9.2), one poke for each stream that grew. A poke says only that
//! there is something; the pull is the truth.

use super::body::AnswerBody;
use super::platform::{OsEntropy, server_now};
use crate::refusal::Refusal;
use crate::server::{Poke, Server};
use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, watch};
use vereda_core::entropy::Entropy;
use vereda_core::limits::ACCESS_TOKEN_MS;
use vereda_core::record::Stream;

/// A comment now and then, so that proxies and phones see that the connection lives.
const HEARTBEAT: Duration = Duration::from_secs(25);
/// A listener comes again with a fresh token, and with the scope it then has.
const LISTEN_MAX: Duration = Duration::from_millis(ACCESS_TOKEN_MS as u64);
/// Pokes that wait for a slow listener; past it the stream ends, and it pulls.
const WAITING_MAX: usize = 64;

pub(super) async fn listen(
    server: &Arc<Server>,
    authorization: Option<String>,
    stopped: watch::Receiver<bool>,
) -> Result<Response<AnswerBody>, Refusal> {
    let server = Arc::clone(server);
    let listening = tokio::task::spawn_blocking(move || {
        server.listen(server_now(), OsEntropy.next_32(), authorization.as_deref())
    });
    let (streams, pokes) = listening
        .await
        .map_err(|_| Refusal::internal("the request was not carried out"))??;
    let (sender, events) = mpsc::channel(WAITING_MAX);
    tokio::spawn(tell(streams.into_iter().collect(), pokes, sender, stopped));
    let mut response = Response::new(AnswerBody::Events(events));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(response)
}

async fn tell(
    streams: BTreeSet<Stream>,
    mut pokes: broadcast::Receiver<Poke>,
    sender: mpsc::Sender<Bytes>,
    mut stopped: watch::Receiver<bool>,
) {
    let end = tokio::time::sleep(LISTEN_MAX);
    let mut end = std::pin::pin!(end);
    // Something at once, so that the listener knows it is heard.
    let mut next = Bytes::from_static(b": listening\n\n");
    loop {
        if sender.try_send(next).is_err() {
            return;
        }
        next = loop {
            tokio::select! {
                poke = pokes.recv() => match poke {
                    Ok(poke) if streams.contains(&poke.stream) => break event(&poke),
                    Ok(_) => {}
                    // It missed some: any of its streams may have grown.
                    Err(RecvError::Lagged(_)) => break Bytes::from_static(b"event: resync\ndata: {}\n\n"),
                    Err(RecvError::Closed) => return,
                },
                () = tokio::time::sleep(HEARTBEAT) => break Bytes::from_static(b":\n\n"),
                () = sender.closed() => return,
                _ = stopped.changed() => return,
                () = &mut end => return,
            }
        };
    }
}

fn event(poke: &Poke) -> Bytes {
    let stream = &poke.stream;
    Bytes::from(format!(
        "data: {{\"stream\":{{\"unit\":\"{}\",\"compartment\":\"{}\"}},\"seq\":{}}}\n\n",
        stream.unit,
        stream.compartment.name(),
        poke.seq
    ))
}
