-- How far each device's audit lies in a verified copy: up to there the device may forget it.
create table audit_durable (
    store       blob not null,
    incarnation integer not null,
    k           integer not null,
    primary key (store, incarnation)
) strict, without rowid;
