-- A ledger as Packline wrote it when its schema had the number 1, before Alembic.
BEGIN TRANSACTION;
CREATE TABLE candidates (
	id VARCHAR(64) NOT NULL, 
	run VARCHAR(64) NOT NULL, 
	shot VARCHAR(400) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	wave INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	seed INTEGER NOT NULL, 
	prompt TEXT NOT NULL, 
	recipe JSON NOT NULL, 
	picture TEXT NOT NULL, 
	edit TEXT NOT NULL, 
	truth TEXT NOT NULL, 
	seconds FLOAT NOT NULL, 
	cost FLOAT NOT NULL, 
	recorded DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "candidates" VALUES('bdb04931c594467d','20261121-101932-0ld0ne','A1/table/hero','0dbc347945ff606c',1,0,2000000123,'put the red shoe into image 1','{"shot": "A1/table/hero", "fingerprint": "0dbc347945ff606c", "wave": 1, "number": 0, "seed": 2000000123, "prompt": "put the red shoe into image 1", "references": ["r1"], "engine": {"name": "embedded", "steps": 4}, "loras": [{"label": "warm", "sha256": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "strength": 0.8, "trigger": "warm style"}], "variation": {}, "refine": "off"}','/work/candidates/p.png','/work/candidates/e.png','/work/references/r1',1.5,0.02,'2026-11-21 10:19:32.388675');
CREATE TABLE catalogs (
	name VARCHAR(200) NOT NULL, 
	run VARCHAR(64) NOT NULL, 
	PRIMARY KEY (name), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "catalogs" VALUES('demo','20261121-101932-0ld0ne');
CREATE TABLE decisions (
	id INTEGER NOT NULL, 
	run VARCHAR(64) NOT NULL, 
	shot VARCHAR(400) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	candidate VARCHAR(64) NOT NULL, 
	decision VARCHAR(20) NOT NULL, 
	"by" VARCHAR(200) NOT NULL, 
	words TEXT NOT NULL, 
	recorded DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "decisions" VALUES(1,'20261121-101932-0ld0ne','A1/table/hero','0dbc347945ff606c','bdb04931c594467d','approve','checks','','2026-11-21 10:19:32.392620');
CREATE TABLE flags (
	id INTEGER NOT NULL, 
	run VARCHAR(64) NOT NULL, 
	shot VARCHAR(400) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	checks VARCHAR(64) NOT NULL, 
	reason VARCHAR(100) NOT NULL, 
	sentence TEXT NOT NULL, 
	recorded DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "flags" VALUES(1,'20261121-101932-0ld0ne','B1/table/hero','a223aaabf2f7721f','','row','Row 2, SKU B1: model is missing.','2026-11-21 10:19:32.382057');
CREATE TABLE loras (
	label VARCHAR(200) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	"trigger" TEXT NOT NULL, 
	recorded DATETIME NOT NULL, 
	PRIMARY KEY (label, sha256)
);
INSERT INTO "loras" VALUES('warm','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','warm style','2026-11-21 10:19:32.389062');
CREATE TABLE products (
	digest VARCHAR(16) NOT NULL, 
	catalog VARCHAR(200) NOT NULL, 
	sku VARCHAR(200) NOT NULL, 
	"row" INTEGER NOT NULL, 
	title TEXT NOT NULL, 
	model TEXT NOT NULL, 
	placements JSON NOT NULL, 
	labels JSON NOT NULL, 
	lora VARCHAR(200) NOT NULL, 
	lora_strength FLOAT, 
	run VARCHAR(64) NOT NULL, 
	recorded DATETIME NOT NULL, 
	PRIMARY KEY (digest), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "products" VALUES('47b802243bdba52d','demo','A1',1,'red shoe','/3d/shoe.glb','[["table", "hero"]]','{"E LOVE": "top to bottom"}','',NULL,'20261121-101932-0ld0ne','2026-11-21 10:19:32.378602');
CREATE TABLE publications (
	id INTEGER NOT NULL, 
	run VARCHAR(64) NOT NULL, 
	shot VARCHAR(400) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	candidate VARCHAR(64) NOT NULL, 
	use VARCHAR(40) NOT NULL, 
	"key" TEXT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	size INTEGER NOT NULL, 
	recorded DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_publications UNIQUE (candidate, use, "key"), 
	FOREIGN KEY(run) REFERENCES runs (id), 
	FOREIGN KEY(candidate) REFERENCES candidates (id)
);
INSERT INTO "publications" VALUES(1,'20261121-101932-0ld0ne','A1/table/hero','0dbc347945ff606c','bdb04931c594467d','hero','k.png','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',9,'2026-11-21 10:19:32.395342');
CREATE TABLE "references" (
	shot VARCHAR(400) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	"view" VARCHAR(100) NOT NULL, 
	folder TEXT NOT NULL, 
	recorded DATETIME NOT NULL, 
	PRIMARY KEY (shot, fingerprint, "view")
);
INSERT INTO "references" VALUES('A1/table/hero','0dbc347945ff606c','scene','/work/references/r1','2026-11-21 10:19:32.386938');
CREATE TABLE release_items (
	release INTEGER NOT NULL, 
	shot VARCHAR(400) NOT NULL, 
	use VARCHAR(40) NOT NULL, 
	sku VARCHAR(200) NOT NULL, 
	title TEXT NOT NULL, 
	scene VARCHAR(200) NOT NULL, 
	"view" VARCHAR(40) NOT NULL, 
	candidate VARCHAR(64) NOT NULL, 
	"key" TEXT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	size INTEGER NOT NULL, 
	lineage JSON NOT NULL, 
	PRIMARY KEY (release, shot, use), 
	FOREIGN KEY(release) REFERENCES releases (id)
);
INSERT INTO "release_items" VALUES(1,'A1/table/hero','hero','A1','red shoe','table','hero','bdb04931c594467d','k.png','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',9,'{"seed": 2000000123}');
CREATE TABLE releases (
	id INTEGER NOT NULL, 
	run VARCHAR(64) NOT NULL, 
	catalog VARCHAR(200) NOT NULL, 
	environment VARCHAR(40) NOT NULL, 
	manifest TEXT NOT NULL, 
	pointer TEXT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	recorded DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "releases" VALUES(1,'20261121-101932-0ld0ne','demo','prod','m1.json','prod.json','1111111111111111111111111111111111111111111111111111111111111111','2026-11-21 10:19:32.397605');
CREATE TABLE runs (
	id VARCHAR(64) NOT NULL, 
	catalog VARCHAR(200) NOT NULL, 
	catalog_file TEXT NOT NULL, 
	catalog_sha256 VARCHAR(64) NOT NULL, 
	state VARCHAR(40) NOT NULL, 
	started DATETIME NOT NULL, 
	ended DATETIME, 
	parameters JSON NOT NULL, 
	summary JSON NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "runs" VALUES('20261121-101932-0ld0ne','demo','/demo.csv','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','completed with flags','2026-11-21 10:19:32.375295','2026-11-21 10:19:32.399457','{"only": []}','{"shots": 2}');
CREATE TABLE schema_version (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "schema_version" VALUES(1);
CREATE TABLE scorecards (
	id INTEGER NOT NULL, 
	run VARCHAR(64) NOT NULL, 
	candidate VARCHAR(64) NOT NULL, 
	checks VARCHAR(64) NOT NULL, 
	passed BOOLEAN NOT NULL, 
	score FLOAT NOT NULL, 
	results JSON NOT NULL, 
	recorded DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (id), 
	FOREIGN KEY(candidate) REFERENCES candidates (id)
);
INSERT INTO "scorecards" VALUES(1,'20261121-101932-0ld0ne','bdb04931c594467d','checks-1',1,0.9,'[{"check": "text", "version": "2", "verdict": "pass", "score": 0.9, "threshold": 0.6, "sentence": "reads top to bottom", "evidence": [], "milliseconds": 0.0}]','2026-11-21 10:19:32.390068');
CREATE TABLE selects (
	id INTEGER NOT NULL, 
	run VARCHAR(64) NOT NULL, 
	shot VARCHAR(400) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	candidate VARCHAR(64) NOT NULL, 
	scorecard INTEGER NOT NULL, 
	decision INTEGER NOT NULL, 
	recorded DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (id), 
	FOREIGN KEY(candidate) REFERENCES candidates (id), 
	FOREIGN KEY(scorecard) REFERENCES scorecards (id), 
	FOREIGN KEY(decision) REFERENCES decisions (id)
);
INSERT INTO "selects" VALUES(1,'20261121-101932-0ld0ne','A1/table/hero','0dbc347945ff606c','bdb04931c594467d',1,1,'2026-11-21 10:19:32.393017');
CREATE TABLE shot_states (
	shot VARCHAR(400) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	checks VARCHAR(64) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	candidate VARCHAR(64) NOT NULL, 
	reason VARCHAR(100) NOT NULL, 
	sentence TEXT NOT NULL, 
	decided VARCHAR(200) NOT NULL, 
	run VARCHAR(64) NOT NULL, 
	PRIMARY KEY (shot, fingerprint), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "shot_states" VALUES('B1/table/hero','a223aaabf2f7721f','','flagged','','row','Row 2, SKU B1: model is missing.','','20261121-101932-0ld0ne');
INSERT INTO "shot_states" VALUES('A1/table/hero','0dbc347945ff606c','checks-1','published','bdb04931c594467d','','','checks','20261121-101932-0ld0ne');
CREATE TABLE shots (
	catalog VARCHAR(200) NOT NULL, 
	"key" VARCHAR(400) NOT NULL, 
	sku VARCHAR(200) NOT NULL, 
	title TEXT NOT NULL, 
	scene VARCHAR(200) NOT NULL, 
	"view" VARCHAR(40) NOT NULL, 
	"row" INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	model TEXT NOT NULL, 
	product VARCHAR(16) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	checks VARCHAR(64) NOT NULL, 
	parts JSON NOT NULL, 
	run VARCHAR(64) NOT NULL, 
	PRIMARY KEY (catalog, "key"), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "shots" VALUES('demo','B1/table/hero','B1','a bag','table','hero',2,0,'','','a223aaabf2f7721f','','{}','20261121-101932-0ld0ne');
INSERT INTO "shots" VALUES('demo','A1/table/hero','A1','red shoe','table','hero',1,0,'/3d/shoe.glb','47b802243bdba52d','0dbc347945ff606c','checks-1','{"the 3D model": "m1", "the title": "t1"}','20261121-101932-0ld0ne');
CREATE TABLE stations (
	id INTEGER NOT NULL, 
	run VARCHAR(64) NOT NULL, 
	station VARCHAR(100) NOT NULL, 
	items INTEGER NOT NULL, 
	seconds FLOAT NOT NULL, 
	recorded DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (id)
);
INSERT INTO "stations" VALUES(1,'20261121-101932-0ld0ne','candidates',1,1.5,'2026-11-21 10:19:32.398883');
CREATE INDEX ix_runs_catalog ON runs (catalog);
CREATE INDEX ix_products_sku ON products (catalog, sku);
CREATE INDEX ix_shots_run ON shots (run);
CREATE INDEX ix_candidates_shot ON candidates (shot, fingerprint);
CREATE INDEX ix_decisions_shot ON decisions (shot, fingerprint);
CREATE INDEX ix_flags_shot ON flags (shot, fingerprint);
CREATE INDEX ix_releases_catalog ON releases (catalog);
CREATE INDEX ix_stations_run ON stations (run);
CREATE INDEX ix_scorecards_candidate ON scorecards (candidate);
CREATE INDEX ix_publications_shot ON publications (shot, fingerprint);
CREATE INDEX ix_selects_shot ON selects (shot, fingerprint);
CREATE TRIGGER scorecards_no_update BEFORE UPDATE ON scorecards BEGIN SELECT RAISE(ABORT, 'scorecards is history: append, never change'); END;
CREATE TRIGGER scorecards_no_delete BEFORE DELETE ON scorecards BEGIN SELECT RAISE(ABORT, 'scorecards is history: append, never change'); END;
CREATE TRIGGER decisions_no_update BEFORE UPDATE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions is history: append, never change'); END;
CREATE TRIGGER decisions_no_delete BEFORE DELETE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions is history: append, never change'); END;
CREATE TRIGGER selects_no_update BEFORE UPDATE ON selects BEGIN SELECT RAISE(ABORT, 'selects is history: append, never change'); END;
CREATE TRIGGER selects_no_delete BEFORE DELETE ON selects BEGIN SELECT RAISE(ABORT, 'selects is history: append, never change'); END;
CREATE TRIGGER flags_no_update BEFORE UPDATE ON flags BEGIN SELECT RAISE(ABORT, 'flags is history: append, never change'); END;
CREATE TRIGGER flags_no_delete BEFORE DELETE ON flags BEGIN SELECT RAISE(ABORT, 'flags is history: append, never change'); END;
CREATE TRIGGER publications_no_update BEFORE UPDATE ON publications BEGIN SELECT RAISE(ABORT, 'publications is history: append, never change'); END;
CREATE TRIGGER publications_no_delete BEFORE DELETE ON publications BEGIN SELECT RAISE(ABORT, 'publications is history: append, never change'); END;
CREATE TRIGGER releases_no_update BEFORE UPDATE ON releases BEGIN SELECT RAISE(ABORT, 'releases is history: append, never change'); END;
CREATE TRIGGER releases_no_delete BEFORE DELETE ON releases BEGIN SELECT RAISE(ABORT, 'releases is history: append, never change'); END;
CREATE TRIGGER release_items_no_update BEFORE UPDATE ON release_items BEGIN SELECT RAISE(ABORT, 'release_items is history: append, never change'); END;
CREATE TRIGGER release_items_no_delete BEFORE DELETE ON release_items BEGIN SELECT RAISE(ABORT, 'release_items is history: append, never change'); END;
CREATE TRIGGER stations_no_update BEFORE UPDATE ON stations BEGIN SELECT RAISE(ABORT, 'stations is history: append, never change'); END;
CREATE TRIGGER stations_no_delete BEFORE DELETE ON stations BEGIN SELECT RAISE(ABORT, 'stations is history: append, never change'); END;
CREATE TRIGGER products_no_update BEFORE UPDATE ON products BEGIN SELECT RAISE(ABORT, 'products is history: append, never change'); END;
CREATE TRIGGER products_no_delete BEFORE DELETE ON products BEGIN SELECT RAISE(ABORT, 'products is history: append, never change'); END;
COMMIT;
