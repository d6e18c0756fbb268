-- Owns curves (series, reading), the measurement tables that the PHP site draws, and the house's description as it knows it.
-- date is the wall clock of the house, YYYY-MM-DD HH:MM:SS; one row per instant, so that a record sent twice is one row.

CREATE TABLE series (
  id   INTEGER NOT NULL PRIMARY KEY,
  name TEXT    NOT NULL UNIQUE,
  unit TEXT    NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE reading (
  series_id INTEGER NOT NULL REFERENCES series (id),
  ts_ms     INTEGER NOT NULL,
  value     REAL    NOT NULL,
  PRIMARY KEY (series_id, ts_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE energie (
  num   INTEGER NOT NULL PRIMARY KEY,
  date  TEXT    NOT NULL UNIQUE,
  conso REAL,
  pmax  REAL
) STRICT;

CREATE TABLE temp_salon         (num INTEGER NOT NULL PRIMARY KEY, date TEXT NOT NULL UNIQUE, valeur REAL) STRICT;
CREATE TABLE temp_cuisine       (num INTEGER NOT NULL PRIMARY KEY, date TEXT NOT NULL UNIQUE, valeur REAL) STRICT;
CREATE TABLE temp_meteo         (num INTEGER NOT NULL PRIMARY KEY, date TEXT NOT NULL UNIQUE, valeur REAL) STRICT;
CREATE TABLE temp_cave          (num INTEGER NOT NULL PRIMARY KEY, date TEXT NOT NULL UNIQUE, valeur REAL) STRICT;
CREATE TABLE temp_cellier       (num INTEGER NOT NULL PRIMARY KEY, date TEXT NOT NULL UNIQUE, valeur REAL) STRICT;
CREATE TABLE temp_cuis_ete      (num INTEGER NOT NULL PRIMARY KEY, date TEXT NOT NULL UNIQUE, valeur REAL) STRICT;
CREATE TABLE pression_chaudiere (num INTEGER NOT NULL PRIMARY KEY, date TEXT NOT NULL UNIQUE, valeur REAL) STRICT;
CREATE TABLE ph_spa             (num INTEGER NOT NULL PRIMARY KEY, date TEXT NOT NULL UNIQUE, valeur REAL) STRICT;
CREATE TABLE orp_spa            (num INTEGER NOT NULL PRIMARY KEY, date TEXT NOT NULL UNIQUE, valeur REAL) STRICT;
CREATE TABLE debit_spa          (num INTEGER NOT NULL PRIMARY KEY, date TEXT NOT NULL UNIQUE, valeur REAL) STRICT;
CREATE TABLE temp_spa           (num INTEGER NOT NULL PRIMARY KEY, date TEXT NOT NULL UNIQUE, valeur REAL) STRICT;
CREATE TABLE temp_ext_spa       (num INTEGER NOT NULL PRIMARY KEY, date TEXT NOT NULL UNIQUE, valeur REAL) STRICT;

-- The device table of the PHP site: which device of which server is which element of the plan. Imported, then read.
CREATE TABLE dispositifs (
  num              INTEGER NOT NULL PRIMARY KEY,
  nom_appareil     TEXT NOT NULL DEFAULT '',
  nom_objet        TEXT NOT NULL DEFAULT '',
  idx              TEXT,
  ID               TEXT NOT NULL DEFAULT '',
  idm              TEXT,
  Actif            TEXT NOT NULL DEFAULT '1',
  param            TEXT NOT NULL DEFAULT '',
  ls               TEXT NOT NULL DEFAULT '0',
  maj_js           TEXT NOT NULL DEFAULT '',
  id1_html         TEXT NOT NULL DEFAULT '#',
  car_max_id1      TEXT NOT NULL DEFAULT '',
  F                TEXT,
  id2_html         TEXT NOT NULL DEFAULT '',
  coul_id1_id2_ON  TEXT NOT NULL DEFAULT '',
  coul_id1_id2_OFF TEXT NOT NULL DEFAULT '',
  class_lamp       TEXT NOT NULL DEFAULT '',
  coul_lamp_ON     TEXT NOT NULL DEFAULT '',
  coul_lamp_OFF    TEXT NOT NULL DEFAULT '',
  pass             TEXT,
  observations     TEXT NOT NULL DEFAULT ''
) STRICT;

-- Which picture stands for which text of a variable.
CREATE TABLE text_image (
  num   INTEGER NOT NULL PRIMARY KEY,
  texte TEXT NOT NULL DEFAULT '',
  image TEXT NOT NULL DEFAULT '',
  icone TEXT NOT NULL DEFAULT ''
) STRICT;
