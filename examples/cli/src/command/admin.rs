//! `admin tenant | unit | user | users | leave | scope | audit | drawer | professional | speciality | kind | enrol-code | devices | revoke`: on the server's file, while it runs or not.

mod audit;
mod copies;
mod drawer;
mod quarantine;
mod reference;
mod scope;
mod users;

use super::instant;
use crate::device::DeviceOptions;
use crate::failure::{Ending, Failure, Result};
use crate::output::{Output, Table};
use crate::words::{Message, Words};
use serde::Serialize;
use std::path::PathBuf;
use uuid::Uuid;
use vereda_core::client::Clock;
use vereda_core::error::{Code, SyncError};
use vereda_core::id::{TenantId, UnitId, UserId};
use vereda_core::platform::native::{SystemClock, SystemEntropy};
use vereda_server::admin::{Administration, ENROLMENT_CODE_MS};
use vereda_server::net::tls::{fingerprint_of_file, make_authority};
use vereda_server::store::StoreError;
use vereda_server::{KeyFileError, Role, ServerKeys};

/// Which server, and what is done.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// The server's store.
#[derive(clap::Args)]
pub(crate) struct StoreArguments {
    /// `sqlite:FILE`.
    #[arg(long = "store", value_name = "STORE", value_parser = store_file)]
    pub(crate) file: PathBuf,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Adds a tenant: an organisation that shares nothing with another one.
    Tenant {
        /// Its name.
        name: String,
        #[command(flatten)]
        store: StoreArguments,
    },
    /// Adds a unit: a clinic, ward or team.
    Unit {
        /// Its name.
        name: String,
        /// The id it had, where a copy was put back that lacks it; its devices' status says it.
        #[arg(long)]
        id: Option<Uuid>,
        /// Whose; the only tenant when not given.
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        store: StoreArguments,
    },
    /// Adds a user to units, or an existing one to further units.
    User {
        /// Their name.
        name: String,
        /// A unit; several may be given.
        #[arg(long, required = true)]
        unit: Vec<String>,
        /// clinician, reception, supervisor, auditor or administrator (docs/roles.md).
        #[arg(long, default_value = "clinician", value_parser = role)]
        role: Role,
        /// The code of their speciality.
        #[arg(long)]
        speciality: Option<String>,
        /// The id they had, where a copy was put back that lacks them; their devices' status says it.
        #[arg(long)]
        id: Option<Uuid>,
        /// Whose; the only tenant when not given.
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        store: StoreArguments,
    },
    /// Takes a user out of a unit.
    Leave {
        /// The user.
        #[arg(long)]
        user: String,
        /// The unit.
        #[arg(long)]
        unit: String,
        /// Whose; the only tenant when not given.
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        store: StoreArguments,
    },
    /// Lists users: role, units, speciality, what is granted to them.
    Users(users::Arguments),
    /// What a user reads in a unit beyond their role.
    #[command(subcommand)]
    Scope(scope::Command),
    /// Professionals patients are seen by or referred to.
    #[command(subcommand)]
    Professional(reference::ProfessionalCommand),
    /// Specialities of professionals and users.
    #[command(subcommand)]
    Speciality(reference::SpecialityCommand),
    /// The tenant's own kinds of entries.
    #[command(subcommand)]
    Kind(reference::KindCommand),
    /// What was refused of a unit's devices.
    #[command(subcommand)]
    Drawer(drawer::Command),
    /// Writes from outside their author's scope.
    #[command(subcommand)]
    Quarantine(quarantine::Command),
    /// Who read and wrote what, on every device.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Makes an enrolment code for one device of a user.
    EnrolCode {
        /// The user.
        #[arg(long)]
        user: String,
        /// Whose; the only tenant when not given.
        #[arg(long)]
        tenant: Option<String>,
        /// Lets the device pin the server's own authority (`serve --tls-self`).
        #[arg(long)]
        tls_self: bool,
        /// Lets the device pin the authority of `serve --tls-cert`: the last certificate of this file.
        #[arg(long, value_name = "PEM", conflicts_with = "tls_self")]
        tls_authority: Option<PathBuf>,
        #[command(flatten)]
        store: StoreArguments,
    },
    /// Makes a copy of the store, opens it again and checks it.
    Backup(copies::BackupArguments),
    /// Checks a store or a copy: every log, every outcome, every document.
    Verify(copies::VerifyArguments),
    /// Puts a checked copy in the store's place. Devices then give back what it lacks.
    Restore(copies::RestoreArguments),
    /// Lists devices.
    Devices {
        #[command(flatten)]
        store: StoreArguments,
    },
    /// Revokes a device; what it has not sent stays on it.
    Revoke {
        /// Its number in the list.
        device: u32,
        #[command(flatten)]
        store: StoreArguments,
    },
}

fn role(name: &str) -> std::result::Result<Role, String> {
    name.parse()
        .map_err(|()| format!("one of {}", Role::ALL.map(Role::name).join(", ")))
}

/// The file of `sqlite:FILE`.
fn store_file(text: &str) -> std::result::Result<PathBuf, String> {
    match text.strip_prefix("sqlite:") {
        Some(path) if !path.is_empty() => Ok(PathBuf::from(path)),
        _ => Err("sqlite:FILE is needed".to_owned()),
    }
}

/// Where the server's keys lie.
pub(crate) fn key_path(store: &StoreArguments, device: &DeviceOptions) -> Result<PathBuf> {
    device
        .key_file
        .clone()
        .or_else(|| ServerKeys::default_path(&store.file))
        .ok_or_else(|| SyncError::new(Code::KeyFileUnusable, "no configuration folder is known").into())
}

/// Where the server's own TLS authority lies: beside its keys.
pub(crate) fn authority_folder(store: &StoreArguments, device: &DeviceOptions) -> Result<PathBuf> {
    Ok(key_path(store, device)?.with_extension("authority"))
}

/// The server's keys: of `VEREDA_KEY`, or of the key file, which is made with a new store only.
pub(crate) fn keys(store: &StoreArguments, device: &DeviceOptions) -> Result<ServerKeys> {
    if let Some(key) = &device.key {
        return Ok(ServerKeys::derive(&crate::key_file::parse(key)?));
    }
    let path = key_path(store, device)?;
    if store.file.exists() && !path.exists() {
        return Err(SyncError::new(Code::KeyFileUnusable, "it is not there, and the store is").into());
    }
    ServerKeys::load_or_create(&path, &mut SystemEntropy).map_err(|error| {
        let detail = match error {
            KeyFileError::File(_) => "it cannot be read or made",
            KeyFileError::Malformed => "it is not a key file of ours",
            KeyFileError::Exposed => "others may read it; its mode must be 0600",
        };
        SyncError::new(Code::KeyFileUnusable, detail).into()
    })
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::Rule(rule) => return Self::Administration(*rule),
            StoreError::Locked => Code::StoreLocked,
            StoreError::TooNew => Code::StoreTooNew,
            StoreError::Full => Code::DiskFull,
            StoreError::Damaged(_) => Code::StoreDamaged,
            StoreError::Busy | StoreError::Database(_) | StoreError::File(_) => Code::StoreUnavailable,
        };
        SyncError::new(code, error.to_string()).into()
    }
}

/// Folders of the path to a store are made, for the owner alone.
pub(crate) fn make_folder(store: &StoreArguments) -> Result<()> {
    match store.file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => Ok(crate::device::create_folder(folder)?),
        _ => Ok(()),
    }
}

fn open(store: &StoreArguments, device: &DeviceOptions) -> Result<Administration> {
    make_folder(store)?;
    let keys = keys(store, device)?;
    Ok(Administration::open(&store.file, &keys, &mut SystemEntropy)?)
}

#[derive(Serialize)]
struct Tenant {
    tenant: TenantId,
    name: String,
}

#[derive(Serialize)]
struct Unit {
    unit: UnitId,
    name: String,
}

#[derive(Serialize)]
struct User {
    user: UserId,
    name: String,
    role: &'static str,
    units: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speciality: Option<String>,
}

#[derive(Serialize)]
struct Left {
    user: String,
    left: String,
}

#[derive(Serialize)]
struct EnrolCode {
    code: String,
    expires_at: String,
}

#[derive(Serialize)]
struct Device {
    device: u32,
    user: String,
    label: String,
    enrolled_at: String,
    revoked_at: Option<String>,
}

#[derive(Serialize)]
struct Devices {
    devices: Vec<Device>,
}

#[derive(Serialize)]
struct Revoked {
    revoked: u32,
}

pub(crate) fn run(arguments: Arguments, device: &DeviceOptions, output: &Output) -> Result {
    let entropy = &mut SystemEntropy;
    let now_ms = SystemClock.now().wall_ms;
    match arguments.command {
        Command::Tenant { name, store } => {
            let tenant = open(&store, device)?.create_tenant(entropy, &name)?;
            output.show(&Tenant { tenant, name }, |_| tenant.to_string());
        }
        Command::Unit {
            name,
            id,
            tenant,
            store,
        } => {
            let mut administration = open(&store, device)?;
            let unit = match id {
                Some(id) => administration.create_unit_again(UnitId(id), tenant.as_deref(), &name)?,
                None => administration.create_unit(entropy, tenant.as_deref(), &name)?,
            };
            output.show(&Unit { unit, name }, |_| unit.to_string());
        }
        Command::User {
            name,
            unit: units,
            role,
            speciality,
            id,
            tenant,
            store,
        } => {
            let names: Vec<&str> = units.iter().map(String::as_str).collect();
            let tenant = tenant.as_deref();
            let mut administration = open(&store, device)?;
            let user = match id {
                Some(id) => administration.put_user_again(UserId(id), tenant, &name, role, &names)?,
                None => administration.put_user(entropy, tenant, &name, role, &names)?,
            };
            if let Some(code) = &speciality {
                administration.set_speciality(tenant, &name, code)?;
            }
            let role = role.name();
            output.show(
                &User {
                    user,
                    name,
                    role,
                    units,
                    speciality,
                },
                |_| user.to_string(),
            );
        }
        Command::Leave {
            user,
            unit,
            tenant,
            store,
        } => {
            open(&store, device)?.leave_unit(tenant.as_deref(), &user, &unit)?;
            output.show(&Left { user, left: unit }, |words| {
                words.of(Message::Done).to_owned()
            });
        }
        Command::Users(arguments) => return users::run(&arguments, device, output),
        Command::Scope(command) => return scope::run(command, device, output),
        Command::Professional(command) => return reference::professional(command, device, output),
        Command::Speciality(command) => return reference::speciality(command, device, output),
        Command::Kind(command) => return reference::kind(command, device, output),
        Command::Drawer(command) => return drawer::run(command, device, output),
        Command::Quarantine(command) => return quarantine::run(command, device, output),
        Command::Audit(command) => return audit::run(command, device, output),
        Command::Backup(arguments) => return copies::copy(&arguments, device, output),
        Command::Verify(arguments) => return copies::check(arguments, device, output),
        Command::Restore(arguments) => return copies::put_back(arguments, device, output),
        Command::EnrolCode {
            user,
            tenant,
            tls_self,
            tls_authority,
            store,
        } => {
            let authority = match tls_authority {
                Some(file) => Some(fingerprint_of_file(&file)?),
                None if tls_self => Some(make_authority(&authority_folder(&store, device)?)?),
                None => None,
            };
            let expires_ms = now_ms + ENROLMENT_CODE_MS;
            let made = EnrolCode {
                code: open(&store, device)?.enrolment_code(
                    entropy,
                    tenant.as_deref(),
                    &user,
                    expires_ms,
                    authority,
                )?,
                expires_at: instant(expires_ms),
            };
            output.show(&made, |_| made.code.clone());
        }
        Command::Devices { store } => {
            let devices = devices(&mut open(&store, device)?)?;
            output.show(&devices, |words| devices_table(words, &devices));
        }
        Command::Revoke {
            device: number,
            store,
        } => {
            open(&store, device)?.revoke(number, now_ms)?;
            output.show(&Revoked { revoked: number }, |words| {
                words.of(Message::Done).to_owned()
            });
        }
    }
    Ok(Ending::Done)
}

fn devices(administration: &mut Administration) -> Result<Devices> {
    let rows = administration.devices()?;
    let devices = rows.into_iter().map(|(row, user)| Device {
        device: row.short,
        user,
        label: row.label.0,
        enrolled_at: instant(row.enrolled_ms),
        revoked_at: row.revoked_ms.map(instant),
    });
    Ok(Devices {
        devices: devices.collect(),
    })
}

fn devices_table(words: Words, devices: &Devices) -> String {
    let mut table = Table::new([
        words.of(Message::ColumnId),
        words.of(Message::StatusUser),
        words.of(Message::ColumnName),
        words.of(Message::ColumnWhen),
        words.of(Message::ColumnRevoked),
    ]);
    for device in &devices.devices {
        table.row([
            device.device.to_string(),
            device.user.clone(),
            device.label.clone(),
            device.enrolled_at.clone(),
            device.revoked_at.clone().unwrap_or_default(),
        ]);
    }
    table.text()
}
