-- A memory's file, format 1. What an encoder computed lives in tables of its own ("space"), made by
-- store/sqlite/spaces.py: vectors_N, text_vectors_N and features_N, each (key, vector). The full-text
-- index is in words.sql.

CREATE TABLE notes (                      -- what the memory notes about itself
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE TABLE rows (
  row INTEGER PRIMARY KEY AUTOINCREMENT,   -- never reused, so that larger means later
  id TEXT NOT NULL UNIQUE,
  path TEXT,                               -- relative to the memory's folder where it lies below it
  hash TEXT,                               -- of the picture file's bytes
  width INTEGER,
  height INTEGER,
  phash INTEGER,                           -- perceptual hash, 64 bit
  twin INTEGER,                            -- first row of its group of near-duplicates, or NULL
  label TEXT,
  texts TEXT NOT NULL DEFAULT '[]',        -- JSON from here on
  tags TEXT NOT NULL DEFAULT '[]',
  qa TEXT NOT NULL DEFAULT '[]',
  columns TEXT NOT NULL DEFAULT '{}',
  source TEXT NOT NULL DEFAULT '',
  added TEXT NOT NULL,                     -- UTC, ISO 8601
  changed TEXT NOT NULL
) STRICT;
CREATE INDEX rows_by_label ON rows (label);
CREATE INDEX rows_by_twin ON rows (twin) WHERE twin IS NOT NULL;

CREATE TABLE pictures (                    -- of the rows whose picture was copied in
  row INTEGER PRIMARY KEY REFERENCES rows ON DELETE CASCADE,
  bytes BLOB NOT NULL
) STRICT;

CREATE TABLE spaces (
  space INTEGER PRIMARY KEY AUTOINCREMENT,
  fingerprint TEXT NOT NULL,
  dimension INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('current', 'building')),
  since INTEGER NOT NULL                   -- a building one has seen the changes up to this one
) STRICT;
CREATE UNIQUE INDEX one_current_space ON spaces (state) WHERE state = 'current';

CREATE TABLE encoder_parts (               -- what a space's encoder needs besides its name
  space INTEGER NOT NULL REFERENCES spaces ON DELETE CASCADE,
  name TEXT NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (space, name)
) STRICT;

CREATE TABLE hubs (                        -- near to everything; see hubness.py
  kind TEXT PRIMARY KEY,                   -- of vectors
  moment TEXT NOT NULL,                    -- space and changes that they were computed at, JSON
  bank TEXT NOT NULL,                      -- SHA256 of the vectors that told it
  keys BLOB NOT NULL,                      -- int64
  hubs BLOB NOT NULL                       -- float32
) STRICT;

CREATE TABLE column_names (name TEXT PRIMARY KEY) STRICT;  -- of user columns ever seen

CREATE TABLE quarantine (                  -- what could not be read, until it can be
  place TEXT NOT NULL,
  source TEXT NOT NULL,                    -- what was being read
  reason TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (place, source)              -- two tables called shop.csv both have a line 2
) STRICT;

CREATE TABLE versions (                    -- one for each thing that somebody did
  version INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  who TEXT NOT NULL,
  what TEXT NOT NULL
) STRICT;

CREATE TABLE changes (                     -- one for each row that it touched
  change INTEGER PRIMARY KEY AUTOINCREMENT,
  version INTEGER NOT NULL REFERENCES versions,
  row INTEGER NOT NULL,
  id TEXT NOT NULL,
  action TEXT NOT NULL CHECK (action IN ('add', 'update', 'delete')),
  before TEXT                              -- the row as it was, JSON; NULL for an addition
) STRICT;
CREATE INDEX changes_by_id ON changes (id);
CREATE INDEX changes_by_version ON changes (version);
