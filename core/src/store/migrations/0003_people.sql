-- What the tenant keeps for all its devices, as the server gave it; `reference` holds what imported records name.
CREATE TABLE tenant_reference (
    kind       TEXT NOT NULL,
    id         TEXT NOT NULL,
    content    TEXT NOT NULL,
    retired    INTEGER NOT NULL,
    fetched_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
