-- What a tenant keeps for all its devices. Each change takes the tenant's next version.
alter table tenant add column reference_version integer not null default 0;

create table reference (
    tenant  blob not null references tenant (id),
    kind    text not null,
    id      text not null,
    version integer not null,
    content text not null,
    retired integer not null default 0,
    primary key (tenant, kind, id)
) strict, without rowid;

create unique index reference_by_version on reference (tenant, version);

-- The units there are, each as its tenant's next row.
insert into reference (tenant, kind, id, version, content)
select tenant, 'unit',
    lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4) || '-' ||
          substr(hex(id), 17, 4) || '-' || substr(hex(id), 21, 12)),
    row_number() over (partition by tenant order by name),
    json_object('name', name)
from unit;
update tenant set reference_version = (select count(*) from unit where unit.tenant = tenant.id),
                  scope_version = scope_version + 1;

-- The speciality of a person, by its code.
alter table person add column speciality text;
