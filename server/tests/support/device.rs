//! A device that speaks the protocol: it writes, pushes, pulls, and checks everything it is told.

use super::{Clinic, read};
use base64::Engine;
use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;
use vereda_core::bytes::ByteArray;
use vereda_core::document::{DocumentKey, LoadedDocument, operations};
use vereda_core::id::{EntryId, Incarnation, PatientId, StoreId, UnitId, UserId};
use vereda_core::protocol::{
    ChainHash, ChangeReference, Cursor, EnrolAnswer, EnrolRequest, EnrolmentCode, Frozen, LogItem, Outcome,
    PATH_ENROL, PATH_SYNC, PageItem, Problem, PushItem, SignedHeads, SyncAnswer, SyncRequest, Tokens,
    advance_chain, chain_tag, change_check,
};
use vereda_core::record::{Compartment, Intent, NewEntry, PatientRecord, Stream, Write};
use vereda_core::redact::Sensitive;
use vereda_core::time::Zoned;

/// What was pushed: the write and its changes' hashes.
pub struct Pushed {
    pub hash: [u8; 32],
    pub changes: Vec<[u8; 32]>,
}

pub struct Device {
    pub incarnation: Incarnation,
    pub generation: u32,
    pub user: UserId,
    pub unit: UnitId,
    pub tokens: Tokens,
    pub epoch: u64,
    pub scope: u32,
    pub streams: Vec<Stream>,
    pub signing_key: [u8; 32],
    pub cursors: BTreeMap<Stream, (u64, ChainHash)>,
    pub documents: HashMap<DocumentKey, LoadedDocument>,
    pub written: BTreeMap<u64, Pushed>,
    pub received: Vec<(Incarnation, LogItem)>,
    pub next: u64,
    pub send_refresh: bool,
    pub raw: bool,
}

pub fn at(ms: i64) -> Zoned {
    Zoned {
        utc_ms: ms,
        offset_minutes: -180,
    }
}

impl Device {
    pub fn enrol(clinic: &Clinic, user: &str, number: u64) -> Self {
        Self::enrol_with(clinic, &clinic.code(user), number)
    }

    pub fn enrol_with(clinic: &Clinic, code: &EnrolmentCode, number: u64) -> Self {
        let incarnation = Incarnation {
            store: StoreId(Uuid::from_u64_pair(number, 1)),
            number,
        };
        let request = EnrolRequest {
            secret: code.secret.clone(),
            incarnation,
            hardware: ByteArray::new([7; 16]),
            label: Sensitive("tablet".into()),
        };
        let answer: EnrolAnswer = read(&clinic.post(PATH_ENROL, None, &request)).unwrap();
        assert_eq!(answer.signing_key, code.signing_key);
        Self {
            incarnation,
            generation: 0,
            user: answer.user,
            unit: answer.scope.units[0].id,
            tokens: answer.tokens,
            epoch: answer.epoch,
            scope: answer.scope.version,
            streams: answer.scope.streams,
            signing_key: *answer.signing_key,
            cursors: BTreeMap::new(),
            documents: HashMap::new(),
            written: BTreeMap::new(),
            received: Vec::new(),
            next: 1,
            send_refresh: false,
            raw: false,
        }
    }

    pub fn authorization(&self) -> Option<String> {
        let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&self.tokens.access.0);
        Some(format!("Bearer {token}"))
    }

    /// A write as yet without a place in any document.
    pub fn write(&mut self, patient: PatientId, intent: Intent) -> Write {
        let n = self.next;
        self.next += 1;
        let compartment = match intent {
            Intent::Register { .. } | Intent::EditRecord { .. } | Intent::AddReference { .. } => {
                Compartment::Identity
            }
            _ => Compartment::Clinical,
        };
        Write {
            n,
            user: self.user,
            unit: self.unit,
            compartment,
            patient,
            recorded_at: at(1_767_000_000_000 + n as i64),
            hlc: None,
            time_uncertain: false,
            after: vec![],
            part: 0,
            replaces: None,
            first_key: None,
            intent,
        }
    }

    pub fn register(&mut self, name: &str) -> Write {
        let intent = Intent::Register {
            record: PatientRecord::named(name),
            patient: None,
        };
        let mut write = self.write(PatientId(Uuid::nil()), intent);
        write.patient = PatientId::derive(&self.incarnation, write.n, write.recorded_at.utc_ms);
        write
    }

    pub fn note(&mut self, patient: PatientId, text: &str) -> Write {
        let entries = vec![NewEntry::note(at(1_766_000_000_000), text)];
        self.write(patient, Intent::Add { entries })
    }

    /// The id of a write's entry.
    pub fn entry(&self, write: &Write) -> EntryId {
        write.entry_id(&self.incarnation, 0, None)
    }

    /// Encodes writes as one message: each changes this device's documents.
    pub fn encode(&mut self, writes: &[Write]) -> Vec<PushItem> {
        let mut last: HashMap<DocumentKey, [u8; 32]> = HashMap::new();
        writes
            .iter()
            .map(|write| {
                let actor = self.incarnation.actor(self.generation);
                let mut hashes = Vec::new();
                let changes = operations(write, &self.incarnation)
                    .into_iter()
                    .map(|wanted| {
                        let document = self.documents.entry(wanted.key).or_default();
                        let applied = document.apply(&wanted.operations, &actor, None).unwrap();
                        let previous = last
                            .insert(wanted.key, applied.hash)
                            .unwrap_or_else(LoadedDocument::genesis_hash);
                        hashes.push(applied.hash);
                        ChangeReference {
                            check: change_check(&applied.hash),
                            dependencies: (applied.dependencies != [previous])
                                .then(|| applied.dependencies.into_iter().map(ByteArray::new).collect()),
                            raw: None,
                        }
                    })
                    .collect();
                let frozen = Frozen::new(write.clone());
                let pushed = Pushed {
                    hash: frozen.hash(),
                    changes: hashes,
                };
                self.written.insert(write.n, pushed);
                PushItem {
                    write: frozen,
                    generation: self.generation,
                    changes,
                }
            })
            .collect()
    }

    pub fn request(&self, push: Vec<PushItem>) -> SyncRequest {
        let cursors = self
            .streams
            .iter()
            .map(|stream| {
                let (seq, chain) = self.cursors.get(stream).copied().unwrap_or((0, [0; 32]));
                Cursor {
                    stream: *stream,
                    seq,
                    chain: chain_tag(&chain),
                }
            })
            .collect();
        SyncRequest {
            incarnation: self.incarnation.number,
            epoch: self.epoch,
            scope: self.scope,
            refresh: self.send_refresh.then(|| self.tokens.refresh.clone()),
            cursors,
            push,
            audit: None,
            raw: self.raw,
            minor: vereda_core::protocol::MINOR,
            ..SyncRequest::default()
        }
    }

    /// Sends a request and does nothing with the answer: it may be lost.
    pub fn send(&self, clinic: &Clinic, request: &SyncRequest) -> Result<SyncAnswer, Problem> {
        read(&clinic.post(PATH_SYNC, self.authorization(), request))
    }

    /// Pushes writes and takes the answer in.
    pub fn push(&mut self, clinic: &Clinic, writes: &[Write]) -> Vec<(u64, Outcome)> {
        let push = self.encode(writes);
        let request = self.request(push);
        let answer = self.send(clinic, &request).unwrap();
        self.take(&request, &answer);
        unfold(&answer)
    }

    /// Registers a patient and writes notes on them.
    pub fn push_many(&mut self, clinic: &Clinic, notes: usize) -> PatientId {
        let register = self.register("Maria");
        let patient = register.patient;
        let mut writes = vec![register];
        writes.extend((0..notes).map(|k| self.note(patient, &format!("nota {k}"))));
        let outcomes = self.push(clinic, &writes);
        assert!(codes(&outcomes).iter().all(|code| code == "accepted"));
        patient
    }

    /// Pulls until nothing is left.
    pub fn pull(&mut self, clinic: &Clinic) {
        loop {
            let request = self.request(vec![]);
            let answer = self.send(clinic, &request).unwrap();
            self.take(&request, &answer);
            if !answer.pages.iter().any(|page| page.more) {
                return;
            }
        }
    }

    /// Forgets what it has read of others and of itself, and reads it all again as a stranger would.
    pub fn pull_anew(&mut self, clinic: &Clinic) {
        self.cursors.clear();
        let number = std::mem::take(&mut self.incarnation.number);
        self.pull(clinic);
        self.incarnation.number = number;
    }

    /// Takes an answer in: pages under the running hash, the signature over where this leads.
    pub fn take(&mut self, request: &SyncRequest, answer: &SyncAnswer) {
        self.epoch = answer.epoch;
        if let Some(tokens) = &answer.tokens {
            self.tokens = tokens.clone();
        }
        let mut last: HashMap<DocumentKey, [u8; 32]> = HashMap::new();
        for page in &answer.pages {
            let (mut seq, mut chain) = self.cursors.get(&page.stream).copied().unwrap_or((0, [0; 32]));
            if page.first != seq + 1 {
                assert_eq!(page.first, 1, "a page begins behind the cursor or anew");
                (seq, chain) = (0, [0; 32]);
            }
            let mut times = page
                .received_ms
                .iter()
                .flat_map(|(count, ms)| std::iter::repeat_n(*ms, *count as usize));
            for item in &page.items {
                match item {
                    PageItem::Own { n, count } => {
                        for n in *n..*n + u64::from(*count) {
                            let own = &self.written[&n];
                            let ms = times.next().unwrap();
                            chain = advance_chain(&chain, &self.incarnation, &own.hash, &own.changes, ms);
                            seq += 1;
                        }
                    }
                    PageItem::Item(item) => {
                        let origin = answer.origins[item.origin as usize];
                        let hashes = self.apply(&origin, item, &mut last);
                        let ms = times.next().unwrap();
                        chain = advance_chain(&chain, &origin, &item.write.hash(), &hashes, ms);
                        seq += 1;
                        self.received.push((origin, (**item).clone()));
                    }
                    PageItem::Part(_) | PageItem::Withheld { .. } => panic!("every patient is whole here"),
                }
            }
            assert_eq!(times.next(), None, "one time for each item");
            self.cursors.insert(page.stream, (seq, chain));
        }
        let heads = request
            .cursors
            .iter()
            .map(|cursor| {
                let (seq, chain) = self.cursors.get(&cursor.stream).copied().unwrap_or((0, [0; 32]));
                (seq, chain_tag(&chain))
            })
            .collect();
        let signed = SignedHeads {
            epoch: answer.epoch,
            time_ms: answer.time_ms,
            heads,
        };
        VerifyingKey::from_bytes(&self.signing_key)
            .unwrap()
            .verify(&signed.to_bytes(), &Signature::from_bytes(&answer.signature))
            .expect("the heads are signed");
    }

    fn apply(
        &mut self,
        origin: &Incarnation,
        item: &LogItem,
        last: &mut HashMap<DocumentKey, [u8; 32]>,
    ) -> Vec<[u8; 32]> {
        let write = item.write.value().unwrap();
        let actor = origin.actor(item.generation);
        operations(write, origin)
            .into_iter()
            .zip(&item.changes)
            .map(|(wanted, reference)| {
                let document = self.documents.entry(wanted.key).or_default();
                let previous = last.get(&wanted.key).copied();
                let dependencies = match &reference.dependencies {
                    Some(named) => named.iter().map(|hash| **hash).collect(),
                    None => vec![previous.unwrap_or_else(LoadedDocument::genesis_hash)],
                };
                let applied = match &reference.raw {
                    Some(raw) => document.apply_raw(raw, &actor).unwrap(),
                    None => document
                        .apply(&wanted.operations, &actor, Some(&dependencies))
                        .unwrap(),
                };
                assert_eq!(change_check(&applied.hash), reference.check);
                last.insert(wanted.key, applied.hash);
                applied.hash
            })
            .collect()
    }

    /// The texts of a patient's entries, sorted.
    pub fn texts(&self, patient: PatientId) -> Vec<String> {
        let mut texts = Vec::new();
        for (key, document) in &self.documents {
            if key.patient == patient {
                for entry in document.everything().entries {
                    let state = document.entry(&entry);
                    texts.extend(state.headers.values().map(|header| header.entry.text.0.clone()));
                }
            }
        }
        texts.sort();
        texts
    }
}

/// Outcomes, one for each write.
pub fn unfold(answer: &SyncAnswer) -> Vec<(u64, Outcome)> {
    let mut outcomes = Vec::new();
    for run in &answer.outcomes {
        for k in 0..u64::from(run.count) {
            let outcome = match &run.outcome {
                Outcome::Accepted {
                    seq,
                    received_ms,
                    changes,
                } => Outcome::Accepted {
                    seq: seq + k,
                    received_ms: *received_ms,
                    changes: changes.clone(),
                },
                other => other.clone(),
            };
            outcomes.push((run.n + k, outcome));
        }
    }
    outcomes
}

/// The code of an outcome; `accepted` for an accepted one.
pub fn code(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted { .. } => "accepted".into(),
        Outcome::Refused { code, .. } => format!("refused {code}"),
        Outcome::Retry { code } => format!("retry {code}"),
        Outcome::Park { code } => format!("park {code}"),
    }
}

/// The codes of outcomes.
pub fn codes(outcomes: &[(u64, Outcome)]) -> Vec<String> {
    outcomes.iter().map(|(_, outcome)| code(outcome)).collect()
}
