//! A device on the caller's thread.

use super::{SeededEntropy, TestClock};
use crate::client::{Client, Clock, Mailbox, Next, Transport, TransportFuture};
use crate::engine::{Effect, Engine, EngineOptions, Event, HttpRequest, LogEvent};
use crate::error::Result;
use crate::record::KindRegistry;
use crate::sync::{Reply, TransportError};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::oneshot;

/// What carries requests: the test itself.
pub trait Network {
    /// One exchange.
    fn exchange(&mut self, request: &HttpRequest) -> Result<Reply, TransportError>;
}

impl<F: FnMut(&HttpRequest) -> Result<Reply, TransportError>> Network for F {
    fn exchange(&mut self, request: &HttpRequest) -> Result<Reply, TransportError> {
        self(request)
    }
}

/// The device was crashed on purpose; open it again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Crashed;

type Waiting = VecDeque<(HttpRequest, oneshot::Sender<Result<Reply, TransportError>>)>;

/// Requests of the façade itself (enrolment, snapshots), which wait for the run loop.
#[derive(Clone, Default)]
struct QueuedTransport(Arc<Mutex<Waiting>>);

impl Transport for QueuedTransport {
    fn send(&self, request: HttpRequest) -> TransportFuture {
        let (sender, receiver) = oneshot::channel();
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back((request, sender));
        Box::pin(async move { receiver.await.unwrap_or(Err(TransportError::Cut)) })
    }
}

/// A device under test.
pub struct TestDevice {
    /// Its clock.
    pub clock: TestClock,
    /// What it logged.
    pub log: Vec<LogEvent>,
    /// Steps of the engine so far.
    pub steps: u64,
    /// After this many more steps the device crashes: what was committed is in the file, nothing else is anywhere.
    pub crash_after: Option<u64>,
    /// When the engine asked to be woken, since boot.
    pub wake_at: Option<u64>,
    options: EngineOptions,
    entropy: SeededEntropy,
    engine: Option<Engine>,
    mailbox: Arc<Mailbox>,
    transport: QueuedTransport,
    requests: VecDeque<(u64, HttpRequest)>,
    slices: bool,
}

impl std::fmt::Debug for TestDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestDevice")
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

impl TestDevice {
    /// Opens a store.
    pub fn open(options: EngineOptions, clock: TestClock, seed: u64) -> Result<Self> {
        let mut device = Self {
            clock,
            log: Vec::new(),
            steps: 0,
            crash_after: None,
            wake_at: None,
            options,
            entropy: SeededEntropy::new(seed),
            engine: None,
            mailbox: Arc::default(),
            transport: QueuedTransport::default(),
            requests: VecDeque::new(),
            slices: false,
        };
        device.reopen()?;
        Ok(device)
    }

    /// Drops everything that is not in the file, as a kill does, and opens the file again.
    pub fn reopen(&mut self) -> Result<()> {
        self.close();
        self.mailbox = Arc::default();
        self.transport = QueuedTransport::default();
        self.engine = Some(Engine::open(
            self.options.clone(),
            self.clock.now(),
            &mut self.entropy,
        )?);
        Ok(())
    }

    /// Opens the file again under an app that was built with other kinds: another version of it.
    pub fn reopen_with(&mut self, kinds: KindRegistry) -> Result<()> {
        self.options.kinds = kinds;
        self.reopen()
    }

    /// Opens the file again; from now on the device synchronises by itself, whenever `wake_at` has come.
    pub fn reopen_automatic(&mut self) -> Result<()> {
        self.options.automatic = true;
        self.reopen()
    }

    /// Whether this process may send, or another one of the same store holds the right.
    pub fn set_may_send(&mut self, may_send: bool) {
        if let Some(engine) = self.engine.as_mut() {
            engine.set_may_send(may_send);
        }
    }

    /// The disk is full, or no longer: SQLite itself refuses every page more.
    pub fn fill_disk(&mut self, full: bool) {
        if let Some(engine) = self.engine.as_mut() {
            engine.limit_pages(full);
        }
    }

    /// Closes the file, so that the test may look at it or put another in its place.
    pub fn close(&mut self) {
        self.engine = None;
        self.requests.clear();
        self.slices = false;
    }

    /// The façade.
    pub fn client(&self) -> Client {
        let transport: Arc<dyn Transport> = Arc::new(self.transport.clone());
        Client::new(self.mailbox.clone(), transport, Arc::new(self.clock.clone()))
    }

    /// Runs calls of the façade to their end.
    ///
    /// # Errors
    /// [`Crashed`] when `crash_after` ran out.
    pub fn run<T, W: Future<Output = T>>(
        &mut self,
        network: &mut dyn Network,
        work: impl FnOnce(Client) -> W,
    ) -> Result<T, Crashed> {
        let mut work = pin!(work(self.client()));
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(value) = work.as_mut().poll(&mut context) {
                return Ok(value);
            }
            if !self.turn(network)? {
                panic!("the device waits for nothing that could come");
            }
        }
    }

    /// Lets the device do what it has left to do.
    pub fn settle(&mut self, network: &mut dyn Network) -> Result<(), Crashed> {
        while self.turn(network)? {}
        Ok(())
    }

    /// The time asked for has come.
    pub fn wake(&mut self, network: &mut dyn Network) -> Result<(), Crashed> {
        self.mailbox.post(Event::Wake);
        self.settle(network)
    }

    fn turn(&mut self, network: &mut dyn Network) -> Result<bool, Crashed> {
        if let Next::Event(event) = self.mailbox.next(Some(Duration::ZERO)) {
            let now = self.clock.now();
            self.step(|engine, entropy| engine.step(now, entropy, event))?;
            return Ok(true);
        }
        let queued = self
            .transport
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        if let Some((request, reply)) = queued {
            // Whoever asked may have been dropped.
            let _ = reply.send(network.exchange(&request));
            return Ok(true);
        }
        if let Some((id, request)) = self.requests.pop_front() {
            let reply = network.exchange(&request);
            self.mailbox.post(Event::HttpDone { id, reply });
            return Ok(true);
        }
        if std::mem::take(&mut self.slices) {
            let now = self.clock.now();
            self.step(|engine, entropy| engine.continue_pending(now, entropy))?;
            return Ok(true);
        }
        Ok(false)
    }

    fn step(
        &mut self,
        step: impl FnOnce(&mut Engine, &mut SeededEntropy) -> Vec<Effect>,
    ) -> Result<(), Crashed> {
        let Some(engine) = self.engine.as_mut() else {
            return Err(Crashed);
        };
        let effects = step(engine, &mut self.entropy);
        self.steps += 1;
        if let Some(left) = self.crash_after.as_mut() {
            if *left == 0 {
                self.crash_after = None;
                self.close();
                return Err(Crashed);
            }
            *left -= 1;
        }
        for effect in effects {
            match effect {
                Effect::Reply(reply) => reply(),
                Effect::Http { id, request } => self.requests.push_back((id, request)),
                Effect::Continue => self.slices = true,
                Effect::Changed(changes) => self.mailbox.tell(changes),
                Effect::Progress { applied, total } => self.mailbox.tell_progress(applied, total),
                Effect::Log(event) => self.log.push(event),
                Effect::WakeAt { boot_ms } => self.wake_at = Some(boot_ms),
            }
        }
        Ok(())
    }
}
