//! A document in memory: changes are made or taken in, and what they touched is read back.

use super::gate::GateRefusal;
use super::genesis::{Maps, genesis, genesis_hash};
use super::operation::{ChartValue, Operation};
use super::perform::perform;
use super::state::{self, ChartState, DraftState, EntryState};
use super::{DocumentError, Touched, gate};
use crate::id::{ChartItemId, EntryId, WriteId};
use crate::record::EntryHeader;
use crate::redact::Sensitive;
use automerge::transaction::CommitOptions;
use automerge::{ActorId, Automerge, Change, ChangeHash, ReadDoc, ScalarValue, Value};

/// A change's hash.
pub type ChangeId = [u8; 32];

/// A change that was made or taken in.
#[derive(Clone, PartialEq, Debug)]
pub struct AppliedChange {
    /// Its hash.
    pub hash: ChangeId,
    /// What it builds on: the heads its author saw.
    pub dependencies: Vec<ChangeId>,
    /// Its bytes, as Automerge writes them.
    pub bytes: Vec<u8>,
    /// What it touched.
    pub touched: Touched,
    /// The document had it already.
    pub known: bool,
}

/// A document in memory.
pub struct LoadedDocument {
    document: Automerge,
    maps: &'static Maps,
    heads: Vec<ChangeId>,
    /// Nobody ever opened a draft or decided anything in it: most chapters. Its entries are their headers.
    headers_only: bool,
    /// The document as a writer saw it who did not have everything that is here: kept while their writes come.
    branch: Option<Box<LoadedDocument>>,
    bytes: usize,
}

impl std::fmt::Debug for LoadedDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadedDocument")
            .field("heads", &self.heads.len())
            .field("bytes", &self.bytes)
            .finish()
    }
}

impl Default for LoadedDocument {
    fn default() -> Self {
        Self::new()
    }
}

impl LoadedDocument {
    /// A document that holds the genesis change alone.
    pub fn new() -> Self {
        let (document, maps) = genesis();
        Self {
            document: document.clone(),
            maps,
            heads: vec![genesis_hash().0],
            headers_only: true,
            branch: None,
            bytes: 0,
        }
    }

    /// The hash every document starts from.
    pub fn genesis_hash() -> ChangeId {
        genesis_hash().0
    }

    /// Opens our own stored chunks: saved documents and changes, in any order. They passed the gate when they
    /// came.
    pub fn load<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, DocumentError> {
        let mut loaded = Self::new();
        let mut joined = Vec::new();
        for chunk in chunks {
            joined.extend_from_slice(chunk);
        }
        loaded.bytes = joined.len();
        // Automerge passes over what it cannot read; of our own chunks nothing may be missing.
        for chunk in gate::split_chunks(&joined)? {
            chunk.verify()?;
        }
        if !joined.is_empty() {
            loaded.document.load_incremental(&joined)?;
        }
        loaded.refresh();
        loaded.look_for_drafts();
        if loaded.document.get_missing_deps(&[]).is_empty() {
            Ok(loaded)
        } else {
            Err(DocumentError::MissingDependency)
        }
    }

    /// Takes in a document from outside: gate first. Returns what it touched, and that document as it is kept, however
    /// it travelled.
    pub fn merge_saved(&mut self, saved: &[u8]) -> Result<(Touched, Vec<u8>), DocumentError> {
        gate::admit_document(saved)?;
        let before = self.document.get_heads();
        let mut other = Automerge::load(saved)?;
        if other.get_change_by_hash(&genesis_hash()).is_none() {
            return Err(DocumentError::NotPermitted("another genesis"));
        }
        let kept = other.save();
        self.document.merge(&mut other)?;
        self.bytes += kept.len();
        self.branch = None;
        self.refresh();
        self.look_for_drafts();
        let after = self.document.get_heads();
        let touched = Touched::by_patches(&self.document.diff(&before, &after));
        Ok((touched, kept))
    }

    /// The heads, sorted.
    pub fn heads(&self) -> &[ChangeId] {
        &self.heads
    }

    /// Whether the document holds a change.
    pub fn contains(&self, hash: &ChangeId) -> bool {
        self.document.get_change_by_hash(&ChangeHash(*hash)).is_some()
    }

    /// The bytes of a change it holds.
    pub fn change(&self, hash: &ChangeId) -> Option<Vec<u8>> {
        self.document
            .get_change_by_hash(&ChangeHash(*hash))
            .map(|change| change.raw_bytes().to_vec())
    }

    /// The change of an actor that the log names by four bytes of its hash, the last one first. None where it is not
    /// here.
    pub fn find_change(&self, actor: &[u8; 16], check: u32) -> Option<AppliedChange> {
        let changes = self.document.get_changes_meta(&[]);
        let found = changes.iter().rev().find(|change| {
            change.actor.to_bytes() == actor && crate::protocol::change_check(&change.hash.0) == check
        })?;
        Some(AppliedChange {
            hash: found.hash.0,
            dependencies: found.deps.iter().map(|hash| hash.0).collect(),
            bytes: self.change(&found.hash.0)?,
            touched: Touched::default(),
            known: true,
        })
    }

    /// The hashes of its changes, the last first.
    pub fn change_hashes(&self) -> impl Iterator<Item = ChangeId> {
        let changes = self.document.get_changes_meta(&[]);
        changes
            .iter()
            .rev()
            .map(|change| change.hash.0)
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The actor and sequence number of each change, with its hash: no two changes anywhere share the pair.
    pub fn change_places(&self) -> Vec<(Vec<u8>, u64, ChangeId)> {
        let changes = self.document.get_changes_meta(&[]);
        changes
            .iter()
            .map(|change| (change.actor.to_bytes().to_vec(), change.seq, change.hash.0))
            .collect()
    }

    /// Whether two documents show the same, down to keys this version does not know. (Of concurrent values it
    /// compares the winners; the states of what was touched hold the others.)
    pub fn shows_the_same_as(&self, other: &Self) -> bool {
        self.document.hydrate(None) == other.document.hydrate(None)
    }

    /// An estimate of its size: the bytes it was loaded from and the changes since.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Final entries and drafts in it.
    pub fn entry_count(&self) -> usize {
        self.document.length(&self.maps.entries) + self.document.length(&self.maps.drafts)
    }

    /// The whole document in one chunk.
    pub fn save(&self) -> Vec<u8> {
        self.document.save()
    }

    /// The same for a message, which compresses all its documents at once, and better: without a compression of its
    /// own, unless that makes it longer than `limit` bytes.
    pub fn save_for_message(&self, limit: usize) -> Vec<u8> {
        let plain = self.document.save_nocompress();
        if plain.len() <= limit { plain } else { self.save() }
    }

    /// Makes one change from operations as `actor`, on top of `dependencies` (the heads when `None`).
    /// The same operations, actor and dependencies give the same bytes everywhere.
    pub fn apply(
        &mut self,
        operations: &[Operation],
        actor: &[u8; 16],
        dependencies: Option<&[ChangeId]>,
    ) -> Result<AppliedChange, DocumentError> {
        match dependencies {
            Some(dependencies) if !same_heads(dependencies, &self.heads) => {
                let mut applied = self.branch_at(dependencies)?.apply(operations, actor, None)?;
                let change =
                    Change::from_bytes(applied.bytes.clone()).map_err(|_| DocumentError::Automerge)?;
                applied.known = self.contains(&applied.hash);
                self.take(change)?;
                self.headers_only &= operations.iter().all(Operation::is_header);
                applied.dependencies = dependencies.to_vec();
                Ok(applied)
            }
            _ => self.make(operations, actor),
        }
    }

    /// Takes in the bytes of a change made elsewhere. It passes the gate for `actor` first.
    pub fn apply_raw(&mut self, bytes: &[u8], actor: &[u8; 16]) -> Result<AppliedChange, DocumentError> {
        let known = |hash: &[u8; 32]| {
            self.document
                .get_change_meta_by_hash(&ChangeHash(*hash))
                .map(|c| c.max_op)
        };
        let last_seq = |actor: &[u8]| self.last_seq(actor);
        let context = gate::ChangeContext {
            actor: Some(actor),
            dependency: &known,
            last_seq: &last_seq,
        };
        let admitted = gate::admit_change(bytes, &context)?;
        let before = self.document.get_heads();
        let change = Change::from_bytes(bytes.to_vec()).map_err(|_| DocumentError::Automerge)?;
        self.document = gate::try_change(&self.document, change)?;
        self.bytes += bytes.len();
        self.refresh();
        self.look_for_drafts();
        let after = self.document.get_heads();
        Ok(AppliedChange {
            hash: admitted.hash,
            dependencies: admitted.dependencies,
            bytes: bytes.to_vec(),
            touched: Touched::by_patches(&self.document.diff(&before, &after)),
            known: false,
        })
    }

    /// The same of a change the server accepted, which may come again: in another log, or because a log is read again.
    pub fn take_accepted(&mut self, bytes: &[u8], actor: &[u8; 16]) -> Result<AppliedChange, DocumentError> {
        match self.apply_raw(bytes, actor) {
            Err(DocumentError::Gate(GateRefusal::AlreadyKnown)) => {
                let change = Change::from_bytes(bytes.to_vec()).map_err(|_| DocumentError::Automerge)?;
                Ok(AppliedChange {
                    hash: change.hash().0,
                    dependencies: change.deps().iter().map(|hash| hash.0).collect(),
                    bytes: bytes.to_vec(),
                    touched: Touched::default(),
                    known: true,
                })
            }
            applied => applied,
        }
    }

    /// How many changes of `actor` the document holds.
    pub fn last_seq(&self, actor: &[u8]) -> u64 {
        let actor = ActorId::from(actor);
        self.document
            .get_changes_meta(&[])
            .iter()
            .filter(|change| *change.actor == actor)
            .map(|change| change.seq)
            .max()
            .unwrap_or(0)
    }

    /// Everything in it.
    pub fn everything(&self) -> Touched {
        let mut touched = Touched::default();
        let maps = [
            ("entries", &self.maps.entries),
            ("drafts", &self.maps.drafts),
            ("marks", &self.maps.marks),
            ("chart", &self.maps.chart),
        ];
        for (name, map) in maps {
            for key in self.document.keys(map) {
                touched.insert(name, &key);
            }
        }
        touched
    }

    /// An entry as it stands.
    pub fn entry(&self, entry: &EntryId) -> EntryState {
        let key = state::entry_key(entry);
        let mut found = EntryState::default();
        for bytes in self.scalars(&self.maps.entries, &key) {
            // A header of a newer version that this one cannot read stays in the document and is passed on.
            if let Ok(header) = crate::protocol::decode::<EntryHeader>(&bytes) {
                found.headers.insert(header.write, header);
            }
        }
        if self.headers_only {
            return found;
        }
        found.draft = self.draft(entry);
        found.dismissed = self
            .scalars(&self.maps.marks, &format!("{key}/dismissed"))
            .iter()
            .filter_map(|bytes| bytes.as_slice().try_into().ok())
            .collect();
        found.chosen = self
            .scalars(&self.maps.marks, &format!("{key}/chosen"))
            .iter()
            .filter_map(|bytes| WriteId::from_slice(bytes))
            .collect();
        found
    }

    /// A draft as it stands.
    pub fn draft(&self, draft: &EntryId) -> Option<DraftState> {
        let (_, map) = self
            .document
            .get(&self.maps.drafts, state::entry_key(draft))
            .ok()
            .flatten()?;
        let opening = state::read_opening(self.scalars(&map, "opened").first()?)?;
        let (_, text) = self.document.get(&map, "text").ok().flatten()?;
        let bodies = self.document.get_all(&map, "body").unwrap_or_default();
        let mut body: Vec<Option<Sensitive<String>>> = bodies
            .iter()
            .rev()
            .map(|(value, _)| value.as_str().map(|text| Sensitive(text.to_owned())))
            .collect();
        body.dedup();
        let mut occurred_at: Vec<_> = self
            .scalars(&map, "occurred")
            .iter()
            .filter_map(|bytes| crate::protocol::decode(bytes).ok())
            .collect();
        occurred_at.dedup();
        Some(DraftState {
            kind: opening.kind,
            author: opening.author,
            recorded_at: opening.recorded_at,
            occurred_at,
            text: Sensitive(self.document.text(&text).ok()?),
            body,
        })
    }

    /// A chart item as it stands.
    pub fn chart_item(&self, item: &ChartItemId) -> ChartState {
        let prefix = format!("{}/", item.0.simple());
        let mut found = ChartState::default();
        let end = format!("{}0", item.0.simple()); // '0' follows '/' in ASCII
        for entry in self.document.map_range(&self.maps.chart, prefix.clone()..end) {
            let key = entry.key.to_string();
            let mut values: Vec<ChartValue> = Vec::new();
            for bytes in self.scalars(&self.maps.chart, &key) {
                if let Ok(value) = crate::protocol::decode::<ChartValue>(&bytes)
                    && !values.iter().any(|known| known.value == value.value)
                {
                    values.push(value);
                }
            }
            found.fields.insert(key[prefix.len()..].to_owned(), values);
        }
        found
    }

    /// The values at a key, Automerge's winner first.
    fn scalars(&self, map: &automerge::ObjId, key: &str) -> Vec<Vec<u8>> {
        let all = self.document.get_all(map, key).unwrap_or_default();
        all.into_iter()
            .rev()
            .filter_map(|(value, _)| match value {
                Value::Scalar(scalar) => match scalar.into_owned() {
                    ScalarValue::Bytes(bytes) => Some(bytes),
                    _ => None,
                },
                Value::Object(_) => None,
            })
            .collect()
    }

    fn make(&mut self, operations: &[Operation], actor: &[u8; 16]) -> Result<AppliedChange, DocumentError> {
        self.document.set_actor(ActorId::from(actor.as_slice()));
        let dependencies = std::mem::take(&mut self.heads);
        let made = self.make_change(operations);
        self.refresh();
        let change = made?;
        self.bytes += change.raw_bytes().len();
        self.headers_only &= operations.iter().all(Operation::is_header);
        self.branch = None;
        Ok(AppliedChange {
            hash: change.hash().0,
            dependencies,
            bytes: change.raw_bytes().to_vec(),
            touched: Touched::by_operations(operations),
            known: false,
        })
    }

    fn make_change(&mut self, operations: &[Operation]) -> Result<Change, DocumentError> {
        let maps = self.maps;
        let mut transaction = self.document.transaction();
        for operation in operations {
            // Dropping the transaction on the way out rolls it back.
            perform(&mut transaction, maps, operation)?;
        }
        let (hash, _) = transaction.commit_with(CommitOptions::default().with_time(0));
        let hash = hash.ok_or(DocumentError::Empty)?;
        self.document
            .get_change_by_hash(&hash)
            .ok_or(DocumentError::Automerge)
    }

    fn take(&mut self, change: Change) -> Result<(), DocumentError> {
        self.bytes += change.raw_bytes().len();
        self.document.apply_changes([change])?;
        self.refresh();
        Ok(())
    }

    /// The document as it was at `dependencies`; the last branch is kept, because writes of one author come in runs.
    fn branch_at(&mut self, dependencies: &[ChangeId]) -> Result<&mut Self, DocumentError> {
        let fits = self
            .branch
            .as_ref()
            .is_some_and(|branch| same_heads(dependencies, &branch.heads));
        if !fits {
            if !dependencies.iter().all(|hash| self.contains(hash)) {
                return Err(DocumentError::MissingDependency);
            }
            let hashes: Vec<ChangeHash> = dependencies.iter().map(|hash| ChangeHash(*hash)).collect();
            let document = self.document.fork_at(&hashes)?;
            let mut branch = Self {
                document,
                maps: self.maps,
                heads: Vec::new(),
                headers_only: self.headers_only,
                branch: None,
                bytes: self.bytes,
            };
            branch.refresh();
            self.branch = Some(Box::new(branch));
        }
        self.branch.as_deref_mut().ok_or(DocumentError::Automerge)
    }

    fn look_for_drafts(&mut self) {
        let is_empty = |map| self.document.keys(map).next().is_none();
        self.headers_only = is_empty(&self.maps.drafts) && is_empty(&self.maps.marks);
    }

    fn refresh(&mut self) {
        self.heads = self.document.get_heads().into_iter().map(|hash| hash.0).collect();
        self.heads.sort_unstable();
    }
}

fn same_heads(some: &[ChangeId], sorted: &[ChangeId]) -> bool {
    some.len() == sorted.len() && some.iter().all(|hash| sorted.binary_search(hash).is_ok())
}
