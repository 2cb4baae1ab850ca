//! `serve`: the server, until it is told to stop.

use super::admin::{StoreArguments, authority_folder, keys, make_folder};
use crate::device::DeviceOptions;
use crate::failure::{Ending, Failure, Result, Usage};
use crate::output::Output;
use crate::words::Message;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use vereda_core::error::{Code, SyncError};
use vereda_server::ServerOptions;
use vereda_server::net::{ServeConfig, ServeError, Transport, serve};

/// What to serve, and where.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    /// Where to listen; port 0 picks one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// A certificate chain (PEM).
    #[arg(long, value_name = "PEM", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, value_name = "PEM", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// TLS under an authority of the server's own, which enrolment codes of `--tls-self` let devices pin.
    #[arg(long, conflicts_with = "tls_cert")]
    tls_self: bool,
    /// A further name devices call the server by; several may be given.
    #[arg(long, requires = "tls_self")]
    tls_name: Vec<String>,
    /// A proxy in front ends TLS and names the asker in `X-Forwarded-For`.
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_self"])]
    behind_proxy: bool,
    /// Where a verified copy is put now and every hour.
    #[arg(long, value_name = "DIR")]
    backup_to: Option<PathBuf>,
}

#[derive(Serialize)]
struct Listening {
    listening: String,
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        let detail = error.to_string();
        match error {
            ServeError::Store(error) => error.into(),
            ServeError::InUse => SyncError::new(Code::StoreInUse, detail).into(),
            ServeError::Lock(_) => SyncError::new(Code::StoreUnavailable, detail).into(),
            ServeError::PlainBeyondLoopback => SyncError::new(Code::AddressRefused, detail).into(),
            ServeError::TlsFile(_) => SyncError::new(Code::FileUnreadable, detail).into(),
            ServeError::Listen(_) => Self::Usage(Usage::new(Message::ListenFailed, &[])),
            ServeError::Tls(_) => Self::Usage(Usage::new(Message::CertificateUnfit, &[]).with_detail(detail)),
            ServeError::Backup(_) => SyncError::new(Code::StoreUnavailable, detail).into(),
        }
    }
}

pub(crate) async fn run(arguments: Arguments, device: &DeviceOptions, output: &Output) -> Result {
    make_folder(&arguments.store)?;
    let keys = keys(&arguments.store, device)?;
    let transport = match (arguments.tls_cert, arguments.tls_key) {
        (Some(certificate), Some(key)) => Transport::Tls { certificate, key },
        _ if arguments.tls_self => Transport::TlsSelf {
            folder: authority_folder(&arguments.store, device)?,
            names: arguments.tls_name,
        },
        _ if arguments.behind_proxy => Transport::BehindProxy,
        _ => Transport::Plain,
    };
    let running = serve(ServeConfig {
        store: arguments.store.file,
        keys,
        listen: arguments.listen,
        transport,
        backup_to: arguments.backup_to,
        options: ServerOptions::default(),
    })
    .await?;
    let listening = Listening {
        listening: running.url.clone(),
    };
    // For people and programs alike: whoever starts the server waits for this line.
    output.print(&serde_json::to_string(&listening).unwrap_or_default());
    until_told_to_stop().await;
    running.shutdown().await;
    Ok(Ending::Done)
}

/// Interrupted from the keyboard, or told to end by the system.
async fn until_told_to_stop() {
    #[cfg(unix)]
    if let Ok(mut told) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = told.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        return;
    }
    // Without a handler for signals it runs until it is killed, which the store survives.
    let _ = tokio::signal::ctrl_c().await;
}
