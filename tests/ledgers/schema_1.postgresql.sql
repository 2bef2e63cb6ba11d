-- A ledger as Packline wrote it on PostgreSQL when its schema had the number 1, before Alembic.
CREATE TABLE public.candidates (
    id character varying(64) NOT NULL,
    run character varying(64) NOT NULL,
    shot character varying(400) NOT NULL,
    fingerprint character varying(64) NOT NULL,
    wave integer NOT NULL,
    number integer NOT NULL,
    seed integer NOT NULL,
    prompt text NOT NULL,
    recipe json NOT NULL,
    picture text NOT NULL,
    edit text NOT NULL,
    truth text NOT NULL,
    seconds double precision NOT NULL,
    cost double precision NOT NULL,
    recorded timestamp with time zone NOT NULL
);
CREATE TABLE public.catalogs (
    name character varying(200) NOT NULL,
    run character varying(64) NOT NULL
);
CREATE TABLE public.decisions (
    id integer NOT NULL,
    run character varying(64) NOT NULL,
    shot character varying(400) NOT NULL,
    fingerprint character varying(64) NOT NULL,
    candidate character varying(64) NOT NULL,
    decision character varying(20) NOT NULL,
    by character varying(200) NOT NULL,
    words text NOT NULL,
    recorded timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.decisions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.decisions_id_seq OWNED BY public.decisions.id;
CREATE TABLE public.flags (
    id integer NOT NULL,
    run character varying(64) NOT NULL,
    shot character varying(400) NOT NULL,
    fingerprint character varying(64) NOT NULL,
    checks character varying(64) NOT NULL,
    reason character varying(100) NOT NULL,
    sentence text NOT NULL,
    recorded timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.flags_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.flags_id_seq OWNED BY public.flags.id;
CREATE TABLE public.loras (
    label character varying(200) NOT NULL,
    sha256 character varying(64) NOT NULL,
    trigger text NOT NULL,
    recorded timestamp with time zone NOT NULL
);
CREATE TABLE public.products (
    digest character varying(16) NOT NULL,
    catalog character varying(200) NOT NULL,
    sku character varying(200) NOT NULL,
    "row" integer NOT NULL,
    title text NOT NULL,
    model text NOT NULL,
    placements json NOT NULL,
    labels json NOT NULL,
    lora character varying(200) NOT NULL,
    lora_strength double precision,
    run character varying(64) NOT NULL,
    recorded timestamp with time zone NOT NULL
);
CREATE TABLE public.publications (
    id integer NOT NULL,
    run character varying(64) NOT NULL,
    shot character varying(400) NOT NULL,
    fingerprint character varying(64) NOT NULL,
    candidate character varying(64) NOT NULL,
    use character varying(40) NOT NULL,
    key text NOT NULL,
    sha256 character varying(64) NOT NULL,
    size integer NOT NULL,
    recorded timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.publications_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.publications_id_seq OWNED BY public.publications.id;
CREATE TABLE public."references" (
    shot character varying(400) NOT NULL,
    fingerprint character varying(64) NOT NULL,
    view character varying(100) NOT NULL,
    folder text NOT NULL,
    recorded timestamp with time zone NOT NULL
);
CREATE TABLE public.release_items (
    release integer NOT NULL,
    shot character varying(400) NOT NULL,
    use character varying(40) NOT NULL,
    sku character varying(200) NOT NULL,
    title text NOT NULL,
    scene character varying(200) NOT NULL,
    view character varying(40) NOT NULL,
    candidate character varying(64) NOT NULL,
    key text NOT NULL,
    sha256 character varying(64) NOT NULL,
    size integer NOT NULL,
    lineage json NOT NULL
);
CREATE TABLE public.releases (
    id integer NOT NULL,
    run character varying(64) NOT NULL,
    catalog character varying(200) NOT NULL,
    environment character varying(40) NOT NULL,
    manifest text NOT NULL,
    pointer text NOT NULL,
    sha256 character varying(64) NOT NULL,
    recorded timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.releases_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.releases_id_seq OWNED BY public.releases.id;
CREATE TABLE public.runs (
    id character varying(64) NOT NULL,
    catalog character varying(200) NOT NULL,
    catalog_file text NOT NULL,
    catalog_sha256 character varying(64) NOT NULL,
    state character varying(40) NOT NULL,
    started timestamp with time zone NOT NULL,
    ended timestamp with time zone,
    parameters json NOT NULL,
    summary json NOT NULL
);
CREATE TABLE public.schema_version (
    version integer NOT NULL
);
CREATE SEQUENCE public.schema_version_version_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.schema_version_version_seq OWNED BY public.schema_version.version;
CREATE TABLE public.scorecards (
    id integer NOT NULL,
    run character varying(64) NOT NULL,
    candidate character varying(64) NOT NULL,
    checks character varying(64) NOT NULL,
    passed boolean NOT NULL,
    score double precision NOT NULL,
    results json NOT NULL,
    recorded timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.scorecards_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.scorecards_id_seq OWNED BY public.scorecards.id;
CREATE TABLE public.selects (
    id integer NOT NULL,
    run character varying(64) NOT NULL,
    shot character varying(400) NOT NULL,
    fingerprint character varying(64) NOT NULL,
    candidate character varying(64) NOT NULL,
    scorecard integer NOT NULL,
    decision integer NOT NULL,
    recorded timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.selects_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.selects_id_seq OWNED BY public.selects.id;
CREATE TABLE public.shot_states (
    shot character varying(400) NOT NULL,
    fingerprint character varying(64) NOT NULL,
    checks character varying(64) NOT NULL,
    state character varying(20) NOT NULL,
    candidate character varying(64) NOT NULL,
    reason character varying(100) NOT NULL,
    sentence text NOT NULL,
    decided character varying(200) NOT NULL,
    run character varying(64) NOT NULL
);
CREATE TABLE public.shots (
    catalog character varying(200) NOT NULL,
    key character varying(400) NOT NULL,
    sku character varying(200) NOT NULL,
    title text NOT NULL,
    scene character varying(200) NOT NULL,
    view character varying(40) NOT NULL,
    "row" integer NOT NULL,
    "position" integer NOT NULL,
    model text NOT NULL,
    product character varying(16) NOT NULL,
    fingerprint character varying(64) NOT NULL,
    checks character varying(64) NOT NULL,
    parts json NOT NULL,
    run character varying(64) NOT NULL
);
CREATE TABLE public.stations (
    id integer NOT NULL,
    run character varying(64) NOT NULL,
    station character varying(100) NOT NULL,
    items integer NOT NULL,
    seconds double precision NOT NULL,
    recorded timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.stations_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.stations_id_seq OWNED BY public.stations.id;
ALTER TABLE ONLY public.decisions ALTER COLUMN id SET DEFAULT nextval('public.decisions_id_seq'::regclass);
ALTER TABLE ONLY public.flags ALTER COLUMN id SET DEFAULT nextval('public.flags_id_seq'::regclass);
ALTER TABLE ONLY public.publications ALTER COLUMN id SET DEFAULT nextval('public.publications_id_seq'::regclass);
ALTER TABLE ONLY public.releases ALTER COLUMN id SET DEFAULT nextval('public.releases_id_seq'::regclass);
ALTER TABLE ONLY public.schema_version ALTER COLUMN version SET DEFAULT nextval('public.schema_version_version_seq'::regclass);
ALTER TABLE ONLY public.scorecards ALTER COLUMN id SET DEFAULT nextval('public.scorecards_id_seq'::regclass);
ALTER TABLE ONLY public.selects ALTER COLUMN id SET DEFAULT nextval('public.selects_id_seq'::regclass);
ALTER TABLE ONLY public.stations ALTER COLUMN id SET DEFAULT nextval('public.stations_id_seq'::regclass);
INSERT INTO public.candidates VALUES ('bdb04931c594467d', '20261121-102624-0ld0ne', 'A1/table/hero', '0dbc347945ff606c', 1, 0, 2000000123, 'put the red shoe into image 1', '{"shot": "A1/table/hero", "fingerprint": "0dbc347945ff606c", "wave": 1, "number": 0, "seed": 2000000123, "prompt": "put the red shoe into image 1", "references": ["r1"], "engine": {"name": "embedded", "steps": 4}, "loras": [{"label": "warm", "sha256": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "strength": 0.8, "trigger": "warm style"}], "variation": {}, "refine": "off"}', '/work/candidates/p.png', '/work/candidates/e.png', '/work/references/r1', 1.5, 0.02, '2026-11-21 10:26:24.79537+00');
INSERT INTO public.catalogs VALUES ('demo', '20261121-102624-0ld0ne');
INSERT INTO public.decisions VALUES (1, '20261121-102624-0ld0ne', 'A1/table/hero', '0dbc347945ff606c', 'bdb04931c594467d', 'approve', 'checks', '', '2026-11-21 10:26:24.804937+00');
INSERT INTO public.flags VALUES (1, '20261121-102624-0ld0ne', 'B1/table/hero', 'a223aaabf2f7721f', '', 'row', 'Row 2, SKU B1: model is missing.', '2026-11-21 10:26:24.787261+00');
INSERT INTO public.loras VALUES ('warm', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'warm style', '2026-11-21 10:26:24.796336+00');
INSERT INTO public.products VALUES ('47b802243bdba52d', 'demo', 'A1', 1, 'red shoe', '/3d/shoe.glb', '[["table", "hero"]]', '{"E LOVE": "top to bottom"}', '', NULL, '20261121-102624-0ld0ne', '2026-11-21 10:26:24.781019+00');
INSERT INTO public.publications VALUES (1, '20261121-102624-0ld0ne', 'A1/table/hero', '0dbc347945ff606c', 'bdb04931c594467d', 'hero', 'k.png', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 9, '2026-11-21 10:26:24.827975+00');
INSERT INTO public."references" VALUES ('A1/table/hero', '0dbc347945ff606c', 'scene', '/work/references/r1', '2026-11-21 10:26:24.793706+00');
INSERT INTO public.release_items VALUES (1, 'A1/table/hero', 'hero', 'A1', 'red shoe', 'table', 'hero', 'bdb04931c594467d', 'k.png', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 9, '{"seed": 2000000123}');
INSERT INTO public.releases VALUES (1, '20261121-102624-0ld0ne', 'demo', 'prod', 'm1.json', 'prod.json', '1111111111111111111111111111111111111111111111111111111111111111', '2026-11-21 10:26:24.833274+00');
INSERT INTO public.runs VALUES ('20261121-102624-0ld0ne', 'demo', '/demo.csv', 'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc', 'completed with flags', '2026-11-21 10:26:24.777002+00', '2026-11-21 10:26:24.83663+00', '{"only": []}', '{"shots": 2}');
INSERT INTO public.schema_version VALUES (1);
INSERT INTO public.scorecards VALUES (1, '20261121-102624-0ld0ne', 'bdb04931c594467d', 'checks-1', true, 0.9, '[{"check": "text", "version": "2", "verdict": "pass", "score": 0.9, "threshold": 0.6, "sentence": "reads top to bottom", "evidence": [], "milliseconds": 0.0}]', '2026-11-21 10:26:24.797293+00');
INSERT INTO public.selects VALUES (1, '20261121-102624-0ld0ne', 'A1/table/hero', '0dbc347945ff606c', 'bdb04931c594467d', 1, 1, '2026-11-21 10:26:24.806173+00');
INSERT INTO public.shot_states VALUES ('B1/table/hero', 'a223aaabf2f7721f', '', 'flagged', '', 'row', 'Row 2, SKU B1: model is missing.', '', '20261121-102624-0ld0ne');
INSERT INTO public.shot_states VALUES ('A1/table/hero', '0dbc347945ff606c', 'checks-1', 'published', 'bdb04931c594467d', '', '', 'checks', '20261121-102624-0ld0ne');
INSERT INTO public.shots VALUES ('demo', 'B1/table/hero', 'B1', 'a bag', 'table', 'hero', 2, 0, '', '', 'a223aaabf2f7721f', '', '{}', '20261121-102624-0ld0ne');
INSERT INTO public.shots VALUES ('demo', 'A1/table/hero', 'A1', 'red shoe', 'table', 'hero', 1, 0, '/3d/shoe.glb', '47b802243bdba52d', '0dbc347945ff606c', 'checks-1', '{"the 3D model": "m1", "the title": "t1"}', '20261121-102624-0ld0ne');
INSERT INTO public.stations VALUES (1, '20261121-102624-0ld0ne', 'candidates', 1, 1.5, '2026-11-21 10:26:24.835499+00');
SELECT pg_catalog.setval('public.decisions_id_seq', 1, true);
SELECT pg_catalog.setval('public.flags_id_seq', 1, true);
SELECT pg_catalog.setval('public.publications_id_seq', 1, true);
SELECT pg_catalog.setval('public.releases_id_seq', 1, true);
SELECT pg_catalog.setval('public.schema_version_version_seq', 1, false);
SELECT pg_catalog.setval('public.scorecards_id_seq', 1, true);
SELECT pg_catalog.setval('public.selects_id_seq', 1, true);
SELECT pg_catalog.setval('public.stations_id_seq', 1, true);
ALTER TABLE ONLY public.candidates
    ADD CONSTRAINT candidates_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.catalogs
    ADD CONSTRAINT catalogs_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.decisions
    ADD CONSTRAINT decisions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.flags
    ADD CONSTRAINT flags_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.loras
    ADD CONSTRAINT loras_pkey PRIMARY KEY (label, sha256);
ALTER TABLE ONLY public.products
    ADD CONSTRAINT products_pkey PRIMARY KEY (digest);
ALTER TABLE ONLY public.publications
    ADD CONSTRAINT publications_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public."references"
    ADD CONSTRAINT references_pkey PRIMARY KEY (shot, fingerprint, view);
ALTER TABLE ONLY public.release_items
    ADD CONSTRAINT release_items_pkey PRIMARY KEY (release, shot, use);
ALTER TABLE ONLY public.releases
    ADD CONSTRAINT releases_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.schema_version
    ADD CONSTRAINT schema_version_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.scorecards
    ADD CONSTRAINT scorecards_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.selects
    ADD CONSTRAINT selects_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.shot_states
    ADD CONSTRAINT shot_states_pkey PRIMARY KEY (shot, fingerprint);
ALTER TABLE ONLY public.shots
    ADD CONSTRAINT shots_pkey PRIMARY KEY (catalog, key);
ALTER TABLE ONLY public.stations
    ADD CONSTRAINT stations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.publications
    ADD CONSTRAINT uq_publications UNIQUE (candidate, use, key);
CREATE INDEX ix_candidates_shot ON public.candidates USING btree (shot, fingerprint);
CREATE INDEX ix_decisions_shot ON public.decisions USING btree (shot, fingerprint);
CREATE INDEX ix_flags_shot ON public.flags USING btree (shot, fingerprint);
CREATE INDEX ix_products_sku ON public.products USING btree (catalog, sku);
CREATE INDEX ix_publications_shot ON public.publications USING btree (shot, fingerprint);
CREATE INDEX ix_releases_catalog ON public.releases USING btree (catalog);
CREATE INDEX ix_runs_catalog ON public.runs USING btree (catalog);
CREATE INDEX ix_scorecards_candidate ON public.scorecards USING btree (candidate);
CREATE INDEX ix_selects_shot ON public.selects USING btree (shot, fingerprint);
CREATE INDEX ix_shots_run ON public.shots USING btree (run);
CREATE INDEX ix_stations_run ON public.stations USING btree (run);
ALTER TABLE ONLY public.candidates
    ADD CONSTRAINT candidates_run_fkey FOREIGN KEY (run) REFERENCES public.runs(id);
ALTER TABLE ONLY public.catalogs
    ADD CONSTRAINT catalogs_run_fkey FOREIGN KEY (run) REFERENCES public.runs(id);
ALTER TABLE ONLY public.decisions
    ADD CONSTRAINT decisions_run_fkey FOREIGN KEY (run) REFERENCES public.runs(id);
ALTER TABLE ONLY public.flags
    ADD CONSTRAINT flags_run_fkey FOREIGN KEY (run) REFERENCES public.runs(id);
ALTER TABLE ONLY public.products
    ADD CONSTRAINT products_run_fkey FOREIGN KEY (run) REFERENCES public.runs(id);
ALTER TABLE ONLY public.publications
    ADD CONSTRAINT publications_candidate_fkey FOREIGN KEY (candidate) REFERENCES public.candidates(id);
ALTER TABLE ONLY public.publications
    ADD CONSTRAINT publications_run_fkey FOREIGN KEY (run) REFERENCES public.runs(id);
ALTER TABLE ONLY public.release_items
    ADD CONSTRAINT release_items_release_fkey FOREIGN KEY (release) REFERENCES public.releases(id);
ALTER TABLE ONLY public.releases
    ADD CONSTRAINT releases_run_fkey FOREIGN KEY (run) REFERENCES public.runs(id);
ALTER TABLE ONLY public.scorecards
    ADD CONSTRAINT scorecards_candidate_fkey FOREIGN KEY (candidate) REFERENCES public.candidates(id);
ALTER TABLE ONLY public.scorecards
    ADD CONSTRAINT scorecards_run_fkey FOREIGN KEY (run) REFERENCES public.runs(id);
ALTER TABLE ONLY public.selects
    ADD CONSTRAINT selects_candidate_fkey FOREIGN KEY (candidate) REFERENCES public.candidates(id);
ALTER TABLE ONLY public.selects
    ADD CONSTRAINT selects_decision_fkey FOREIGN KEY (decision) REFERENCES public.decisions(id);
ALTER TABLE ONLY public.selects
    ADD CONSTRAINT selects_run_fkey FOREIGN KEY (run) REFERENCES public.runs(id);
ALTER TABLE ONLY public.selects
    ADD CONSTRAINT selects_scorecard_fkey FOREIGN KEY (scorecard) REFERENCES public.scorecards(id);
ALTER TABLE ONLY public.shot_states
    ADD CONSTRAINT shot_states_run_fkey FOREIGN KEY (run) REFERENCES public.runs(id);
ALTER TABLE ONLY public.shots
    ADD CONSTRAINT shots_run_fkey FOREIGN KEY (run) REFERENCES public.runs(id);
ALTER TABLE ONLY public.stations
    ADD CONSTRAINT stations_run_fkey FOREIGN KEY (run) REFERENCES public.runs(id);
