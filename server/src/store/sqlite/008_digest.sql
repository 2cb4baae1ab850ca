-- What devices compare (SPEC 17): a leaf for each document and record, its place in the tree, and for each stream the
-- sums of 4,096 buckets over what is at home there. A leaf that is null was stored before any was kept, and is in no sum.
alter table document add column leaf integer;
alter table document add column place integer;
alter table record add column leaf integer;
alter table record add column place integer;

create table digest (
    unit        blob not null,
    compartment integer not null,
    bucket      integer not null,
    sum         integer not null,
    primary key (unit, compartment, bucket)
) strict, without rowid;

create index document_by_place on document (tenant, unit, compartment, place) where leaf is not null;
create index document_unsummed on document (tenant, unit, compartment) where leaf is null;
create index record_by_place on record (tenant, unit, place) where leaf is not null;
create index record_unsummed on record (tenant, unit) where leaf is null;
