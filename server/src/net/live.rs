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
use vereda_core::record::Stream;

/// A comment now and then, so that proxies and phones see that the connection lives.
const HEARTBEAT: Duration = Duration::from_secs(25);
/// Pokes that wait for a slow listener; past it the stream ends, and it pulls.
const WAITING_MAX: usize = 64;

/// Who listens; asked again at each heartbeat, because devices are revoked and tokens end, and before a poke is told
/// once an administrator wrote to the store, because scope may have shrunk.
#[derive(Clone)]
struct Listener {
    server: Arc<Server>,
    authorization: Option<String>,
}

impl Listener {
    async fn hear(&self) -> Result<(BTreeSet<Stream>, broadcast::Receiver<Poke>), Refusal> {
        let Self {
            server,
            authorization,
        } = self.clone();
        let listening = tokio::task::spawn_blocking(move || {
            server.listen(server_now(), OsEntropy.next_32(), authorization.as_deref())
        });
        let (streams, pokes) = listening
            .await
            .map_err(|_| Refusal::internal("the request was not carried out"))??;
        Ok((streams.into_iter().collect(), pokes))
    }
}

pub(super) async fn listen(
    server: &Arc<Server>,
    authorization: Option<String>,
    stopped: watch::Receiver<bool>,
) -> Result<Response<AnswerBody>, Refusal> {
    let listener = Listener {
        server: Arc::clone(server),
        authorization,
    };
    let known = server.written_elsewhere();
    let (streams, pokes) = listener.hear().await?;
    let (sender, events) = mpsc::channel(WAITING_MAX);
    tokio::spawn(tell(listener, (streams, known), pokes, sender, stopped));
    let mut response = Response::new(AnswerBody::Events(events));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(response)
}

async fn tell(
    listener: Listener,
    (mut streams, mut known): (BTreeSet<Stream>, u64),
    mut pokes: broadcast::Receiver<Poke>,
    sender: mpsc::Sender<Bytes>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    heartbeat.reset();
    // Something at once, so that the listener knows it is heard.
    let mut next = Bytes::from_static(b": listening\n\n");
    loop {
        if sender.try_send(next).is_err() {
            return;
        }
        next = loop {
            tokio::select! {
                poke = pokes.recv() => match poke {
                    Ok(poke) => {
                        let written_elsewhere = listener.server.written_elsewhere();
                        if written_elsewhere != known {
                            let Ok((now_in_scope, _)) = listener.hear().await else {
                                return;
                            };
                            (streams, known) = (now_in_scope, written_elsewhere);
                        }
                        if streams.contains(&poke.stream) {
                            break event(&poke);
                        }
                    }
                    // It missed some: any of its streams may have grown.
                    Err(RecvError::Lagged(_)) => break Bytes::from_static(b"event: resync\ndata: {}\n\n"),
                    Err(RecvError::Closed) => return,
                },
                _ = heartbeat.tick() => match listener.hear().await {
                    Ok((now_in_scope, _)) => {
                        streams = now_in_scope;
                        break Bytes::from_static(b":\n\n");
                    }
                    // The token has ended, or worse: the listener comes again, or finds out why it may not.
                    Err(_) => return,
                },
                () = sender.closed() => return,
                _ = stopped.changed() => return,
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
