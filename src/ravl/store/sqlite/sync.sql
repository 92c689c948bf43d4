-- What syncing, the trash and deletions keep; made the first time that one of them is asked for.

CREATE TABLE IF NOT EXISTS roots (         -- folders that the memory follows
  path TEXT PRIMARY KEY,                   -- as in rows: relative to the memory's folder where below
  prefix TEXT NOT NULL,                    -- of the ids of its pictures
  ignored TEXT NOT NULL,                   -- patterns, JSON
  labelled INTEGER                         -- whether sub-folders are labels; NULL to tell by them
) STRICT;

CREATE TABLE IF NOT EXISTS files (         -- their pictures, as they were when last looked at
  path TEXT PRIMARY KEY,
  size INTEGER NOT NULL,                   -- -1 of one that was restored without its file
  mtime INTEGER NOT NULL                   -- of the times of it and of the texts beside it, hashed
) STRICT;

CREATE TABLE IF NOT EXISTS bin (           -- rows whose file has gone, with all that they had
  row INTEGER PRIMARY KEY,
  at TEXT NOT NULL,
  record TEXT NOT NULL,                    -- JSON
  space INTEGER NOT NULL,                  -- that computed the following
  vector BLOB,
  feature BLOB,
  text_vectors BLOB,
  picture BLOB                             -- where a copy was kept
) STRICT;

CREATE TABLE IF NOT EXISTS deleted (       -- deleted rows, with all that they had, until compacted
  row INTEGER PRIMARY KEY,
  at TEXT NOT NULL,
  record TEXT NOT NULL,                    -- JSON
  space INTEGER NOT NULL,                  -- that computed the following
  vector BLOB,
  feature BLOB,
  text_vectors BLOB,
  picture BLOB                             -- where a copy was kept
) STRICT;
