//! How the program ends. Errors go to stderr with their stable code; the exit status says who has to act.

use crate::words::{Message, Words};
use serde::Serialize;
use std::process::ExitCode;
use vereda_core::error::{Code, Language, SyncError};

/// The exit status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// Done.
    Done,
    /// A person must decide or act.
    NeedsPerson,
    /// The program was called in a way it does not know.
    WrongUse,
    /// What was asked for was refused; nothing was changed.
    Refused,
    /// No contact with the server; nothing is lost.
    NoContact,
}

impl Ending {
    /// Of an error, by its code.
    pub(crate) fn of(code: Code) -> Self {
        match code {
            Code::NotEnrolled
            | Code::Unauthenticated
            | Code::DeviceRevoked
            | Code::AppTooOld
            | Code::ProtocolUnsupported
            | Code::ServerKeyMismatch
            | Code::StoreDamaged
            | Code::StoreTooNew
            | Code::DocumentQuarantined
            | Code::PolicyRefused => Self::NeedsPerson,
            Code::KeyFileUnusable | Code::FileUnreadable => Self::WrongUse,
            Code::NoContact | Code::NotOurServer | Code::ServerBusy | Code::ServerFailed => Self::NoContact,
            _ => Self::Refused,
        }
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(match ending {
            Ending::Done => 0,
            Ending::NeedsPerson => 1,
            Ending::WrongUse => 2,
            Ending::Refused => 3,
            Ending::NoContact => 4,
        })
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library said no.
    Library(SyncError),
    /// An argument does not mean anything; names the argument, never its value.
    Usage(String),
    /// A rule of the administration said no, in its own words.
    Administration(String),
}

impl From<SyncError> for Failure {
    fn from(error: SyncError) -> Self {
        Self::Library(error)
    }
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self::Library(code.into())
    }
}

/// The result of a command.
pub(crate) type Result<T = Ending, E = Failure> = std::result::Result<T, E>;

#[derive(Serialize)]
struct ErrorDocument<'a> {
    error: ErrorBody<'a>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: &'a str,
    message: &'a str,
    detail: &'a str,
}

impl Failure {
    /// Tells it on stderr, and how the program ends.
    pub(crate) fn tell(&self, json: bool, language: Language) -> Ending {
        let words = Words::new(language);
        let (code, message, detail, ending) = match self {
            Self::Library(error) => (
                error.code.as_str(),
                error.message(language),
                error.detail.as_str(),
                Ending::of(error.code),
            ),
            Self::Usage(detail) => (
                "wrong_use",
                words.of(Message::WrongUse),
                detail.as_str(),
                Ending::WrongUse,
            ),
            Self::Administration(detail) => (
                "administration_refused",
                words.of(Message::AdministrationRefused),
                detail.as_str(),
                Ending::Refused,
            ),
        };
        if json {
            let error = ErrorBody {
                code,
                message,
                detail,
            };
            // A document of three texts always serialises.
            eprintln!(
                "{}",
                serde_json::to_string(&ErrorDocument { error }).unwrap_or_default()
            );
        } else if detail.is_empty()
            || detail == Code::parse(code).map_or("", |code| code.message(Language::English))
        {
            eprintln!("vereda: {code}: {message}");
        } else {
            eprintln!("vereda: {code}: {message} ({detail})");
        }
        ending
    }
}
