//! The kinds a build or an app knows.

use super::{Kind, KindDefinition};
use crate::error::{Code, SyncError};
use crate::limits::{BODY_BYTES_MAX, KIND_CHARACTERS_MAX};
use crate::record::canonical::{canonical_text, parse_json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// The definitions of this build.
const STANDARD: [&str; 18] = [
    include_str!("note.json"),
    include_str!("vitals.json"),
    include_str!("encounter.json"),
    include_str!("observation.json"),
    include_str!("lab.json"),
    include_str!("medication.json"),
    include_str!("immunization.json"),
    include_str!("procedure.json"),
    include_str!("referral.json"),
    include_str!("task.json"),
    include_str!("consent.json"),
    include_str!("administrative.json"),
    include_str!("imaging.json"),
    include_str!("document.json"),
    include_str!("care_plan.json"),
    include_str!("goal.json"),
    include_str!("problem.json"),
    include_str!("allergy.json"),
];

/// The kinds a build or an app knows. A clone costs a reference count.
#[derive(Clone, Debug)]
pub struct KindRegistry {
    kinds: Arc<BTreeMap<Kind, Arc<KindDefinition>>>,
    keeps_unknown: bool,
    /// Kinds of which the tenant has a later major version than the app was built for.
    outdated: Arc<BTreeSet<Kind>>,
}

impl KindRegistry {
    /// The kinds of this build; one that is not among them may not be written.
    pub fn standard() -> Self {
        static KINDS: OnceLock<KindRegistry> = OnceLock::new();
        KINDS
            .get_or_init(|| Self {
                kinds: Arc::new(
                    STANDARD
                        .iter()
                        .filter_map(|text| KindDefinition::read(text).ok())
                        .map(|definition| (definition.kind().clone(), Arc::new(definition)))
                        .collect(),
                ),
                keeps_unknown: false,
                outdated: Arc::default(),
            })
            .clone()
    }

    /// The same kinds, for one that passes on what it does not know (a server, a reader): a body of an unknown
    /// kind is only judged as JSON.
    pub fn keeping_unknown(mut self) -> Self {
        self.keeps_unknown = true;
        self
    }

    pub(in crate::record) fn keeps_unknown(&self) -> bool {
        self.keeps_unknown
    }

    /// Adds an app's kind, or a later version of one. Its name is `x-org.name`.
    pub fn add(&mut self, definition: KindDefinition) -> Result<(), SyncError> {
        if !is_app_name(definition.kind().as_str()) {
            return Err(SyncError::new(
                Code::FieldInvalid,
                "an app's kind is named x-org.name",
            ));
        }
        if self
            .get(definition.kind())
            .is_some_and(|known| !definition.is_as_late_as(known))
        {
            let detail = format!("{}: a later version is registered", definition.kind());
            return Err(SyncError::new(Code::FieldInvalid, detail));
        }
        Arc::make_mut(&mut self.kinds).insert(definition.kind().clone(), Arc::new(definition));
        Ok(())
    }

    /// Takes in a definition of the tenant's, as the server delivers it, beside the app's own: the later one shows
    /// and judges. Where the app was built for an earlier major version its own writes wait for an update. What this
    /// build cannot read stays an unknown kind.
    pub fn adopt(&mut self, definition: &str) {
        let Ok(definition) = KindDefinition::read(definition) else {
            return;
        };
        let kind = definition.kind().clone();
        if !is_app_name(kind.as_str()) {
            return;
        }
        if let Some(known) = self.get(&kind) {
            if !definition.is_as_late_as(known) {
                return;
            }
            if definition.version() > known.version() {
                Arc::make_mut(&mut self.outdated).insert(kind.clone());
            }
        }
        Arc::make_mut(&mut self.kinds).insert(kind, Arc::new(definition));
    }

    /// Whether the app must be updated before what it writes of a kind can be sent.
    pub fn needs_update(&self, kind: &Kind) -> bool {
        self.outdated.contains(kind)
    }

    /// What is known of a kind.
    pub fn get(&self, kind: &Kind) -> Option<&KindDefinition> {
        self.kinds.get(kind).map(Arc::as_ref)
    }

    /// Every kind, by name.
    pub fn kinds(&self) -> impl Iterator<Item = &KindDefinition> {
        self.kinds.values().map(Arc::as_ref)
    }

    /// Whether entries of a kind may be written: `kind_unknown` when not.
    pub fn admit(&self, kind: &Kind) -> Result<(), SyncError> {
        let name = kind.as_str();
        let plausible = !name.is_empty()
            && name.len() <= KIND_CHARACTERS_MAX
            && name.bytes().all(|byte| byte.is_ascii_graphic());
        if self.kinds.contains_key(kind) || (self.keeps_unknown && plausible) {
            return Ok(());
        }
        // An unknown name is not repeated: it may be anything that was typed.
        Err(Code::KindUnknown.into())
    }

    /// Judges a body (JSON) against its kind's schema and gives its canonical form (sorted keys, no spaces,
    /// RFC 8785). Fails with `kind_unknown`, `json_malformed`, `body_invalid` (with the JSON pointer of the
    /// place, never the value) or `body_too_large`.
    pub fn validate_body(&self, kind: &Kind, body: &str) -> Result<String, SyncError> {
        self.admit(kind)?;
        let value = bounded(body).and_then(parse_json)?;
        if let Some(definition) = self.get(kind) {
            definition.validate(&value)?;
        }
        canonical(&value)
    }

    /// The canonical form of a draft's body: an unfinished one need not satisfy its kind's schema yet.
    pub fn validate_draft_body(&self, kind: &Kind, body: &str) -> Result<String, SyncError> {
        self.admit(kind)?;
        canonical_body(body)
    }
}

/// The canonical form of a body of any kind, an object within the limit.
pub(crate) fn canonical_body(body: &str) -> Result<String, SyncError> {
    bounded(body)
        .and_then(parse_json)
        .and_then(|value| canonical(&value))
}

/// Refuses what could not be within the limit whatever its spaces, before it is parsed.
fn bounded(body: &str) -> Result<&str, SyncError> {
    if body.len() > 4 * BODY_BYTES_MAX {
        return Err(too_large(body.len()));
    }
    Ok(body)
}

fn canonical(value: &serde_json::Value) -> Result<String, SyncError> {
    if !value.is_object() {
        return Err(SyncError::new(
            Code::BodyInvalid,
            "at \"\": type (an object is needed)",
        ));
    }
    let text = canonical_text(value);
    if text.len() > BODY_BYTES_MAX {
        return Err(too_large(text.len()));
    }
    Ok(text)
}

fn too_large(bytes: usize) -> SyncError {
    SyncError::new(
        Code::BodyTooLarge,
        format!("{bytes} bytes, at most {BODY_BYTES_MAX}"),
    )
}

fn is_app_name(name: &str) -> bool {
    let allowed = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte))
    };
    name.len() <= KIND_CHARACTERS_MAX
        && name
            .strip_prefix("x-")
            .and_then(|rest| rest.split_once('.'))
            .is_some_and(|(organisation, name)| allowed(organisation) && allowed(name))
}
