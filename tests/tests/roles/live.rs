//! `GET /v1/live` of the real server on a real socket: a listener hears of the streams it reads, and of no other.

use crate::clinic::{Clinic, PLACES, Reader};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use vereda_core::engine::HttpRequest;
use vereda_core::record::Compartment;
use vereda_core::sync::{Reply, TransportError};
use vereda_server::net::server_now;
use vereda_server::{Role, RunningServer, ServeConfig, ServerOptions, Transport, serve};
use vereda_tests::{World, note};

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a patience");
    stream
}

fn bearer(world: &World, device: usize) -> String {
    let tokens = world.enrolment(device).tokens.expect("signed in");
    BASE64_URL_SAFE_NO_PAD.encode(&tokens.access.0)
}

struct Listener {
    reader: Reader,
    stream: TcpStream,
    heard: String,
}

impl Listener {
    fn open(world: &World, reader: Reader, address: SocketAddr) -> Self {
        let mut stream = connect(address);
        let ask = format!(
            "GET /v1/live HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
            bearer(world, reader.device)
        );
        stream.write_all(ask.as_bytes()).expect("it asks");
        let mut listener = Self {
            reader,
            stream,
            heard: String::new(),
        };
        listener.hear_until(": listening");
        listener
    }

    fn hear_until(&mut self, wanted: &str) {
        let mut bytes = [0; 1024];
        while !self.heard.contains(wanted) {
            let count = self.stream.read(&mut bytes).expect("something comes");
            assert!(count > 0, "closed before {wanted}: {}", self.heard);
            self.heard
                .push_str(std::str::from_utf8(&bytes[..count]).expect("text"));
        }
    }

    /// What came until the server closed the stream.
    fn hear_out(mut self) -> (Reader, String) {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest);
        self.heard.push_str(&String::from_utf8_lossy(&rest));
        (self.reader, self.heard)
    }
}

/// One exchange over the socket.
fn exchange(address: SocketAddr, request: &HttpRequest) -> Result<Reply, TransportError> {
    let bearer = request.bearer.as_ref().map_or_else(String::new, |bearer| {
        format!(
            "authorization: Bearer {}\r\n",
            BASE64_URL_SAFE_NO_PAD.encode(&bearer.0)
        )
    });
    let head = format!(
        "{} {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{bearer}content-type: {}\r\naccept: {}\r\ncontent-length: {}\r\n\r\n",
        request.method,
        request.path,
        request.content_type,
        request.content_type,
        request.body.len()
    );
    let mut stream = connect(address);
    let mut bytes = Vec::new();
    stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(&request.body))
        .and_then(|()| stream.read_to_end(&mut bytes))
        .map_err(|_| TransportError::Unreachable)?;
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or(TransportError::Unreachable)?;
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let content_type = head.lines().find_map(|line| line.strip_prefix("content-type: "));
    Ok(Reply {
        status: status.unwrap_or(0),
        content_type: content_type.unwrap_or_default().to_owned(),
        retry_after: None,
        body: bytes[end + 4..].to_vec(),
    })
}

fn start(clinic: &mut Clinic) -> (tokio::runtime::Runtime, RunningServer) {
    clinic.world.stop_server();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let config = ServeConfig {
        store: clinic.world.server_path(),
        keys: clinic.world.server_keys(),
        listen: "127.0.0.1:0".parse().expect("an address"),
        transport: Transport::Plain,
        backup_to: None,
        options: ServerOptions::default(),
    };
    let running = runtime.block_on(serve(config)).expect("it serves");
    (runtime, running)
}

#[test]
fn s1_a_listener_hears_only_of_streams_its_role_reads_in_its_own_units() {
    let world = World::new(51, 0);
    // Tokens are judged by the served server's clock, which is the machine's.
    world.server_clock.set_wall(server_now().ms);
    let mut clinic = Clinic::planted(world);
    let mut readers = Vec::new();
    for place in [PLACES[0], PLACES[2]] {
        for (role, is_granted) in Role::ALL
            .map(|role| (role, false))
            .into_iter()
            .chain([(Role::Clinician, true)])
        {
            let user = format!("{} {is_granted} of {}", role.name(), place.unit);
            let device = clinic.join(place, &user, role, is_granted);
            readers.push(Reader {
                device,
                place,
                role,
                is_granted,
            });
        }
    }
    let (runtime, running) = start(&mut clinic);
    let address = running.address;
    let mut listeners: Vec<Listener> = readers
        .iter()
        .map(|reader| Listener::open(&clinic.world, *reader, address))
        .collect();
    for (author, patient) in clinic.authors.clone().into_iter().zip(clinic.patients.clone()) {
        let mut network = |request: &HttpRequest| exchange(address, request);
        let written = clinic.world.devices[author].run(&mut network, |client| async move {
            let timeline = client.timeline();
            // Identity last: whoever hears of it has heard of the others.
            for compartment in [Compartment::Sensitive, Compartment::Clinical] {
                timeline
                    .add_in(patient, compartment, note(20, "ao vivo"), false)
                    .await?;
                client.sync_once(60_000).await?;
            }
            let record = vereda_core::record::PatientRecord::named("Nova");
            client.patients().register(record).await?;
            client.sync_once(60_000).await
        });
        written.expect("no crash").expect("it synchronised");
    }
    for listener in &mut listeners {
        if listener
            .reader
            .reads(listener.reader.place, Compartment::Identity)
        {
            listener.hear_until("\"compartment\":\"identity\"");
        }
    }
    runtime.block_on(running.shutdown());
    for listener in listeners {
        let (reader, heard) = listener.hear_out();
        for (place, unit) in PLACES.iter().zip(&clinic.units) {
            for compartment in Compartment::ALL {
                let poke = format!("\"unit\":\"{unit}\",\"compartment\":\"{}\"", compartment.name());
                let expected = reader.reads(*place, compartment) && compartment != Compartment::Agenda;
                let case = format!(
                    "{} (granted: {}) of {} × {} of {} × live",
                    reader.role.name(),
                    reader.is_granted,
                    reader.place.unit,
                    compartment.name(),
                    place.unit
                );
                assert_eq!(heard.contains(&poke), expected, "{case}: {heard}");
            }
            // Of another unit not even the id.
            if *place != reader.place {
                assert!(!heard.contains(&unit.to_string()), "{heard}");
            }
        }
    }
}

#[test]
fn s1_a_listener_whose_grant_is_taken_back_hears_nothing_more_of_the_stream() {
    let world = World::new(52, 0);
    world.server_clock.set_wall(server_now().ms);
    let mut clinic = Clinic::planted(world);
    let (place, author, patient) = (PLACES[0], clinic.authors[0], clinic.patients[0]);
    let device = clinic.join(place, "losing", Role::Clinician, true);
    let reader = Reader {
        device,
        place,
        role: Role::Clinician,
        is_granted: true,
    };
    let (runtime, running) = start(&mut clinic);
    let address = running.address;
    let mut listener = Listener::open(&clinic.world, reader, address);
    let write = |clinic: &mut Clinic, compartment: Compartment| {
        let mut network = |request: &HttpRequest| exchange(address, request);
        let written = clinic.world.devices[author].run(&mut network, |client| async move {
            let entry = note(30, "ao vivo");
            client
                .timeline()
                .add_in(patient, compartment, entry, false)
                .await?;
            client.sync_once(60_000).await
        });
        written.expect("no crash").expect("it synchronised");
    };
    write(&mut clinic, Compartment::Sensitive);
    listener.hear_until("\"compartment\":\"sensitive\"");
    clinic
        .world
        .administration()
        .revoke_scope(
            Some("north"),
            "losing",
            "unit-north",
            Compartment::Sensitive,
            server_now().ms,
        )
        .expect("revoked");
    let before = listener.heard.len();
    write(&mut clinic, Compartment::Sensitive);
    write(&mut clinic, Compartment::Clinical);
    listener.hear_until("\"compartment\":\"clinical\"");
    assert!(
        !listener.heard[before..].contains("sensitive"),
        "{}",
        listener.heard
    );
    runtime.block_on(running.shutdown());
}
