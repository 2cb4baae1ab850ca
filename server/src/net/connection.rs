//! One connection: HTTP/1.1 with keep-alive, small heads (no `Date`), bounded heads, bodies and waiting.

use super::body::AnswerBody;
use super::live;
use super::patience::Patience;
use super::platform::{OsEntropy, server_now};
use crate::exchange::{HttpRequest, HttpResponse};
use crate::in_use::InUse;
use crate::refusal::Refusal;
use crate::server::Server;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use vereda_core::limits::{BODY_WIRE_BYTES_MAX, REQUEST_TIMEOUT_MS};
use vereda_core::protocol::{CorrelationId, Encoding, PATH_LIVE, Problem, encode_body};

/// A head that is not whole by then, and a connection idle for so long, are closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// A body that is not whole by then is given up.
const BODY_TIMEOUT: Duration = Duration::from_millis(REQUEST_TIMEOUT_MS);
/// An answer that nobody reads for so long is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// A handshake that is not done by then is given up.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Fields of a head.
const HEAD_FIELDS_MAX: usize = 48;

/// What every connection needs.
pub(super) struct Front {
    pub(super) server: Arc<Server>,
    pub(super) _in_use: InUse,
    pub(super) behind_proxy: bool,
    pub(super) stopped: watch::Receiver<bool>,
}

/// Serves one connection to its end.
pub(super) async fn run(
    socket: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    front: Arc<Front>,
) {
    // Answers are small and awaited.
    let _ = socket.set_nodelay(true);
    match acceptor {
        None => http(socket, peer, front).await,
        Some(acceptor) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(socket)).await {
                http(stream, peer, front).await;
            }
        }
    }
}

async fn http<S>(stream: S, peer: SocketAddr, front: Arc<Front>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut stopped = front.stopped.clone();
    let service = service_fn(move |request| {
        let front = Arc::clone(&front);
        async move { Ok::<_, Infallible>(answer(&front, peer, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEAD_FIELDS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(Patience::new(stream, WRITE_TIMEOUT)), service);
    let mut connection = std::pin::pin!(connection);
    // An error here is the other side's: it hung up or does not speak HTTP.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

async fn answer(front: &Front, peer: SocketAddr, request: Request<Incoming>) -> Response<AnswerBody> {
    let (head, body) = request.into_parts();
    let text = |name: &HeaderName| {
        let value = head.headers.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let address = if front.behind_proxy {
        forwarded_for(text(&HeaderName::from_static("x-forwarded-for")).as_deref())
    } else {
        Some(peer.ip())
    };
    let authorization = text(&AUTHORIZATION);
    let mut request = HttpRequest {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        authorization,
        content_type: text(&CONTENT_TYPE),
        accept: text(&ACCEPT),
        content_length: text(&CONTENT_LENGTH).and_then(|length| length.parse().ok()),
        address,
        body: Vec::new(),
    };
    // Of a body that was not read whole nothing counts.
    let correlation = request.correlation();
    if head.uri.path() == PATH_LIVE && head.method == hyper::Method::GET {
        let listening = live::listen(&front.server, request.authorization, front.stopped.clone()).await;
        return listening.unwrap_or_else(|refusal| refused(&refusal, correlation));
    }
    match read(body).await {
        Ok(bytes) => request.body = bytes,
        Err(refusal) => return refused(&refusal, correlation),
    }
    let server = Arc::clone(&front.server);
    let handle = tokio::runtime::Handle::current();
    // The commit blocks: not on a thread that other connections need.
    let handled = tokio::task::spawn_blocking(move || {
        handle.block_on(async { server.handle(server_now(), &mut OsEntropy, request).await })
    });
    match handled.await {
        Ok(response) => respond(response),
        Err(_) => refused(&Refusal::internal("the request was not carried out"), correlation),
    }
}

/// The address the nearest proxy saw.
fn forwarded_for(value: Option<&str>) -> Option<IpAddr> {
    value?.rsplit(',').next()?.trim().parse().ok()
}

async fn read(body: Incoming) -> Result<Vec<u8>, Refusal> {
    let too_large = || Refusal::too_large(format!("a body has at most {BODY_WIRE_BYTES_MAX} bytes"));
    if body.size_hint().lower() > BODY_WIRE_BYTES_MAX as u64 {
        return Err(too_large());
    }
    let collected = Limited::new(body, BODY_WIRE_BYTES_MAX).collect();
    match tokio::time::timeout(BODY_TIMEOUT, collected).await {
        Ok(Ok(body)) => Ok(body.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Refusal::malformed("the body was cut")),
        Err(_) => Err(Refusal::malformed("the body came too slowly")),
    }
}

fn respond(answer: HttpResponse) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::Whole(
        (!answer.body.is_empty()).then(|| Bytes::from(answer.body)),
    ));
    if let Ok(status) = hyper::StatusCode::from_u16(answer.status) {
        *response.status_mut() = status;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    if let Some(seconds) = answer.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A refusal that never reached the server.
fn refused(refusal: &Refusal, correlation: CorrelationId) -> Response<AnswerBody> {
    tracing::info!(
        %correlation,
        status = refusal.status,
        code = refusal.error.code.as_str(),
        "refused"
    );
    respond(HttpResponse {
        status: refusal.status,
        content_type: Problem::MEDIA_TYPE,
        retry_after: refusal.retry_after,
        correlation,
        body: encode_body(&refusal.problem(correlation), Encoding::Json),
    })
}
