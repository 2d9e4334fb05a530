-- What the requests of a batch say, as they were composed: a repetition says the same. Kept as long as the batch; those of
-- earlier releases have none.
CREATE TABLE batch_page (
    channel TEXT NOT NULL,
    batch TEXT NOT NULL,
    page INTEGER NOT NULL,
    kind TEXT NOT NULL,                -- of the channel that it was composed for
    body TEXT NOT NULL,
    PRIMARY KEY (channel, batch, page)
) STRICT;
CREATE TRIGGER batch_forgotten AFTER DELETE ON batch BEGIN
    DELETE FROM batch_page WHERE channel = OLD.channel AND batch = OLD.id;
END;
