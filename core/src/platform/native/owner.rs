//! The owner: one thread that owns the store and the engine. Foreign code (listeners, the transport, a log sink)
//! never runs on it.

use super::live;
use super::sending::SendingRight;
use super::{HttpTransport, SystemClock, SystemEntropy};
use crate::client::{Client, Clock, Mailbox, Next, Transport};
use crate::engine::{Effect, Engine, EngineOptions, Event, LogEvent};
use crate::error::{Code, Result, SyncError};
use crate::record::KindRegistry;
use crate::store::{Location, StoreKey, is_file_whole};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Where log events go: numbers and codes, never patient data.
pub trait LogSink: Send {
    /// Takes an event. Runs on a thread of its own.
    fn log(&mut self, event: LogEvent);
}

/// How a store is opened.
pub struct OpenOptions {
    location: Location,
    key: StoreKey,
    kinds: KindRegistry,
    automatic: bool,
    transport: Arc<dyn Transport>,
    http: Option<HttpTransport>,
    clock: Arc<dyn Clock>,
    log: Option<Box<dyn LogSink>>,
}

impl std::fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenOptions")
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

impl OpenOptions {
    /// A store in a file, with its key: 32 random bytes kept elsewhere (Keychain, Keystore, a key file).
    pub fn file(path: impl Into<PathBuf>, key: [u8; 32]) -> Self {
        Self::at(Location::File(path.into()), key)
    }

    /// A store in memory.
    pub fn memory() -> Self {
        Self::at(Location::Memory, [7; 32])
    }

    fn at(location: Location, key: [u8; 32]) -> Self {
        let http = HttpTransport::default();
        Self {
            location,
            key: StoreKey::new(key),
            kinds: KindRegistry::standard(),
            automatic: false,
            transport: Arc::new(http.clone()),
            http: Some(http),
            clock: Arc::new(SystemClock),
            log: None,
        }
    }

    /// Kinds of entries beyond the standard ones.
    pub fn kinds(mut self, kinds: KindRegistry) -> Self {
        self.kinds = kinds;
        self
    }

    /// Synchronises by itself, as soon as there is something to send and once a minute.
    pub fn automatic(mut self, automatic: bool) -> Self {
        self.automatic = automatic;
        self
    }

    /// Another way to send. Pokes are heard over the library's own HTTP only; without them the poll finds the same.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = transport;
        self.http = None;
        self
    }

    /// Other clocks.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Whether the file itself is in order, every page of it. Reads all of it on the caller's thread; whoever has the
    /// store open works on.
    ///
    /// # Errors
    /// `store_locked`, `store_too_new`, `store_damaged`, `store_unavailable`.
    pub fn is_file_whole(&self) -> Result<bool> {
        Ok(is_file_whole(&self.location, &self.key)?)
    }

    /// Where log events go.
    pub fn log(mut self, log: Box<dyn LogSink>) -> Self {
        self.log = Some(log);
        self
    }
}

/// An open store: its client, and the thread that owns it. Dropped, it closes the store and waits for the thread.
#[derive(Debug)]
pub struct OpenStore {
    client: Client,
    owner: Option<JoinHandle<()>>,
}

impl std::ops::Deref for OpenStore {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}

impl OpenStore {
    /// The client, to be cloned freely.
    pub fn client(&self) -> &Client {
        &self.client
    }
}

impl Drop for OpenStore {
    fn drop(&mut self) {
        self.client.close();
        if let Some(owner) = self.owner.take() {
            // A panic of the owner was already answered by `closed` to everybody.
            let _ = owner.join();
        }
    }
}

/// Opens a store. Must be called within a tokio runtime, which carries the requests.
///
/// # Errors
/// `store_locked` (the key does not fit), `store_too_new`, `store_damaged`, `disk_full`, `store_unavailable`.
pub fn open(options: OpenOptions) -> Result<OpenStore> {
    let runtime = tokio::runtime::Handle::try_current()
        .map_err(|_| SyncError::new(Code::StoreUnavailable, "no tokio runtime"))?;
    let mailbox = Arc::new(Mailbox::default());
    let client = Client::new(mailbox.clone(), options.transport.clone(), options.clock.clone());
    let (opened, was_opened) = mpsc::channel();
    let listening = options.http.clone().filter(|_| options.automatic);
    if let Some(http) = listening {
        runtime.spawn(live::listen(client.clone(), http, mailbox.clone()));
    }
    let owner = std::thread::Builder::new()
        .name("vereda-store".into())
        .spawn(move || {
            let mut entropy = SystemEntropy;
            let engine_options = EngineOptions {
                location: options.location.clone(),
                key: options.key,
                kinds: options.kinds,
                automatic: options.automatic,
            };
            match Engine::open(engine_options, options.clock.now(), &mut entropy) {
                Ok(engine) => {
                    let (log, logging) = options.log.and_then(log_thread).unzip();
                    let owner = Owner {
                        engine,
                        sending: SendingRight::of(&options.location),
                        automatic: options.automatic,
                        mailbox: &mailbox,
                        transport: options.transport,
                        clock: options.clock,
                        runtime,
                        log,
                    };
                    let _ = opened.send(Ok(()));
                    owner.run(&mut entropy);
                    mailbox.close();
                    // What was logged last is told before the store counts as closed.
                    if let Some(logging) = logging {
                        let _ = logging.join();
                    }
                }
                Err(error) => {
                    let _ = opened.send(Err(error));
                }
            }
            mailbox.close();
        })
        .map_err(|_| SyncError::new(Code::StoreUnavailable, "no thread"))?;
    was_opened
        .recv()
        .unwrap_or(Err(SyncError::from(Code::StoreUnavailable)))?;
    Ok(OpenStore {
        client,
        owner: Some(owner),
    })
}

/// Without a thread for it there is no log; the store works all the same.
fn log_thread(mut sink: Box<dyn LogSink>) -> Option<(mpsc::Sender<LogEvent>, JoinHandle<()>)> {
    let (sender, events) = mpsc::channel::<LogEvent>();
    let thread = std::thread::Builder::new()
        .name("vereda-log".into())
        .spawn(move || {
            for event in events {
                sink.log(event);
            }
        });
    thread.ok().map(|thread| (sender, thread))
}

struct Owner<'a> {
    engine: Engine,
    sending: SendingRight,
    automatic: bool,
    mailbox: &'a Arc<Mailbox>,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    runtime: tokio::runtime::Handle,
    log: Option<mpsc::Sender<LogEvent>>,
}

impl Owner<'_> {
    fn run(mut self, entropy: &mut SystemEntropy) {
        let mut slices = false;
        let mut wake_at: Option<u64> = None;
        // One that only answers commands leaves the right to send to whoever uses it.
        let held = self.automatic && self.sending.held();
        self.engine.set_may_send(held);
        let mut effects = VecDeque::from(self.engine.step(self.clock.now(), entropy, Event::Wake));
        loop {
            while let Some(effect) = effects.pop_front() {
                match effect {
                    Effect::Continue => slices = true,
                    // The earlier one: commands that come all the time must not put it off for ever.
                    Effect::WakeAt { boot_ms } => {
                        wake_at = Some(wake_at.map_or(boot_ms, |at| at.min(boot_ms)));
                    }
                    other => self.carry_out(other),
                }
            }
            let wait = if slices {
                Some(Duration::ZERO)
            } else {
                wake_at.map(|at| Duration::from_millis(at.saturating_sub(self.clock.now().boot_ms).max(1)))
            };
            match self.mailbox.next(wait) {
                Next::Closed => return,
                Next::Event(event) => {
                    let may_ask = matches!(
                        event,
                        Event::SyncNow(_) | Event::Digest(_) | Event::Wake | Event::Poke | Event::Hint
                    );
                    if may_ask {
                        let held = self.sending.held();
                        self.engine.set_may_send(held);
                    }
                    effects.extend(self.engine.step(self.clock.now(), entropy, event));
                }
                Next::Nothing if slices => {
                    slices = false;
                    effects.extend(self.engine.continue_pending(self.clock.now(), entropy));
                }
                Next::Nothing => {
                    wake_at = None;
                    let held = self.sending.held();
                    self.engine.set_may_send(held);
                    effects.extend(self.engine.step(self.clock.now(), entropy, Event::Wake));
                }
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            // Ours wake a waiting task and do no more.
            Effect::Reply(reply) => reply(),
            Effect::Http { id, request } => {
                let reply = self.transport.send(request);
                let mailbox = self.mailbox.clone();
                self.runtime.spawn(async move {
                    let reply = reply.await;
                    mailbox.post(Event::HttpDone { id, reply });
                });
            }
            Effect::Changed(changes) => self.mailbox.tell(changes),
            Effect::Progress { applied, total } => self.mailbox.tell_progress(applied, total),
            Effect::Log(event) => {
                if let Some(log) = &self.log {
                    let _ = log.send(event);
                }
            }
            Effect::Continue | Effect::WakeAt { .. } => {}
        }
    }
}

impl Drop for Owner<'_> {
    fn drop(&mut self) {
        self.sending.release();
    }
}
