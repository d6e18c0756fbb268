-- Owns the first tables of the mesh: what devices did, household messages, the inbox, and the legacy mirrors.
-- Instants are epoch milliseconds in columns that end in _ms. Text is compared byte by byte, trailing blanks included.
-- Every statement may run twice: MariaDB commits each one, and a migration that was cut off is begun again.

-- The last state of each device, in order of arrival.
CREATE TABLE IF NOT EXISTS device (
  id          VARCHAR(255)  NOT NULL PRIMARY KEY,
  state       VARCHAR(4096) NOT NULL,
  at_ms       BIGINT        NOT NULL,
  received_ms BIGINT        NOT NULL,
  source      VARCHAR(64)   NOT NULL,
  clock_wrong BOOLEAN       NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- Every change, in order of arrival. One MQTT message (mid) may change several devices.
CREATE TABLE IF NOT EXISTS device_event (
  seq         BIGINT        NOT NULL PRIMARY KEY AUTO_INCREMENT,
  mid         VARCHAR(255)  NOT NULL,
  device_id   VARCHAR(255)  NOT NULL,
  state       VARCHAR(4096) NOT NULL,
  at_ms       BIGINT        NOT NULL,
  received_ms BIGINT        NOT NULL,
  source      VARCHAR(64)   NOT NULL,
  clock_wrong BOOLEAN       NOT NULL,
  KEY device_event_by_device (device_id, seq),
  KEY device_event_by_received (received_ms)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS message (
  name   VARCHAR(255) NOT NULL PRIMARY KEY,
  text   MEDIUMTEXT   NOT NULL,
  unread BOOLEAN      NOT NULL,
  at_ms  BIGINT       NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- What was written already: a known mid has no second effect. Old entries are pruned.
CREATE TABLE IF NOT EXISTS inbox (
  mid         VARCHAR(255) NOT NULL PRIMARY KEY,
  received_ms BIGINT       NOT NULL,
  KEY inbox_by_received (received_ms)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- Durable messages whose own tables come with a later release: kept whole.
CREATE TABLE IF NOT EXISTS raw_message (
  seq         BIGINT       NOT NULL PRIMARY KEY AUTO_INCREMENT,
  mid         VARCHAR(255) NOT NULL,
  topic       MEDIUMTEXT   NOT NULL,
  payload     LONGBLOB     NOT NULL,
  received_ms BIGINT       NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- Legacy mirror: the latest change. date is the wall clock of the house, HH:MM:SS; an empty id means none yet.
CREATE TABLE IF NOT EXISTS sse (
  num   INT           NOT NULL PRIMARY KEY,
  id    VARCHAR(255)  NOT NULL,
  state VARCHAR(4096) NOT NULL,
  date  VARCHAR(32)   NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

INSERT INTO sse (num, id, state, date) SELECT 0, '', '', '' WHERE NOT EXISTS (SELECT 1 FROM sse WHERE num = 0);

-- Legacy mirror: maj is 1 while unread. The mesh never writes id1_html.
CREATE TABLE IF NOT EXISTS messages (
  num         INT          NOT NULL PRIMARY KEY AUTO_INCREMENT,
  nom         VARCHAR(255) NOT NULL UNIQUE,
  id1_html    VARCHAR(255) NOT NULL DEFAULT '',
  contenu     MEDIUMTEXT   NOT NULL,
  maj         INT          NOT NULL,
  last_update TIMESTAMP    NOT NULL DEFAULT CURRENT_TIMESTAMP
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
