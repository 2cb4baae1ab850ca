//! The network between the devices and the server: it counts bytes, can be cut, and can lose an answer after the
//! server has done what it was asked.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

#[derive(Default)]
struct Switches {
    cut: AtomicBool,
    answers_to_lose: AtomicU32,
    answers_lost: AtomicU32,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
}

/// A proxy on this machine.
pub(crate) struct Network {
    address: SocketAddr,
    switches: Arc<Switches>,
}

impl Network {
    /// A network to a server.
    pub(crate) fn to(server: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let switches = Arc::new(Switches::default());
        let shared = Arc::clone(&switches);
        std::thread::spawn(move || {
            for device in listener.incoming().flatten() {
                if shared.cut.load(Ordering::SeqCst) {
                    continue;
                }
                // A server that is gone is a connection that ends.
                let _ = join(device, server, &shared);
            }
        });
        Ok(Self { address, switches })
    }

    /// Where devices find the server.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts or restores it.
    pub(crate) fn cut(&self, cut: bool) {
        self.switches.cut.store(cut, Ordering::SeqCst);
    }

    /// Loses so many answers from now on.
    pub(crate) fn lose_answers(&self, count: u32) {
        self.switches.answers_to_lose.store(count, Ordering::SeqCst);
    }

    /// Answers lost so far.
    pub(crate) fn answers_lost(&self) -> u32 {
        self.switches.answers_lost.load(Ordering::SeqCst)
    }

    /// Bytes so far: to the server, and from it, heads and bodies.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (
            self.switches.bytes_up.load(Ordering::SeqCst),
            self.switches.bytes_down.load(Ordering::SeqCst),
        )
    }
}

/// Lets bytes through both ways, until either side ends or the network is cut.
fn join(device: TcpStream, server: SocketAddr, switches: &Arc<Switches>) -> std::io::Result<()> {
    let server = TcpStream::connect(server)?;
    server.set_nodelay(true)?;
    device.set_nodelay(true)?;
    let (device_in, server_in) = (device.try_clone()?, server.try_clone()?);
    let (up, down) = (Arc::clone(switches), Arc::clone(switches));
    std::thread::spawn(move || {
        copy(device_in, server, |bytes| {
            up.bytes_up.fetch_add(bytes as u64, Ordering::SeqCst);
            !up.cut.load(Ordering::SeqCst)
        });
    });
    std::thread::spawn(move || {
        copy(server_in, device, |bytes| {
            down.bytes_down.fetch_add(bytes as u64, Ordering::SeqCst);
            !down.cut.load(Ordering::SeqCst) && !loses(&down)
        });
    });
    Ok(())
}

fn loses(switches: &Switches) -> bool {
    let one_less = |left: u32| left.checked_sub(1);
    let lost = switches
        .answers_to_lose
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
        .is_ok();
    if lost {
        switches.answers_lost.fetch_add(1, Ordering::SeqCst);
    }
    lost
}

/// Copies while `passes` lets what came through; then both directions end.
fn copy(mut from: TcpStream, mut to: TcpStream, mut passes: impl FnMut(usize) -> bool) {
    let mut buffer = [0; 64 * 1024];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 || !passes(count) || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // One of them is closed already, most likely.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
