-- What each source has said of a row; made the first time that a source is read.

CREATE TABLE IF NOT EXISTS claims (
  row INTEGER NOT NULL REFERENCES rows ON DELETE CASCADE,
  source TEXT NOT NULL,                    -- a file or folder, ./... below the memory; or a name
  said TEXT NOT NULL,                      -- hashes of what it said, JSON; never the text itself
  PRIMARY KEY (row, source)
) STRICT, WITHOUT ROWID;
