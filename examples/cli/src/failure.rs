//! How the program ends. Errors go to stderr with their stable code; the exit status says who has to act.

use crate::words::{Message, Words};
use serde::Serialize;
use std::process::ExitCode;
use vereda_core::error::{Code, Language, SyncError};
use vereda_server::store::Rule;

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
            | Code::DocumentQuarantined => Self::NeedsPerson,
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
    /// The program was not called as it can be.
    Usage(Usage),
    /// The server's administration cannot do it.
    Administration(Rule),
}

/// What is wrong with how the program was called; names arguments, never a value that was typed.
#[derive(Debug)]
pub(crate) struct Usage {
    message: Message,
    gaps: Vec<String>,
    /// More, for developers.
    detail: String,
    /// How it can be called.
    synopsis: String,
}

impl Usage {
    /// A message of the catalogue with its gaps filled.
    pub(crate) fn new(message: Message, gaps: &[&str]) -> Self {
        Self {
            message,
            gaps: gaps.iter().map(|gap| (*gap).to_owned()).collect(),
            detail: String::new(),
            synopsis: String::new(),
        }
    }

    /// With more for developers.
    pub(crate) fn with_detail(self, detail: String) -> Self {
        Self { detail, ..self }
    }

    /// With how it can be called.
    pub(crate) fn with_synopsis(self, synopsis: String) -> Self {
        Self { synopsis, ..self }
    }

    fn text(&self, words: Words) -> String {
        let gaps: Vec<&dyn std::fmt::Display> = self.gaps.iter().map(|gap| gap as _).collect();
        words.with(self.message, &gaps)
    }
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
        let usage;
        let (code, message, detail, ending) = match self {
            Self::Library(error) => (
                error.code.as_str(),
                error.message(language),
                error.detail.as_str(),
                Ending::of(error.code),
            ),
            Self::Usage(wrong) => {
                usage = wrong.text(words);
                (
                    "wrong_use",
                    usage.as_str(),
                    wrong.detail.as_str(),
                    Ending::WrongUse,
                )
            }
            Self::Administration(rule) => (
                "administration_refused",
                words.of(of_rule(*rule)),
                "",
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
        if !json {
            self.tell_more(words);
        }
        ending
    }

    /// What a person can do next.
    fn tell_more(&self, words: Words) {
        match self {
            Self::Usage(Usage { synopsis, .. }) if !synopsis.is_empty() => eprintln!("{synopsis}"),
            Self::Library(error) => {
                if let Some(hint) = hint(error.code) {
                    eprintln!("{}", words.of(hint));
                }
            }
            _ => {}
        }
    }
}

fn hint(code: Code) -> Option<Message> {
    match code {
        Code::OccurredInFuture => Some(Message::HintConfirmTime),
        Code::NotEnrolled => Some(Message::HintEnrol),
        Code::UnknownPatient => Some(Message::HintPatients),
        Code::ServerKeyMismatch => Some(Message::HintAuthority),
        _ => None,
    }
}

fn of_rule(rule: Rule) -> Message {
    match rule {
        Rule::NameEmpty => Message::NameEmpty,
        Rule::TenantUnknown => Message::TenantUnknown,
        Rule::TenantUnnamed => Message::TenantUnnamed,
        Rule::TenantThere => Message::TenantThere,
        Rule::UnitThere => Message::UnitThere,
        Rule::IdTaken => Message::IdTaken,
        Rule::UnitUnknown => Message::UnitNotThere,
        Rule::UserUnknown => Message::UserUnknown,
        Rule::NotTheirDuty => Message::NotTheirDuty,
        Rule::ReferenceUnknown => Message::ReferenceUnknown,
        Rule::ReferenceInvalid => Message::ReferenceInvalid,
        Rule::KindInvalid => Message::KindInvalid,
        Rule::QuarantineUnknown => Message::QuarantineUnknown,
        Rule::NotInUnit => Message::NotInUnit,
        Rule::ScopeNotForRole => Message::ScopeNotForRole,
        Rule::ScopeUnknown => Message::ScopeUnknown,
        Rule::DeviceUnknown => Message::DeviceUnknown,
    }
}
