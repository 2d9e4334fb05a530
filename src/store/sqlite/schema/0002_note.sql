-- What a scan wants to find again after a restart. Not tied to a certificate: it is the source's own shorthand.
CREATE TABLE note (
    source TEXT NOT NULL,
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (source, scope, key)
) STRICT, WITHOUT ROWID;
