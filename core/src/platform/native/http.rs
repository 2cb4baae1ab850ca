//! HTTP by reqwest. No redirect is followed: a portal's must not look like an answer, and patient data goes to one
//! host only.

use super::trust;
use crate::client::{Transport, TransportFuture};
use crate::engine::HttpRequest;
use crate::limits::{BODY_DECODED_BYTES_MAX, REQUEST_TIMEOUT_MS};
use crate::sync::{Reply, TransportError};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Clients = Arc<Mutex<HashMap<Option<[u8; 32]>, reqwest::Client>>>;

/// Sends over the network.
#[derive(Clone, Debug, Default)]
pub struct HttpTransport {
    clients: Clients,
}

impl HttpTransport {
    fn client(&self, authority: Option<[u8; 32]>) -> Result<reqwest::Client, TransportError> {
        let mut clients = self
            .clients
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(client) = clients.get(&authority) {
            return Ok(client.clone());
        }
        let tls = trust::client_config(authority).map_err(|_| TransportError::Untrusted)?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .http1_only()
            .no_proxy()
            .timeout(Duration::from_millis(REQUEST_TIMEOUT_MS))
            .connect_timeout(Duration::from_secs(10))
            .build()
            .map_err(|_| TransportError::Unreachable)?;
        clients.insert(authority, client.clone());
        Ok(client)
    }

    /// Opens a stream of server-sent events.
    pub(super) async fn listen(
        &self,
        server: &str,
        path: &str,
        authority: Option<[u8; 32]>,
        access: &crate::protocol::Credential,
    ) -> Result<reqwest::Response, TransportError> {
        let client = self.client(authority)?;
        let bearer = format!("Bearer {}", BASE64_URL_SAFE_NO_PAD.encode(&access.0));
        let response = client
            .get(format!("{server}{path}"))
            .header(AUTHORIZATION, bearer)
            .header(ACCEPT, "text/event-stream")
            // The server sends a comment now and then; a silent hour is a dead connection.
            .timeout(Duration::from_secs(3_600))
            .send()
            .await
            .map_err(failure)?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(TransportError::Unreachable)
        }
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: HttpRequest) -> TransportFuture {
        let client = self.client(request.authority);
        Box::pin(async move {
            let client = client?;
            let method =
                reqwest::Method::from_bytes(request.method.as_bytes()).unwrap_or(reqwest::Method::POST);
            // No `Accept`: a server answers in the encoding it was asked in.
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(request.content_type));
            if let Some(bearer) = &request.bearer {
                let value = format!("Bearer {}", BASE64_URL_SAFE_NO_PAD.encode(&bearer.0));
                let mut value = HeaderValue::from_str(&value).map_err(|_| TransportError::Unreachable)?;
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
            let url = format!("{}{}", request.server, request.path);
            let response = client
                .request(method, url)
                .headers(headers)
                .body(request.body)
                .send()
                .await;
            read(response.map_err(failure)?).await
        })
    }
}

async fn read(mut response: reqwest::Response) -> Result<Reply, TransportError> {
    let header = |name| {
        response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let mut reply = Reply {
        status: response.status().as_u16(),
        content_type: header(CONTENT_TYPE).unwrap_or_default(),
        retry_after: header(RETRY_AFTER),
        body: Vec::new(),
    };
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        if reply.body.len() + chunk.len() > BODY_DECODED_BYTES_MAX {
            return Err(TransportError::Cut);
        }
        reply.body.extend_from_slice(&chunk);
    }
    Ok(reply)
}

fn failure(error: reqwest::Error) -> TransportError {
    if error.is_timeout() {
        return TransportError::TimedOut;
    }
    if !error.is_connect() {
        return TransportError::Cut;
    }
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(cause) = source {
        if let Some(rustls::Error::InvalidCertificate(_)) = cause.downcast_ref() {
            return TransportError::Untrusted;
        }
        // What an I/O error wraps is not its source: its source is that of what it wraps.
        let wrapped = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        source = match wrapped {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    TransportError::Unreachable
}
