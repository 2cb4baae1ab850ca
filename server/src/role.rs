//! Roles: what a user reads and writes in their units, and what they look after at the server. Deny by default.
//!
//! [`Role::rights`] is the one table everything follows: the streams of a device, what a write may say, who may read
//! the audit. `docs/roles.md` shows it, and a test compares the two. What a person reads beyond their role is no role
//! but a *scope*: a compartment granted to them in one unit ([`Rights::grants`], docs/adr/0024).

use vereda_core::record::Compartment::{self, Agenda, Clinical, Identity, Sensitive};
use vereda_core::record::Intent;

/// What a user is in their units.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// Sees patients: records, timeline, chart, bookings.
    Clinician,
    /// Registers patients and books; reads no clinical text.
    Reception,
    /// Looks after what a unit's writes left behind: quarantine, drawers, links of patients.
    Supervisor,
    /// Reads who read and wrote what, and no patient.
    Auditor,
    /// Keeps users and devices; reads no patient.
    Administrator,
}

/// What a role may.
#[derive(Debug)]
pub struct Rights {
    /// The compartments it reads in each unit of the user's.
    pub reads: &'static [Compartment],
    /// The compartments that may be granted in single units besides.
    pub grants: &'static [Compartment],
    /// What it may write, in the compartments it reads.
    pub writes: &'static [Activity],
    /// What it looks after at the server.
    pub duties: &'static [Duty],
}

/// What a write is for: every intent belongs to one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Activity {
    /// Patients' records.
    Registration,
    /// Which records are one person's.
    Linking,
    /// Rows that imported records name.
    Import,
    /// Timeline and chart.
    Care,
    /// Which units have a patient: shares, moves, claims.
    Placement,
}

/// What is done at the server, past any device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Duty {
    /// Lists and releases writes whose device lost its scope.
    Quarantine,
    /// Lists what was refused of a unit's devices.
    Drawers,
    /// Reads and verifies the devices' audits.
    Audit,
    /// Keeps users, units and devices.
    Directory,
}

/// Compartments something is written to: a stream that nobody can write to is in nobody's scope, and costs no cursor.
const OPENED: [Compartment; 3] = [Identity, Clinical, Sensitive];

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [
        Self::Clinician,
        Self::Reception,
        Self::Supervisor,
        Self::Auditor,
        Self::Administrator,
    ];

    /// The name in the store and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clinician => "clinician",
            Self::Reception => "reception",
            Self::Supervisor => "supervisor",
            Self::Auditor => "auditor",
            Self::Administrator => "administrator",
        }
    }

    /// The table.
    pub fn rights(self) -> &'static Rights {
        match self {
            Self::Clinician => &Rights {
                reads: &[Identity, Clinical, Agenda],
                grants: &[Sensitive],
                writes: &[
                    Activity::Registration,
                    Activity::Linking,
                    Activity::Import,
                    Activity::Care,
                    Activity::Placement,
                ],
                duties: &[],
            },
            Self::Reception => &Rights {
                reads: &[Identity, Agenda],
                grants: &[],
                writes: &[Activity::Registration, Activity::Linking],
                duties: &[],
            },
            Self::Supervisor => &Rights {
                reads: &[Identity, Clinical],
                grants: &[Sensitive],
                writes: &[Activity::Linking, Activity::Placement],
                duties: &[Duty::Quarantine, Duty::Drawers],
            },
            Self::Auditor => &Rights {
                reads: &[],
                grants: &[],
                writes: &[],
                duties: &[Duty::Audit],
            },
            Self::Administrator => &Rights {
                reads: &[],
                grants: &[],
                writes: &[],
                duties: &[Duty::Directory],
            },
        }
    }

    /// The compartments a user of this role works with in a unit in which `granted` are granted to them.
    pub fn compartments(self, granted: &[Compartment]) -> impl Iterator<Item = Compartment> {
        let rights = self.rights();
        OPENED.into_iter().filter(move |compartment| {
            rights.reads.contains(compartment)
                || (rights.grants.contains(compartment) && granted.contains(compartment))
        })
    }

    /// The names of the intents it does not write, where it could otherwise: a role that reads nothing has no stream
    /// to write to.
    pub fn withheld(self) -> impl Iterator<Item = &'static str> {
        let rights = self.rights();
        Activity::ALL
            .into_iter()
            .filter(|activity| !rights.reads.is_empty() && !rights.writes.contains(activity))
            .flat_map(|activity| activity.intents().iter().copied())
    }

    /// Whether it may write this.
    pub fn may_write(self, intent: &Intent) -> bool {
        self.rights().writes.contains(&Activity::of(intent))
    }
}

impl Activity {
    /// Every activity.
    pub const ALL: [Self; 5] = [
        Self::Registration,
        Self::Linking,
        Self::Import,
        Self::Care,
        Self::Placement,
    ];

    /// What a write is for.
    pub fn of(intent: &Intent) -> Self {
        match intent {
            Intent::Register { .. } | Intent::EditRecord { .. } => Self::Registration,
            Intent::Link { .. } | Intent::Unlink { .. } => Self::Linking,
            Intent::AddReference { .. } => Self::Import,
            Intent::Add { .. }
            | Intent::OpenDraft { .. }
            | Intent::EditDraft { .. }
            | Intent::Finalize { .. }
            | Intent::DismissLateEdit { .. }
            | Intent::ChooseHeader { .. }
            | Intent::Move { .. }
            | Intent::SetChart { .. } => Self::Care,
            Intent::Share { .. }
            | Intent::EndShare { .. }
            | Intent::Transfer { .. }
            | Intent::Claim { .. } => Self::Placement,
        }
    }

    /// The names of its intents: what [`Activity::of`] says, the other way round.
    pub fn intents(self) -> &'static [&'static str] {
        match self {
            Self::Registration => &["register", "edit_record"],
            Self::Linking => &["link", "unlink"],
            Self::Import => &["add_reference"],
            Self::Care => &[
                "add",
                "open_draft",
                "edit_draft",
                "finalize",
                "dismiss_late_edit",
                "choose_header",
                "move",
                "set_chart",
            ],
            Self::Placement => &["share", "end_share", "transfer", "claim"],
        }
    }

    /// Its name in the documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Linking => "linking",
            Self::Import => "import",
            Self::Care => "care",
            Self::Placement => "placement",
        }
    }
}

impl Duty {
    /// Every duty.
    pub const ALL: [Self; 4] = [Self::Quarantine, Self::Drawers, Self::Audit, Self::Directory];

    /// Its name in the documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quarantine => "quarantine",
            Self::Drawers => "drawers",
            Self::Audit => "audit",
            Self::Directory => "directory",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = ();
    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or(())
    }
}
