//! Reading a file into resources: a Bundle, one resource, or NDJSON. What is broken is told apart from what is
//! not, so that one bad resource costs one resource.

use crate::datatype::{is_id, is_type};
use crate::fault::Fault;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{BufRead, Read};
use vereda_core::error::Code;

/// Bytes of one JSON file; a longer export comes as NDJSON.
pub(crate) const JSON_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Bytes of one line of NDJSON.
pub(crate) const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A resource as it stands in its file.
#[derive(Debug)]
pub(crate) struct Raw<'a> {
    /// In a Bundle the entry, from 0; in NDJSON the line, from 1.
    pub(crate) index: u64,
    /// The resource type.
    pub(crate) kind: String,
    /// `Type/id`.
    pub(crate) name: String,
    /// The resource's JSON.
    pub(crate) json: &'a str,
}

/// What a file holds at a place, or why it cannot be read.
pub(crate) type Found<'a> = Result<Raw<'a>, Broken>;

/// Something in a file that is no resource.
#[derive(Debug)]
pub(crate) struct Broken {
    /// `None` where the whole file is meant.
    pub(crate) index: Option<u64>,
    pub(crate) resource: String,
    pub(crate) fault: Fault,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "resourceType", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    entry: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct BundleEntry<'a> {
    #[serde(rename = "fullUrl", borrow)]
    address: Option<Cow<'a, str>>,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(rename = "resourceType", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
}

/// What a JSON file holds, in order, and the addresses (`fullUrl`) its resources have.
pub(crate) struct Document<'a> {
    pub(crate) found: Vec<Found<'a>>,
    pub(crate) addresses: HashMap<String, String>,
}

impl<'a> Document<'a> {
    /// Reads a Bundle or a single resource.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Fault> {
        let text =
            std::str::from_utf8(bytes).map_err(|_| Fault::new(Code::JsonMalformed, "it is not UTF-8"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
        let mut document = Self {
            found: Vec::new(),
            addresses: HashMap::new(),
        };
        if envelope.kind != "Bundle" {
            document.found.push(resource(0, None, text.trim()));
            return Ok(document);
        }
        for (index, raw) in envelope.entry.unwrap_or_default().into_iter().enumerate() {
            let found = document.entry(index as u64, raw);
            document.found.push(found);
        }
        Ok(document)
    }

    fn entry(&mut self, index: u64, raw: &'a RawValue) -> Found<'a> {
        let broken = |fault| Broken {
            index: Some(index),
            resource: String::new(),
            fault,
        };
        let entry: BundleEntry<'a> =
            serde_json::from_str(raw.get()).map_err(|error| broken(unreadable(&error)))?;
        let Some(inner) = entry.resource else {
            return Err(broken(Fault::missing("resource")));
        };
        let found = resource(index, entry.address.as_deref(), inner.get())?;
        if let Some(address) = entry.address {
            self.addresses.insert(address.into_owned(), found.name.clone());
        }
        Ok(found)
    }
}

/// One resource: its type and its name.
fn resource<'a>(index: u64, address: Option<&str>, json: &'a str) -> Found<'a> {
    let broken = |resource: &str, fault| Broken {
        index: Some(index),
        resource: resource.to_owned(),
        fault,
    };
    let header: Header<'_> = serde_json::from_str(json).map_err(|error| broken("", unreadable(&error)))?;
    if !is_type(&header.kind) {
        return Err(broken("", Fault::wrong("resourceType", "the name of a type")));
    }
    let id = match (
        header.id.as_deref(),
        address.and_then(|address| address.strip_prefix("urn:uuid:")),
    ) {
        (Some(id), _) if is_id(id) => Some(id),
        (Some(_), _) => return Err(broken(&header.kind, Fault::wrong("id", "a FHIR id"))),
        (None, Some(uuid)) if is_id(uuid) => Some(uuid),
        _ => None,
    };
    let kind = header.kind.clone().into_owned();
    // What is only counted needs no name.
    let name = match id {
        Some(id) => format!("{kind}/{id}"),
        None if matches!(
            crate::map::target_of(&kind),
            crate::map::Target::Skipped | crate::map::Target::Carried
        ) =>
        {
            kind.clone()
        }
        None => return Err(broken(&kind, Fault::missing("id"))),
    };
    Ok(Raw {
        index,
        kind,
        name,
        json,
    })
}

/// Serde's messages may quote values; only what kind of error and where is passed on.
pub(crate) fn unreadable(error: &serde_json::Error) -> Fault {
    if error.is_data() {
        return Fault::new(Code::FhirMalformed, "it is not a FHIR R4 resource or Bundle");
    }
    let place = format!("line {} column {}", error.line(), error.column());
    Fault::new(Code::JsonMalformed, format!("it is not JSON at {place}"))
}

/// The lines of an NDJSON file, one in memory at a time.
pub(crate) struct Lines<R> {
    reader: R,
    number: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader,
            number: 0,
            line: Vec::new(),
        }
    }

    /// The next line that is not blank, with the bytes it took; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<(Found<'_>, u64)> {
        let mut bytes = 0;
        loop {
            self.number += 1;
            self.line.clear();
            let read = (&mut self.reader)
                .take(LINE_BYTES_MAX + 1)
                .read_until(b'\n', &mut self.line);
            let broken = |index, fault| Broken {
                index,
                resource: String::new(),
                fault,
            };
            match read {
                Ok(0) => return None,
                Ok(read) => bytes += read as u64,
                Err(_) => {
                    let fault = Fault::new(Code::FileUnreadable, "the file cannot be read any further");
                    self.number = u64::MAX - 1;
                    return Some((Err(broken(None, fault)), bytes));
                }
            }
            if self.line.len() as u64 > LINE_BYTES_MAX {
                bytes += self.skip_line();
                let fault = Fault::new(
                    Code::TooLarge,
                    format!("its line is longer than {LINE_BYTES_MAX} bytes"),
                );
                return Some((Err(broken(Some(self.number), fault)), bytes));
            }
            if self.line.iter().any(|byte| !byte.is_ascii_whitespace()) {
                break;
            }
        }
        let found = match std::str::from_utf8(&self.line) {
            Ok(text) => resource(self.number, None, text.trim_start_matches('\u{feff}').trim()),
            Err(_) => {
                let fault = Fault::new(Code::JsonMalformed, "it is not UTF-8");
                Err(Broken {
                    index: Some(self.number),
                    resource: String::new(),
                    fault,
                })
            }
        };
        Some((found, bytes))
    }

    fn skip_line(&mut self) -> u64 {
        let mut skipped = 0;
        while !self.line.ends_with(b"\n") {
            self.line.clear();
            match (&mut self.reader)
                .take(LINE_BYTES_MAX)
                .read_until(b'\n', &mut self.line)
            {
                Ok(read) if read > 0 => skipped += read as u64,
                _ => break,
            }
        }
        skipped
    }
}
