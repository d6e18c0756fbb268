-- Owns curves (series, reading), the measurement tables that the PHP site draws, and the house's description as it knows it.
-- date is the wall clock of the house; one row per instant, so that a record sent twice is one row. Where the PHP site's own
-- tables are here already they stay as they are.

CREATE TABLE IF NOT EXISTS series (
  id   INT          NOT NULL PRIMARY KEY AUTO_INCREMENT,
  name VARCHAR(191) NOT NULL UNIQUE,
  unit VARCHAR(32)  NOT NULL DEFAULT ''
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS reading (
  series_id INT    NOT NULL,
  ts_ms     BIGINT NOT NULL,
  value     DOUBLE NOT NULL,
  PRIMARY KEY (series_id, ts_ms),
  CONSTRAINT reading_of_series FOREIGN KEY (series_id) REFERENCES series (id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS energie (
  num   INT      NOT NULL PRIMARY KEY AUTO_INCREMENT,
  date  DATETIME NOT NULL UNIQUE,
  conso DOUBLE,
  pmax  DOUBLE
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS temp_salon         (num INT NOT NULL PRIMARY KEY AUTO_INCREMENT, date DATETIME NOT NULL UNIQUE, valeur DOUBLE) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS temp_cuisine       (num INT NOT NULL PRIMARY KEY AUTO_INCREMENT, date DATETIME NOT NULL UNIQUE, valeur DOUBLE) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS temp_meteo         (num INT NOT NULL PRIMARY KEY AUTO_INCREMENT, date DATETIME NOT NULL UNIQUE, valeur DOUBLE) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS temp_cave          (num INT NOT NULL PRIMARY KEY AUTO_INCREMENT, date DATETIME NOT NULL UNIQUE, valeur DOUBLE) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS temp_cellier       (num INT NOT NULL PRIMARY KEY AUTO_INCREMENT, date DATETIME NOT NULL UNIQUE, valeur DOUBLE) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS temp_cuis_ete      (num INT NOT NULL PRIMARY KEY AUTO_INCREMENT, date DATETIME NOT NULL UNIQUE, valeur DOUBLE) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS pression_chaudiere (num INT NOT NULL PRIMARY KEY AUTO_INCREMENT, date DATETIME NOT NULL UNIQUE, valeur DOUBLE) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS ph_spa             (num INT NOT NULL PRIMARY KEY AUTO_INCREMENT, date DATETIME NOT NULL UNIQUE, valeur DOUBLE) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS orp_spa            (num INT NOT NULL PRIMARY KEY AUTO_INCREMENT, date DATETIME NOT NULL UNIQUE, valeur DOUBLE) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS debit_spa          (num INT NOT NULL PRIMARY KEY AUTO_INCREMENT, date DATETIME NOT NULL UNIQUE, valeur DOUBLE) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS temp_spa           (num INT NOT NULL PRIMARY KEY AUTO_INCREMENT, date DATETIME NOT NULL UNIQUE, valeur DOUBLE) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS temp_ext_spa       (num INT NOT NULL PRIMARY KEY AUTO_INCREMENT, date DATETIME NOT NULL UNIQUE, valeur DOUBLE) ENGINE = InnoDB;

-- The device table of the PHP site: which device of which server is which element of the plan. Imported, then read.
CREATE TABLE IF NOT EXISTS dispositifs (
  num              INT NOT NULL PRIMARY KEY AUTO_INCREMENT,
  nom_appareil     VARCHAR(255) NOT NULL DEFAULT '',
  nom_objet        VARCHAR(255) NOT NULL DEFAULT '',
  idx              VARCHAR(64),
  ID               VARCHAR(255) NOT NULL DEFAULT '',
  idm              VARCHAR(64),
  Actif            VARCHAR(8)   NOT NULL DEFAULT '1',
  param            TEXT         NOT NULL DEFAULT '',
  ls               VARCHAR(8)   NOT NULL DEFAULT '0',
  maj_js           VARCHAR(64)  NOT NULL DEFAULT '',
  id1_html         VARCHAR(255) NOT NULL DEFAULT '#',
  car_max_id1      VARCHAR(16)  NOT NULL DEFAULT '',
  F                VARCHAR(255),
  id2_html         VARCHAR(255) NOT NULL DEFAULT '',
  coul_id1_id2_ON  VARCHAR(255) NOT NULL DEFAULT '',
  coul_id1_id2_OFF VARCHAR(255) NOT NULL DEFAULT '',
  class_lamp       VARCHAR(255) NOT NULL DEFAULT '',
  coul_lamp_ON     VARCHAR(255) NOT NULL DEFAULT '',
  coul_lamp_OFF    VARCHAR(255) NOT NULL DEFAULT '',
  pass             VARCHAR(64),
  observations     TEXT         NOT NULL DEFAULT ''
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- Which picture stands for which text of a variable.
CREATE TABLE IF NOT EXISTS text_image (
  num   INT          NOT NULL PRIMARY KEY AUTO_INCREMENT,
  texte VARCHAR(255) NOT NULL DEFAULT '',
  image VARCHAR(255) NOT NULL DEFAULT '',
  icone TEXT         NOT NULL DEFAULT ''
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
