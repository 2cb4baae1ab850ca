//! Sockets in front of [`Server::handle`]: hyper, TLS, timeouts, the clock and the operating system's randomness.

mod body;
mod connection;
mod live;
mod patience;
mod platform;
pub mod tls;

pub use platform::{OsEntropy, quiet_panics, server_now};

use crate::backup::{self, BackupError};
use crate::in_use::InUse;
use crate::key_file::ServerKeys;
use crate::server::{Server, ServerOptions};
use crate::store::StoreError;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Connections at once; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 4_096;
/// How long a shutdown waits for requests in flight.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);
/// How often a copy is made (`--backup-to`).
const BACKUP_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// What lies between the server and its devices.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Plain HTTP, on loopback only.
    Plain,
    /// Plain HTTP behind a proxy that ends TLS and names the asker in `X-Forwarded-For`.
    BehindProxy,
    /// TLS with a certificate chain and its key, both PEM.
    Tls {
        /// The chain, leaf first.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// TLS under an authority of our own, kept in a folder (`tls::authority_fingerprint` goes into the codes).
    TlsSelf {
        /// The folder, beside the key file.
        folder: PathBuf,
        /// Further names and addresses devices call the server by.
        names: Vec<String>,
    },
}

/// What to serve.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// The store's file.
    pub store: PathBuf,
    /// Its keys.
    pub keys: ServerKeys,
    /// Where to listen; port 0 picks one.
    pub listen: SocketAddr,
    /// What lies between.
    pub transport: Transport,
    /// Where hourly copies go.
    pub backup_to: Option<PathBuf>,
    /// Limits.
    pub options: ServerOptions,
}

/// Why serving cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The store does not open.
    #[error("the store does not open")]
    Store(#[from] StoreError),
    /// A copy is being put in the store's place.
    #[error("a copy is being put in its place")]
    InUse,
    /// The file that says so cannot be used.
    #[error("the store's lock cannot be used")]
    Lock(#[source] std::io::Error),
    /// The address cannot be listened on.
    #[error("the address cannot be listened on")]
    Listen(#[source] std::io::Error),
    /// Plain HTTP beyond this machine would carry patients' data in the clear.
    #[error("plain http is for loopback only: give a certificate, --tls-self or --behind-proxy")]
    PlainBeyondLoopback,
    /// A certificate or key file cannot be read.
    #[error("{0}")]
    TlsFile(&'static str),
    /// The certificate or key cannot be used.
    #[error("the certificate or its key cannot be used: {0}")]
    Tls(&'static str),
    /// The folder for copies cannot be used.
    #[error("no copy can be made")]
    Backup(#[from] BackupError),
}

/// A server that answers.
#[derive(Debug)]
pub struct RunningServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// `http://…` or `https://…` of that address.
    pub url: String,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    backup: Option<JoinHandle<()>>,
    server: Arc<Server>,
}

impl RunningServer {
    /// The server behind the sockets.
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Stops taking requests, lets those in flight end, and closes.
    pub async fn shutdown(self) {
        // Nobody listens only where everything has ended already.
        let _ = self.stop.send(true);
        if let Some(backup) = self.backup {
            backup.abort();
        }
        if tokio::time::timeout(SHUTDOWN_GRACE, self.accepting)
            .await
            .is_err()
        {
            tracing::warn!("some requests did not end in time");
        }
    }
}

/// Opens the store and answers devices until [`RunningServer::shutdown`].
///
/// # Errors
/// A [`ServeError`].
pub async fn serve(config: ServeConfig) -> Result<RunningServer, ServeError> {
    let is_plain = matches!(config.transport, Transport::Plain);
    if is_plain && !config.listen.ip().is_loopback() {
        return Err(ServeError::PlainBeyondLoopback);
    }
    let acceptor = tls::acceptor(&config.transport, config.listen)?;
    let in_use = InUse::shared(&config.store).map_err(ServeError::Lock)?;
    let in_use = in_use.ok_or(ServeError::InUse)?;
    let store = crate::admin::open_store(&config.store, &config.keys, &mut OsEntropy)?;
    let server = Arc::new(Server::new(Box::new(store), &config.keys, config.options));
    let backup = match &config.backup_to {
        None => None,
        Some(folder) => Some(keep_copies(&config, folder.clone(), Arc::clone(&server))?),
    };
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(ServeError::Listen)?;
    let address = listener.local_addr().map_err(ServeError::Listen)?;
    let (stop, stopped) = watch::channel(false);
    let scheme = if acceptor.is_some() { "https" } else { "http" };
    let front = connection::Front {
        server: Arc::clone(&server),
        _in_use: in_use,
        behind_proxy: matches!(config.transport, Transport::BehindProxy),
        stopped: stopped.clone(),
    };
    let accepting = tokio::spawn(accept(listener, acceptor, Arc::new(front), stopped));
    tracing::info!(%address, "listening");
    Ok(RunningServer {
        address,
        url: format!("{scheme}://{address}"),
        stop,
        accepting,
        backup,
        server,
    })
}

async fn accept(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    front: Arc<connection::Front>,
    mut stopped: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
        };
        match accepted {
            Ok((socket, peer)) => {
                let (acceptor, front) = (acceptor.clone(), Arc::clone(&front));
                tokio::spawn(async move {
                    connection::run(socket, peer, acceptor, front).await;
                    drop(place);
                });
            }
            // Out of file descriptors, most likely: let some connections end.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    drop(listener);
    // Every connection gives its place back when it ends.
    let _ = places.acquire_many(CONNECTIONS_MAX as u32).await;
}

/// Makes a copy now and every hour, while devices are answered: a copy that is checked is a copy that is read, all of it.
fn keep_copies(
    config: &ServeConfig,
    folder: PathBuf,
    server: Arc<Server>,
) -> Result<JoinHandle<()>, ServeError> {
    std::fs::create_dir_all(&folder).map_err(BackupError::File)?;
    let (store, keys) = (config.store.clone(), config.keys.clone());
    let copy = Arc::new(move || backup::run(&store, &keys, &folder));
    Ok(tokio::spawn(async move {
        loop {
            let (copy, (done, told)) = (Arc::clone(&copy), oneshot::channel());
            // Not a thread of the runtime's: a server that is told to stop does not wait for it.
            let thread = std::thread::Builder::new().name("copy".to_owned());
            let begun = thread.spawn(move || done.send(copy()));
            let made = match begun {
                Ok(_) => told.await.ok(),
                Err(error) => Some(Err(error.into())),
            };
            match &made {
                Some(Ok(_)) => {}
                Some(Err(error)) => tracing::error!(%error, "the copy was not made or not verified"),
                None => tracing::error!("the copy was not made"),
            }
            server.note_backup(matches!(made, Some(Ok(_))));
            tokio::time::sleep(BACKUP_INTERVAL).await;
        }
    }))
}
