//! An operation carried out in a transaction of the merge library.

use super::genesis::Maps;
use super::operation::Operation;
use super::{DocumentError, state};
use automerge::transaction::{Transactable, Transaction};
use automerge::{ObjType, ReadDoc, ScalarValue};

/// Carries out one operation. It refuses what no honest write does, which is the whole of the server's policy on
/// documents: a new key, a draft that is there, a mark, a chart field.
pub(super) fn perform(
    transaction: &mut Transaction<'_>,
    maps: &Maps,
    operation: &Operation,
) -> Result<(), DocumentError> {
    match operation {
        Operation::PutHeader { entry, header } => {
            let key = state::entry_key(entry);
            // An id that derives from a source (UUIDv5) may be imported twice; any other is written once,
            // or was a draft that two people finalize.
            if entry.0.get_version_num() != 5
                && transaction.get(&maps.entries, key.as_str())?.is_some()
                && transaction.get(&maps.drafts, key.as_str())?.is_none()
            {
                return Err(DocumentError::NotPermitted("the entry is already there"));
            }
            transaction.put(&maps.entries, key, ScalarValue::Bytes(header.clone()))?;
        }
        Operation::OpenDraft {
            draft,
            opening,
            text,
            body,
            occurred_at,
        } => {
            let key = state::entry_key(draft);
            if transaction.get(&maps.drafts, key.as_str())?.is_some() {
                return Err(DocumentError::NotPermitted("the draft is already open"));
            }
            let map = transaction.put_object(&maps.drafts, key, ObjType::Map)?;
            transaction.put(&map, "opened", ScalarValue::Bytes(opening.clone()))?;
            transaction.put(&map, "occurred", ScalarValue::Bytes(occurred_at.clone()))?;
            if let Some(body) = body {
                transaction.put(&map, "body", body.0.as_str())?;
            }
            let object = transaction.put_object(&map, "text", ObjType::Text)?;
            transaction.splice_text(&object, 0, 0, text)?;
        }
        Operation::EditDraft {
            draft,
            text,
            body,
            occurred_at,
        } => {
            let missing = DocumentError::NotPermitted("the draft is not there");
            let Some((_, map)) = transaction.get(&maps.drafts, state::entry_key(draft))? else {
                return Err(missing);
            };
            let Some((_, object)) = transaction.get(&map, "text")? else {
                return Err(missing);
            };
            for edit in text {
                let length = transaction.length(&object);
                let (at, delete) = (edit.at as usize, edit.delete as usize);
                if at.saturating_add(delete) > length {
                    return Err(DocumentError::NotPermitted(
                        "the edit lies outside the draft's text",
                    ));
                }
                transaction.splice_text(&object, at, delete as isize, &edit.insert)?;
            }
            match body {
                Some(Some(body)) => transaction.put(&map, "body", body.0.as_str())?,
                Some(None) => transaction.put(&map, "body", ScalarValue::Null)?,
                None => {}
            }
            if let Some(occurred_at) = occurred_at {
                transaction.put(&map, "occurred", ScalarValue::Bytes(occurred_at.clone()))?;
            }
        }
        Operation::PutMark { entry, name, value } => {
            let key = format!("{}/{name}", state::entry_key(entry));
            transaction.put(&maps.marks, key, ScalarValue::Bytes(value.clone()))?;
        }
        Operation::PutChart { item, field, value } => {
            transaction.put(
                &maps.chart,
                state::chart_key(item, field),
                ScalarValue::Bytes(value.clone()),
            )?;
        }
    }
    Ok(())
}
