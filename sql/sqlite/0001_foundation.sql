-- Owns the first tables of the mesh: what devices did, household messages, the inbox, and the legacy mirrors.
-- Instants are epoch milliseconds in columns that end in _ms. Text is compared byte by byte (BINARY).

-- The last state of each device, in order of arrival.
CREATE TABLE device (
  id          TEXT    NOT NULL PRIMARY KEY,
  state       TEXT    NOT NULL,
  at_ms       INTEGER NOT NULL,
  received_ms INTEGER NOT NULL,
  source      TEXT    NOT NULL,
  clock_wrong INTEGER NOT NULL CHECK (clock_wrong IN (0, 1))
) STRICT;

-- Every change, in order of arrival. One MQTT message (mid) may change several devices.
CREATE TABLE device_event (
  seq         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  mid         TEXT    NOT NULL,
  device_id   TEXT    NOT NULL,
  state       TEXT    NOT NULL,
  at_ms       INTEGER NOT NULL,
  received_ms INTEGER NOT NULL,
  source      TEXT    NOT NULL,
  clock_wrong INTEGER NOT NULL CHECK (clock_wrong IN (0, 1))
) STRICT;

-- Each entry ends in seq by itself, so this one also serves "the newest of one device".
CREATE INDEX device_event_by_device ON device_event (device_id);
CREATE INDEX device_event_by_received ON device_event (received_ms);

CREATE TABLE message (
  name   TEXT    NOT NULL PRIMARY KEY,
  text   TEXT    NOT NULL,
  unread INTEGER NOT NULL CHECK (unread IN (0, 1)),
  at_ms  INTEGER NOT NULL
) STRICT;

-- What was written already: a known mid has no second effect. Old entries are pruned.
CREATE TABLE inbox (
  mid         TEXT    NOT NULL PRIMARY KEY,
  received_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX inbox_by_received ON inbox (received_ms);

-- Durable messages whose own tables come with a later release: kept whole.
CREATE TABLE raw_message (
  seq         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  mid         TEXT    NOT NULL,
  topic       TEXT    NOT NULL,
  payload     BLOB    NOT NULL,
  received_ms INTEGER NOT NULL
) STRICT;

-- Legacy mirror: the latest change. date is the wall clock of the house, HH:MM:SS; an empty id means none yet.
CREATE TABLE sse (
  num   INTEGER NOT NULL PRIMARY KEY CHECK (num = 0),
  id    TEXT    NOT NULL,
  state TEXT    NOT NULL,
  date  TEXT    NOT NULL
) STRICT;

INSERT INTO sse (num, id, state, date) VALUES (0, '', '', '');

-- Legacy mirror: maj is 1 while unread; last_update is UTC, YYYY-MM-DD HH:MM:SS. The mesh never writes id1_html.
CREATE TABLE messages (
  num         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  nom         TEXT    NOT NULL UNIQUE,
  id1_html    TEXT    NOT NULL DEFAULT '',
  contenu     TEXT    NOT NULL,
  maj         INTEGER NOT NULL CHECK (maj IN (0, 1)),
  last_update TEXT    NOT NULL
) STRICT;
