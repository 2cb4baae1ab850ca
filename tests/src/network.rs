//! The network between the devices and the server, with its faults.

use std::collections::VecDeque;
use vereda_core::engine::HttpRequest;
use vereda_core::protocol::{Encoding, Problem, SyncRequest, decode_body};
use vereda_core::sync::{Reply, TransportError};

/// What happens to one exchange.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The request never arrives.
    Lost,
    /// The server does it, the answer never arrives.
    AnswerLost,
    /// The request arrives twice; the second answer comes back.
    Doubled,
    /// The answer is cut after so many bytes.
    Cut(usize),
    /// One bit of the answer is another.
    Rewritten(usize),
    /// Somebody else answers.
    Instead(Reply),
    /// The request arrives now, and its answer comes to the next request.
    Swapped,
}

/// The faults to come, first to last; then none.
#[derive(Debug, Default)]
pub struct Faults {
    /// What comes.
    pub next: VecDeque<Fault>,
    /// No network at all.
    pub cut: bool,
    /// How long an exchange takes, by the clocks of the device and the server.
    pub exchange_ms: u64,
    /// Exchanges so far.
    pub exchanges: u64,
    /// Bytes of bodies up and down.
    pub bytes: (u64, u64),
    /// Every request with its answer, while it is some.
    pub heard: Option<Vec<(HttpRequest, Reply)>>,
    /// Writes in the last request that reached the network.
    pub last_push: usize,
    /// Whoever asks with these bytes in a write gets this status instead of an answer.
    pub refuse_containing: Option<(Vec<u8>, u16)>,
    /// Requests of this path never arrive.
    pub lose_path: Option<&'static str>,
    /// So many replies with bytes of segments come cut after a tenth.
    pub cut_pieces: u32,
    late: Option<Reply>,
}

impl Faults {
    /// One exchange through the faults; `server` is called as often as the request arrives.
    pub(crate) fn exchange(
        &mut self,
        request: &HttpRequest,
        mut server: impl FnMut(&HttpRequest) -> Reply,
    ) -> Result<Reply, TransportError> {
        self.exchanges += 1;
        if self.cut {
            return Err(TransportError::Unreachable);
        }
        if self.lose_path == Some(request.path) {
            return Err(TransportError::TimedOut);
        }
        self.bytes.0 += request.body.len() as u64;
        if let Ok(message) = decode_body::<SyncRequest>(&request.body, Encoding::Vereda) {
            self.last_push = message.push.len();
            if let Some((needle, status)) = &self.refuse_containing
                && message
                    .push
                    .iter()
                    .any(|item| contains(item.write.bytes(), needle))
            {
                return Ok(refusal(*status));
            }
        }
        let reply = match self.next.pop_front().unwrap_or(Fault::None) {
            Fault::None => server(request),
            Fault::Lost => return Err(TransportError::TimedOut),
            Fault::AnswerLost => {
                server(request);
                return Err(TransportError::TimedOut);
            }
            Fault::Doubled => {
                server(request);
                server(request)
            }
            Fault::Cut(at) => {
                let mut reply = server(request);
                reply.body.truncate(at);
                reply
            }
            Fault::Rewritten(at) => {
                let mut reply = server(request);
                let at = at % reply.body.len().max(1);
                if let Some(byte) = reply.body.get_mut(at) {
                    *byte ^= 1;
                }
                reply
            }
            Fault::Instead(reply) => reply,
            Fault::Swapped => {
                let reply = server(request);
                match self.late.replace(reply) {
                    Some(earlier) => earlier,
                    None => return Err(TransportError::TimedOut),
                }
            }
        };
        let mut reply = reply;
        if self.cut_pieces > 0 && request.path == "/v1/segment" && reply.body.len() > 1_000 {
            self.cut_pieces -= 1;
            let tenth = reply.body.len() / 10;
            reply.body.truncate(tenth);
        }
        self.bytes.1 += reply.body.len() as u64;
        if let Some(heard) = &mut self.heard {
            heard.push((request.clone(), reply.clone()));
        }
        Ok(reply)
    }
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

fn refusal(status: u16) -> Reply {
    let body = format!(r#"{{"type":"about:blank","title":"t","status":{status},"code":"internal"}}"#);
    Reply {
        status,
        content_type: Problem::MEDIA_TYPE.into(),
        retry_after: None,
        body: body.into_bytes(),
    }
}
