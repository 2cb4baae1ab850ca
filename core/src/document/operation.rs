//! What a write does to documents: pure, and the same on every machine, so that changes need not travel.

use super::DocumentKey;
use crate::id::{ChartItemId, EntryId, Incarnation, UserId, WriteId};
use crate::record::{DraftEdit, EntryHeader, Intent, NewEntry, Relation, TextEdit, Write};
use crate::redact::Sensitive;
use crate::time::Zoned;
use serde::{Deserialize, Serialize};

/// One step of a change. Values are canonical CBOR.
#[derive(Clone, PartialEq, Debug)]
pub enum Operation {
    /// A final entry, or one more header of it.
    PutHeader {
        /// The entry.
        entry: EntryId,
        /// Its canonical [`EntryHeader`].
        header: Vec<u8>,
    },
    /// A new draft.
    OpenDraft {
        /// The draft.
        draft: EntryId,
        /// Canonical [`DraftOpening`].
        opening: Vec<u8>,
        /// Its first text.
        text: Sensitive<String>,
        /// Its first body.
        body: Option<Sensitive<String>>,
        /// Canonical [`Zoned`].
        occurred_at: Vec<u8>,
    },
    /// Changes to a draft.
    EditDraft {
        /// The draft.
        draft: EntryId,
        /// Splices in order.
        text: Vec<TextEdit>,
        /// A new body.
        body: Option<Option<Sensitive<String>>>,
        /// A new time, canonical.
        occurred_at: Option<Vec<u8>>,
    },
    /// What a person decided about an entry.
    PutMark {
        /// The entry.
        entry: EntryId,
        /// `dismissed` or `chosen`.
        name: &'static str,
        /// What was dismissed or chosen.
        value: Vec<u8>,
    },
    /// A field of a chart item.
    PutChart {
        /// The item.
        item: ChartItemId,
        /// The field; `kind` is one of them.
        field: String,
        /// Canonical [`ChartValue`].
        value: Vec<u8>,
    },
}

impl Operation {
    /// Whether it writes a final entry and nothing else.
    pub(super) fn is_header(&self) -> bool {
        matches!(self, Self::PutHeader { .. })
    }
}

/// A field's value with who set it and when, so that a conflict can show both.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChartValue {
    /// The value.
    pub value: Sensitive<String>,
    /// Who.
    pub author: UserId,
    /// When, by their device's clock.
    pub recorded_at: Zoned,
    /// The write that set it.
    pub write: WriteId,
}

/// What is fixed when a draft is opened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct DraftOpening {
    pub(super) kind: crate::record::Kind,
    pub(super) author: UserId,
    pub(super) recorded_at: Zoned,
}

/// What a write does to one document.
#[derive(Clone, PartialEq, Debug)]
pub struct DocumentOperations {
    /// The document.
    pub key: DocumentKey,
    /// The steps, which become one change.
    pub operations: Vec<Operation>,
}

/// What a write does, document by document, in a fixed order. Empty for a write that touches no document.
pub fn operations(write: &Write, incarnation: &Incarnation) -> Vec<DocumentOperations> {
    Compiler {
        write,
        incarnation,
        documents: Vec::new(),
    }
    .compile()
}

struct Compiler<'a> {
    write: &'a Write,
    incarnation: &'a Incarnation,
    documents: Vec<DocumentOperations>,
}

impl Compiler<'_> {
    fn compile(mut self) -> Vec<DocumentOperations> {
        let write = self.write;
        match &write.intent {
            Intent::Register { .. }
            | Intent::EditRecord { .. }
            | Intent::Link { .. }
            | Intent::Unlink { .. }
            | Intent::AddReference { .. }
            | Intent::Share { .. }
            | Intent::EndShare { .. }
            | Intent::Transfer { .. }
            | Intent::Claim { .. } => {}
            Intent::Add { entries } => {
                for (index, entry) in entries.iter().enumerate() {
                    self.add_entry(index, entry, None);
                }
            }
            Intent::OpenDraft {
                draft,
                kind,
                occurred_at,
                text,
                body,
            } => {
                let opening = DraftOpening {
                    kind: kind.clone(),
                    author: write.user,
                    recorded_at: write.recorded_at,
                };
                let draft = write.entry_id(self.incarnation, 0, *draft);
                self.push(
                    self.chapter(occurred_at.utc_year(), write.part),
                    Operation::OpenDraft {
                        draft,
                        opening: crate::protocol::encode(&opening),
                        text: text.clone(),
                        body: body.clone(),
                        occurred_at: crate::protocol::encode(occurred_at),
                    },
                );
            }
            Intent::EditDraft {
                draft,
                chapter,
                edit:
                    DraftEdit {
                        text,
                        body,
                        occurred_at,
                    },
            } => self.push(
                self.chapter(chapter.0, chapter.1),
                Operation::EditDraft {
                    draft: *draft,
                    text: text.clone(),
                    body: body.clone(),
                    occurred_at: occurred_at.as_ref().map(crate::protocol::encode),
                },
            ),
            Intent::Finalize {
                draft,
                chapter,
                entry,
                draft_seen,
            } => {
                let mut header = self.header(entry);
                header.draft_seen = Some(*draft_seen);
                self.push(
                    self.chapter(chapter.0, chapter.1),
                    Operation::PutHeader {
                        entry: *draft,
                        header: crate::protocol::encode(&header),
                    },
                );
            }
            Intent::DismissLateEdit {
                entry,
                chapter,
                draft_seen,
            } => {
                let value = draft_seen.to_vec();
                self.push(
                    self.chapter(chapter.0, chapter.1),
                    Operation::PutMark {
                        entry: *entry,
                        name: "dismissed",
                        value,
                    },
                );
            }
            Intent::ChooseHeader {
                entry,
                chapter,
                chosen,
            } => {
                let value = chosen.as_bytes().to_vec();
                self.push(
                    self.chapter(chapter.0, chapter.1),
                    Operation::PutMark {
                        entry: *entry,
                        name: "chosen",
                        value,
                    },
                );
            }
            Intent::Move {
                entry,
                chapter,
                to,
                to_part,
                reason,
                header,
            } => {
                self.move_entry(*entry, *chapter, *to, *to_part, reason, header);
            }
            Intent::SetChart {
                item,
                kind,
                fields,
                entry,
            } => {
                let item = write.chart_item_id(self.incarnation, *item);
                let kind = ("kind".to_owned(), Sensitive(kind.0.clone()));
                for (field, value) in std::iter::once(kind).chain(fields.clone()) {
                    let value = ChartValue {
                        value,
                        author: write.user,
                        recorded_at: write.recorded_at,
                        write: write.id(self.incarnation),
                    };
                    let value = crate::protocol::encode(&value);
                    self.push(
                        DocumentKey::chart(write.patient, write.compartment),
                        Operation::PutChart { item, field, value },
                    );
                }
                if let Some(entry) = entry {
                    self.add_entry(0, entry, None);
                }
            }
        }
        self.documents
    }

    fn chapter(&self, year: i32, part: u32) -> DocumentKey {
        DocumentKey::chapter(self.write.patient, self.write.compartment, year, part)
    }

    fn push(&mut self, key: DocumentKey, operation: Operation) {
        match self.documents.iter_mut().find(|document| document.key == key) {
            Some(document) => document.operations.push(operation),
            None => self.documents.push(DocumentOperations {
                key,
                operations: vec![operation],
            }),
        }
    }

    fn header(&self, entry: &NewEntry) -> EntryHeader {
        EntryHeader {
            entry: NewEntry {
                id: None,
                ..entry.clone()
            },
            recorded_at: self.write.recorded_at,
            author: self.write.user,
            unit: self.write.unit,
            write: self.write.id(self.incarnation),
            draft_seen: None,
        }
    }

    fn add_entry(&mut self, index: usize, entry: &NewEntry, key: Option<DocumentKey>) {
        let key = key.unwrap_or_else(|| self.chapter(entry.occurred_at.utc_year(), self.write.part));
        let id = self.write.entry_id(self.incarnation, index, entry.id);
        let header = crate::protocol::encode(&self.header(entry));
        self.push(key, Operation::PutHeader { entry: id, header });
    }

    /// The retraction lies beside what it retracts; the copy keeps who wrote it, and says where it stood.
    fn move_entry(
        &mut self,
        entry: EntryId,
        chapter: (i32, u32),
        to: crate::id::PatientId,
        to_part: u32,
        reason: &Sensitive<String>,
        header: &EntryHeader,
    ) {
        let mut retraction = NewEntry::new(
            crate::record::Kind("administrative".into()),
            header.entry.occurred_at,
            reason.0.clone(),
        );
        retraction.relation = Some(Relation::Retracts(entry));
        self.add_entry(0, &retraction, Some(self.chapter(chapter.0, chapter.1)));
        let copy = EntryHeader {
            entry: NewEntry {
                relation: Some(Relation::MovedFrom {
                    patient: self.write.patient,
                    entry,
                }),
                ..header.entry.clone()
            },
            recorded_at: self.write.recorded_at,
            write: self.write.id(self.incarnation),
            ..header.clone()
        };
        let id = self.write.entry_id(self.incarnation, 1, None);
        let year = header.entry.occurred_at.utc_year();
        self.push(
            DocumentKey::chapter(to, self.write.compartment, year, to_part),
            Operation::PutHeader {
                entry: id,
                header: crate::protocol::encode(&copy),
            },
        );
    }
}
