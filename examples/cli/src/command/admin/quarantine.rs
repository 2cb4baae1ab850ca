//! `admin quarantine list | release | discard`: writes from outside their author's scope, as a supervisor decides.

use super::{StoreArguments, keys, make_folder, open};
use crate::command::instant;
use crate::device::DeviceOptions;
use crate::failure::{Ending, Failure, Result};
use crate::output::{Output, Table};
use crate::words::{Message, Words};
use serde::Serialize;
use vereda_core::client::Clock;
use vereda_core::id::{PatientId, UnitId, UserId, WriteId};
use vereda_core::platform::native::{SystemClock, SystemEntropy};
use vereda_core::record::Write;
use vereda_server::admin::{DecisionError, decide};
use vereda_server::store::{QuarantineDecision, QuarantineRow};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Lists what waits in the supervisor's units, whole.
    List(Supervisor),
    /// Lets a write in, as if it had been accepted.
    Release {
        /// The write.
        write: WriteId,
        #[command(flatten)]
        supervisor: Supervisor,
    },
    /// Does not let a write in; it stays in the store, decided.
    Discard {
        /// The write.
        write: WriteId,
        #[command(flatten)]
        supervisor: Supervisor,
    },
}

#[derive(clap::Args)]
pub(crate) struct Supervisor {
    /// The supervisor who looks and decides; it is noted.
    #[arg(long = "as", value_name = "USER")]
    user: String,
    /// Whose; the only tenant when not given.
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    store: StoreArguments,
}

#[derive(Serialize)]
struct Held {
    write: WriteId,
    user: UserId,
    unit: UnitId,
    compartment: &'static str,
    patient: PatientId,
    received_at: String,
    intent: &'static str,
    content: Option<Write>,
}

#[derive(Serialize)]
struct Quarantine {
    quarantine: Vec<Held>,
}

#[derive(Serialize)]
struct Decided {
    write: WriteId,
    decision: &'static str,
}

impl From<DecisionError> for Failure {
    fn from(error: DecisionError) -> Self {
        match error {
            DecisionError::Store(error) => error.into(),
            DecisionError::Refused(error) => error.into(),
        }
    }
}

pub(crate) fn run(command: Command, device: &DeviceOptions, output: &Output) -> Result {
    let now_ms = SystemClock.now().wall_ms;
    let (write, supervisor, decision) = match command {
        Command::List(supervisor) => {
            let mut administration = open(&supervisor.store, device)?;
            let rows = administration.quarantine(supervisor.tenant.as_deref(), &supervisor.user, now_ms)?;
            let quarantine = Quarantine {
                quarantine: rows.iter().map(held).collect(),
            };
            output.show(&quarantine, |words| table(words, &quarantine.quarantine));
            return Ok(Ending::Done);
        }
        Command::Release { write, supervisor } => (write, supervisor, QuarantineDecision::Released),
        Command::Discard { write, supervisor } => (write, supervisor, QuarantineDecision::Discarded),
    };
    make_folder(&supervisor.store)?;
    let keys = keys(&supervisor.store, device)?;
    decide(
        (&supervisor.store.file, &keys),
        &mut SystemEntropy,
        (supervisor.tenant.as_deref(), &supervisor.user),
        write,
        decision,
        now_ms,
    )?;
    let decided = Decided {
        write,
        decision: match decision {
            QuarantineDecision::Released => "released",
            QuarantineDecision::Discarded => "discarded",
        },
    };
    output.show(&decided, |words| words.of(Message::Done).to_owned());
    Ok(Ending::Done)
}

fn held(row: &QuarantineRow) -> Held {
    let content = Write::from_bytes(&row.write);
    Held {
        write: WriteId::derive(&row.incarnation, row.n),
        user: row.user,
        unit: row.stream.unit,
        compartment: row.stream.compartment.name(),
        patient: row.patient,
        received_at: instant(row.received_ms),
        intent: content.as_ref().map_or("unknown", |write| write.intent.name()),
        content,
    }
}

fn table(words: Words, held: &[Held]) -> String {
    let mut table = Table::new([
        words.of(Message::ColumnId),
        words.of(Message::StatusUser),
        words.of(Message::ColumnPatient),
        words.of(Message::ColumnWhen),
        words.of(Message::ColumnWrite),
    ]);
    for row in held {
        table.row([
            row.write.to_string(),
            row.user.to_string(),
            row.patient.to_string(),
            row.received_at.clone(),
            row.intent.to_owned(),
        ]);
    }
    if table.is_empty() {
        return words.of(Message::None).to_owned();
    }
    table.text()
}
