//! What is known of one kind.

use super::{Kind, template::Template};
use crate::error::{Code, Language, SyncError};
use crate::record::canonical::parse_json;
use jsonschema::{PatternOptions, Validator};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// What a build or an app knows of a kind.
#[derive(Debug)]
pub struct KindDefinition {
    kind: Kind,
    version: u32,
    minor: u32,
    titles: Words<String>,
    template: Words<Template>,
    schema: Value,
    /// Compiled at its first use: a device that opens to show fifty rows needs none. `None`: it does not compile.
    validator: OnceLock<Option<Validator>>,
    /// Every property its schema names: only these may stand in an error.
    named: OnceLock<BTreeSet<String>>,
}

#[derive(Debug, Default, Deserialize)]
struct Words<T> {
    pt: T,
    en: T,
}

impl<T> Words<T> {
    fn of(&self, language: Language) -> &T {
        match language {
            Language::English => &self.en,
            Language::Portuguese => &self.pt,
        }
    }
}

#[derive(Deserialize)]
struct File {
    kind: Kind,
    version: u32,
    #[serde(default)]
    minor: u32,
    titles: Words<String>,
    #[serde(default)]
    template: Words<Template>,
    schema: Value,
}

const WORDS: &str = include_str!("words.json");
const BASE: &str = "https://vereda.health/kind/";

impl KindDefinition {
    /// Reads a definition:
    /// `{"kind","version","minor","titles":{"pt","en"},"template":{"pt":[…],"en":[…]},"schema"}`; no minor is 0.
    /// A schema may refer to `words.json#/$defs/…` (coded, quantity, value, unit, moment, period …) and to
    /// nothing else outside itself. `field_invalid` tells what is wrong with it.
    pub fn from_json(text: &str) -> Result<Self, SyncError> {
        let definition = Self::read(text)?;
        definition.validator()?;
        Ok(definition)
    }

    /// Reads a definition and leaves its schema to its first use.
    pub(super) fn read(text: &str) -> Result<Self, SyncError> {
        let file: File = serde_json::from_str(text).map_err(|error| {
            let place = format!(
                "a kind's definition, line {}, column {}",
                error.line(),
                error.column()
            );
            SyncError::new(Code::FieldInvalid, place)
        })?;
        Ok(Self {
            kind: file.kind,
            version: file.version,
            minor: file.minor,
            titles: file.titles,
            template: file.template,
            schema: file.schema,
            validator: OnceLock::new(),
            named: OnceLock::new(),
        })
    }

    /// Its name.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Its major version: what follows an earlier one is not written under a later one.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Its minor version: a later one adds what an earlier one keeps without knowing it.
    pub fn minor(&self) -> u32 {
        self.minor
    }

    /// Whether it takes the place of another definition of its kind.
    pub(super) fn is_as_late_as(&self, other: &Self) -> bool {
        (self.version, self.minor) >= (other.version, other.minor)
    }

    /// What people call it.
    pub fn title(&self, language: Language) -> &str {
        self.titles.of(language)
    }

    /// The JSON Schema (2020-12) of its bodies.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// A body (JSON) in words; `None` where the template finds nothing to say.
    pub fn text_of(&self, body: &str, language: Language) -> Option<String> {
        self.template
            .of(language)
            .render(&parse_json(body).ok()?, language)
    }

    /// Judges a body. The error names the place (a JSON pointer) and the rule, never the value.
    pub(super) fn validate(&self, body: &Value) -> Result<(), SyncError> {
        let validator = self.validator()?;
        if validator.is_valid(body) {
            return Ok(());
        }
        let detail = match validator.iter_errors(body).next() {
            Some(error) => format!(
                "{} at {:?}: {}",
                self.kind,
                self.safe_pointer(error.instance_path().as_str()),
                error.kind().keyword()
            ),
            None => self.kind.to_string(),
        };
        Err(SyncError::new(Code::BodyInvalid, detail))
    }

    fn validator(&self) -> Result<&Validator, SyncError> {
        self.validator
            .get_or_init(|| compile(&self.schema))
            .as_ref()
            .ok_or_else(|| {
                SyncError::new(
                    Code::FieldInvalid,
                    format!("the schema of {} does not compile", self.kind),
                )
            })
    }

    /// A pointer in which every step that is neither an index nor a property of the schema is hidden: a key may
    /// be something a person typed.
    fn safe_pointer(&self, pointer: &str) -> String {
        let named = self.named.get_or_init(|| {
            let mut named = BTreeSet::new();
            collect_properties(&self.schema, &mut named);
            collect_properties(&words(), &mut named);
            named
        });
        let mut safe = String::new();
        for step in pointer.split('/').skip(1) {
            let shown = step.bytes().all(|byte| byte.is_ascii_digit()) || named.contains(step);
            safe.push('/');
            safe.push_str(if shown { step } else { "*" });
        }
        safe
    }
}

fn words() -> Value {
    serde_json::from_str(WORDS).unwrap_or(Value::Null)
}

fn collect_properties(schema: &Value, named: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Object(properties)) = fields.get("properties") {
                named.extend(properties.keys().cloned());
            }
            fields.values().for_each(|field| collect_properties(field, named));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_properties(item, named)),
        _ => {}
    }
}

/// Hands out the words the kinds share; nothing is ever fetched.
struct Shared;

impl jsonschema::Retrieve for Shared {
    fn retrieve(
        &self,
        uri: &jsonschema::Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        if uri.as_str() == format!("{BASE}words.json") {
            Ok(words())
        } else {
            Err("a schema may refer to words.json and to nothing else".into())
        }
    }
}

fn compile(schema: &Value) -> Option<Validator> {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .with_base_uri(BASE)
        .with_retriever(Shared)
        // Linear time, whatever an app's patterns and a hostile body do to one another.
        .with_pattern_options(PatternOptions::regex())
        .build(schema)
        .ok()
}
