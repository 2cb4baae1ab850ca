//! The device: which store it is, who works on it, how far its counters and clocks have come.

use crate::bytes::ByteArray;
use crate::entropy::Entropy;
use crate::error::{Code, Result, SyncError};
use crate::id::{DocumentId, Incarnation, PatientId, StoreId, TenantId, UnitId, UserId};
use crate::protocol::{Scope, Tokens};
use crate::store::{StoreError, meta};
use crate::time::{EpochMs, Hlc, Now};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

/// What enrolment gave.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Enrolment {
    /// Where the server is (`https://host[:port]`).
    pub server: String,
    /// Its signing key, pinned.
    pub signing_key: ByteArray<32>,
    /// SHA-256 of the authority its TLS chain must end in; none behind a public one.
    pub authority: Option<ByteArray<32>>,
    /// The tenant.
    pub tenant: TenantId,
    /// Who works on this store.
    pub user: UserId,
    /// What they may see.
    pub scope: Scope,
    /// The tokens; none after sign-out.
    pub tokens: Option<Tokens>,
    /// The server's history.
    pub epoch: u64,
}

/// Counters that rise with each write.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Counters {
    /// The number the next write takes. Never starts again, also not in a new incarnation.
    pub next_n: u64,
    /// The generation of the actor.
    pub generation: u32,
    /// The hybrid clock's last reading.
    pub hlc: Hlc,
    /// The audit's last record.
    pub audit_last: u64,
    /// Its head.
    pub audit_head: ByteArray<32>,
    /// People's writes in the outbox.
    pub queued: u64,
    /// Their bytes.
    pub queued_bytes: u64,
}

/// The last write the server is known to hold: what `seen` is compared with.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct LastAccepted {
    /// Its number.
    pub n: u64,
    /// The first four bytes of its hash.
    pub check: u32,
}

/// How far taking away who is no longer in scope has come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Departures {
    /// The patients are walked; up to this one they were looked at.
    Walking(Option<PatientId>),
    /// Free pages are filled with zeros: rows that were deleted before lie in them.
    Filling,
    /// The fillings are given back.
    Freeing,
    /// The log is emptied; while another process reads from it, it is tried again.
    Emptying,
}

/// How far fetching everything again has come (`Client::resync`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resync {
    /// It begins when the server has answered: without a network nothing changes.
    Wanted,
    /// Documents are noted as to be fetched; up to this one they are.
    Marking(Option<DocumentId>),
    /// Logs or segments are read, and documents come.
    Fetching,
}

/// What is known of server time.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct ServerClock {
    /// Server time minus this boot's monotonic clock.
    pub server_minus_boot_ms: i64,
    /// The boot it was measured in.
    pub boot_id: [u8; 16],
    /// Half the round trip: the error of the estimate.
    pub uncertainty_ms: u64,
}

/// The device's state, kept in memory between steps and read again when another process wrote.
#[derive(Clone, Debug)]
pub struct Device {
    /// The incarnation it writes in.
    pub incarnation: Incarnation,
    /// What enrolment gave; none before.
    pub enrolment: Option<Enrolment>,
    /// Its counters.
    pub counters: Counters,
    /// Server time, as far as known.
    pub clock: Option<ServerClock>,
    /// The last write the server is known to hold.
    pub last_accepted: Option<LastAccepted>,
    /// A walk over the patients that takes away who is no longer in scope; none where nobody is known to have left.
    pub departures: Option<Departures>,
    /// Everything is being fetched again; none where it is not.
    pub resync: Option<Resync>,
    stored_counters: Option<Counters>,
}

impl Device {
    /// Reads the device from its store; a new store becomes a device.
    pub fn load(connection: &Connection, entropy: &mut dyn Entropy) -> Result<Self, StoreError> {
        let incarnation = match meta::get(connection, "incarnation")? {
            Some(incarnation) => incarnation,
            None => {
                let mut store = [0; 16];
                entropy.fill(&mut store);
                let store = StoreId(uuid::Builder::from_random_bytes(store).into_uuid());
                let incarnation = Incarnation {
                    store,
                    number: random_number(entropy),
                };
                meta::set(connection, "incarnation", &incarnation)?;
                incarnation
            }
        };
        let counters: Option<Counters> = meta::get(connection, "counters")?;
        Ok(Self {
            incarnation,
            enrolment: meta::get(connection, "enrolment")?,
            counters: counters.unwrap_or(Counters {
                next_n: 1,
                generation: 0,
                hlc: Hlc::default(),
                audit_last: 0,
                audit_head: ByteArray::new([0; 32]),
                queued: 0,
                queued_bytes: 0,
            }),
            clock: meta::get(connection, "clock")?,
            last_accepted: meta::get(connection, "last_accepted")?,
            departures: meta::get(connection, "departures")?,
            resync: meta::get(connection, "resync")?,
            stored_counters: counters,
        })
    }

    /// Writes the counters if they moved. The end of every step.
    pub fn store_counters(&mut self, connection: &Connection) -> Result<(), StoreError> {
        if self.stored_counters != Some(self.counters) {
            meta::set(connection, "counters", &self.counters)?;
            self.stored_counters = Some(self.counters);
        }
        Ok(())
    }

    /// Writes the enrolment.
    pub fn store_enrolment(&self, connection: &Connection) -> Result<(), StoreError> {
        match &self.enrolment {
            Some(enrolment) => meta::set(connection, "enrolment", enrolment),
            None => meta::remove(connection, "enrolment"),
        }
    }

    /// Writes what is known of the server's clock.
    pub fn store_clock(&self, connection: &Connection) -> Result<(), StoreError> {
        match &self.clock {
            Some(clock) => meta::set(connection, "clock", clock),
            None => Ok(()),
        }
    }

    /// Notes the highest write the server is known to hold.
    pub fn note_accepted(
        &mut self,
        connection: &Connection,
        n: u64,
        hash: &[u8; 32],
    ) -> Result<(), StoreError> {
        if self.last_accepted.is_none_or(|last| last.n < n) {
            let last = LastAccepted {
                n,
                check: crate::protocol::change_check(hash),
            };
            meta::set(connection, "last_accepted", &last)?;
            self.last_accepted = Some(last);
        }
        Ok(())
    }

    /// Notes how far fetching everything again has come; none: it is over.
    pub fn set_resync(&mut self, connection: &Connection, resync: Option<Resync>) -> Result<(), StoreError> {
        match &resync {
            Some(resync) => meta::set(connection, "resync", resync)?,
            None => meta::remove(connection, "resync")?,
        }
        self.resync = resync;
        Ok(())
    }

    /// Notes how far the walk over the patients has come.
    pub fn set_departures(
        &mut self,
        connection: &Connection,
        departures: Option<Departures>,
    ) -> Result<(), StoreError> {
        match &departures {
            Some(departures) => meta::set(connection, "departures", departures)?,
            None => meta::remove(connection, "departures")?,
        }
        self.departures = departures;
        Ok(())
    }

    /// Begins a new incarnation: this file is a copy of one that went on elsewhere. The generation becomes a random
    /// one, so that no actor of the copied file is ever used again by both.
    pub fn begin_incarnation(
        &mut self,
        connection: &Connection,
        entropy: &mut dyn Entropy,
    ) -> Result<(), StoreError> {
        self.incarnation.number = random_number(entropy);
        self.counters.generation = 1 << 16 | (entropy.next_u64() as u32 >> 2);
        self.last_accepted = None;
        meta::remove(connection, "last_accepted")?;
        meta::set(connection, "incarnation", &self.incarnation)
    }

    /// What enrolment gave.
    ///
    /// # Errors
    /// `not_enrolled`.
    pub fn enrolled(&self) -> Result<&Enrolment> {
        self.enrolment.as_ref().ok_or(SyncError::from(Code::NotEnrolled))
    }

    /// The unit that is written in when none is named: the first in scope.
    pub fn default_unit(&self) -> Result<UnitId> {
        let unit = self.enrolled()?.scope.units.first();
        unit.map(|unit| unit.id).ok_or(SyncError::from(Code::OutOfScope))
    }

    /// Server time as this boot knows it; `None` when there was no contact since the machine started.
    pub fn server_ms(&self, now: &Now) -> Option<EpochMs> {
        let clock = self.clock.as_ref().filter(|clock| clock.boot_id == now.boot_id)?;
        Some(
            clock
                .server_minus_boot_ms
                .saturating_add(i64::try_from(now.boot_ms).unwrap_or(i64::MAX)),
        )
    }

    /// Takes in the server's time of an answer to a request sent at `sent_boot_ms`. What the hybrid clock took from
    /// a wrong wall clock stays: it only rises.
    pub fn observe_server_time(&mut self, now: &Now, server_ms: EpochMs, sent_boot_ms: u64) {
        let round_trip = now.boot_ms.saturating_sub(sent_boot_ms);
        let midpoint = now.boot_ms.saturating_sub(round_trip / 2);
        self.clock = Some(ServerClock {
            server_minus_boot_ms: server_ms.saturating_sub(i64::try_from(midpoint).unwrap_or(i64::MAX)),
            boot_id: now.boot_id,
            uncertainty_ms: round_trip / 2,
        });
    }

    /// Where other devices' clocks may drag ours, at most: server time + δ (INVARIANTS T2).
    pub fn clock_limit_ms(&self, now: &Now) -> EpochMs {
        self.server_ms(now)
            .unwrap_or(now.wall_ms)
            .saturating_add(crate::limits::CLOCK_OFFSET_SHOWN_MS)
    }
}

fn random_number(entropy: &mut dyn Entropy) -> u64 {
    // 63 bits: SQLite's integers are signed. Never 0, which no incarnation has.
    entropy.next_u64() >> 1 | 1
}
