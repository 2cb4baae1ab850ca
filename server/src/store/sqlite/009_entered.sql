-- Where a patient last entered a stream that did not have them: from here on all their items stand in it, in order.
-- What stands before is of an earlier time, and comes again behind.
create table entered (
    unit blob not null,
    compartment integer not null,
    patient blob not null,
    seq integer not null,
    primary key (unit, compartment, patient)
) without rowid, strict;

-- When the move that last gave a patient their unit was received: one that comes back to a restored server behind it
-- changes nothing.
create table moved (
    tenant blob not null,
    patient blob not null,
    received_ms integer not null,
    primary key (tenant, patient)
) without rowid, strict;

-- Records of before there was an index of identifiers are put into it at the next opening.
insert into meta (name, value) select 'identifiers_to_fill', 1 where exists (select 1 from record);
