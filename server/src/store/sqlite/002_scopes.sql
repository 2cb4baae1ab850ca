-- A compartment granted to a person in one unit, beyond what their role reads.
create table scope_grant (
    person      blob not null references person (id),
    unit        blob not null references unit (id),
    compartment integer not null,
    primary key (person, unit, compartment)
) strict, without rowid;

-- The role of that name was a clinician with one grant.
insert into scope_grant (person, unit, compartment)
select person.id, membership.unit, 2 from person
join membership on membership.person = person.id where person.role = 'specialist';
update person set role = 'clinician' where role = 'specialist';
