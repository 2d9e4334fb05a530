-- 1: it was given up, and what it says was said again since, or is true no more; else NULL. Nobody has to look at it.
ALTER TABLE delivery ADD COLUMN replaced INTEGER;
UPDATE delivery SET replaced = 1 WHERE state = 'dead' AND certificate_id IS NULL AND EXISTS
    (SELECT 1 FROM event WHERE event.number = delivery.event AND
        (json_extract(event.body, '$.topic.expiring') IS NOT NULL
            OR json_extract(event.body, '$.topic.not_deployed') IS NOT NULL));
