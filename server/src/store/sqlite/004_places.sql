-- Units beside a patient's own that have them. Rows stay: what a unit once had decides what its late writes become.
create table share (
    tenant       blob not null,
    patient      blob not null,
    id           blob not null,
    unit         blob not null,
    compartments integer not null,
    until_ms     integer,
    ended_ms     integer,
    primary key (tenant, patient, id)
) strict, without rowid;

-- A copied item was written to another stream. `other` is a patient the write names beside its own.
alter table log add column is_copy integer not null default 0;
alter table log add column other blob;
create index log_by_patient on log (tenant, patient);
create index log_by_other on log (tenant, other) where other is not null;

-- Patients by the keyed hash of each identifier.
create table identifier (
    tenant  blob not null,
    digest  blob not null,
    patient blob not null,
    primary key (tenant, digest, patient)
) strict, without rowid;
create index identifier_by_patient on identifier (tenant, patient);

-- Writes from outside their author's scope: held until a supervisor decides, and known for ever.
create table quarantine (
    store       blob not null,
    incarnation integer not null,
    n           integer not null,
    hash        blob not null,
    tenant      blob not null,
    person      blob not null,
    unit        blob not null,
    compartment integer not null,
    patient     blob not null,
    generation  integer not null,
    received_ms integer not null,
    sealed      blob not null,
    decision    integer,
    decided_by  blob,
    decided_ms  integer,
    primary key (store, incarnation, n)
) strict, without rowid;
create index quarantine_waiting on quarantine (tenant, received_ms) where decision is null;

-- Units a user worked in: what their devices still send from there is held, not turned away.
create table past_membership (
    person blob not null,
    unit   blob not null,
    primary key (person, unit)
) strict, without rowid;
