create table meta (
    name  text primary key,
    value integer not null
) strict, without rowid;

create table tenant (
    id            blob primary key,
    name          text not null unique,
    scope_version integer not null
) strict, without rowid;

create table unit (
    id     blob primary key,
    tenant blob not null references tenant (id),
    name   text not null,
    unique (tenant, name)
) strict, without rowid;

create table person (
    id     blob primary key,
    tenant blob not null references tenant (id),
    name   text not null,
    role   text not null,
    unique (tenant, name)
) strict, without rowid;

create table membership (
    person blob not null references person (id),
    unit   blob not null references unit (id),
    primary key (person, unit)
) strict, without rowid;

create table enrolment_code (
    secret_hash blob primary key,
    person      blob not null references person (id),
    expires_ms  integer not null,
    used_by     blob
) strict, without rowid;

create table device (
    short        integer primary key,
    store        blob not null unique,
    tenant       blob not null references tenant (id),
    person       blob not null references person (id),
    hardware     blob not null,
    label        text not null,
    salt         blob not null,
    refresh      integer not null,
    refreshed_ms integer not null,
    enrolled_ms  integer not null,
    revoked_ms   integer
) strict;

-- The end of each stream's log. A row changes in the transaction that appends, so seqs become visible in order.
create table stream_head (
    unit        blob not null,
    compartment integer not null,
    seq         integer not null,
    chain       blob not null,
    durable     integer not null default 0,
    primary key (unit, compartment)
) strict, without rowid;

create table log (
    unit        blob not null,
    compartment integer not null,
    seq         integer not null,
    chain       blob not null,
    received_ms integer not null,
    store       blob not null,
    incarnation integer not null,
    n           integer not null,
    generation  integer not null,
    tenant      blob not null,
    patient     blob not null,
    sealed      blob not null,
    primary key (unit, compartment, seq)
) strict, without rowid;

-- Never trimmed: lanes pass one another, so no high-water mark could stand in for these rows.
create table outcome (
    store       blob not null,
    incarnation integer not null,
    n           integer not null,
    hash        blob not null,
    seq         integer,
    received_ms integer,
    code        text,
    detail      text,
    primary key (store, incarnation, n),
    check ((seq is null) <> (code is null))
) strict, without rowid;

-- A data key for each patient, wrapped by the master key: whoever destroys the row erases the patient.
create table patient_key (
    tenant  blob not null,
    patient blob not null,
    wrapped blob not null,
    primary key (tenant, patient)
) strict, without rowid;

create table document (
    tenant      blob not null,
    id          blob not null,
    kind        text not null,
    patient     blob not null,
    compartment integer not null,
    year        integer not null,
    part        integer not null,
    unit        blob not null,
    chunks      integer not null,
    primary key (tenant, id)
) strict, without rowid;

create index document_by_patient on document (tenant, patient);

create table chunk (
    tenant   blob not null,
    document blob not null,
    k        integer not null,
    sealed   blob not null,
    primary key (tenant, document, k)
) strict, without rowid;

create table record (
    tenant  blob not null,
    patient blob not null,
    unit    blob not null,
    version integer not null,
    sealed  blob not null,
    primary key (tenant, patient)
) strict, without rowid;

create table audit (
    store       blob not null,
    incarnation integer not null,
    k           integer not null,
    chain       blob not null,
    received_ms integer not null,
    sealed      blob not null,
    primary key (store, incarnation, k)
) strict, without rowid;
