-- Which certificates have three letters in one of their names. It is filled behind the scans and holds no text.
CREATE VIRTUAL TABLE name USING fts5 (
    text, content = '', contentless_delete = 1, detail = 'none', tokenize = 'trigram'
);

-- How far it has come: of the certificates with smaller numbers all are in it but the stale ones.
CREATE TABLE name_index (until INTEGER NOT NULL) STRICT;
INSERT INTO name_index (until) VALUES (0);

-- Certificates that were written or removed since they were brought in.
CREATE TABLE name_stale (id INTEGER PRIMARY KEY) STRICT;
