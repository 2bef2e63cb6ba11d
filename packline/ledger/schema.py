"""The ledger's tables.

History (scorecards, selects, flags, decisions, publications, releases, stations) is append-only, and the
database itself refuses to change it. `shots` and `shot_states` are the present, drawn from that history.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()


def now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


def _when() -> Column[datetime]:
    return Column("recorded", DateTime(timezone=True), nullable=False, default=now)


# a Packline from before revisions finds a number here that it does not know, and says so
schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

runs = Table(
    "runs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("catalog", String(200), nullable=False, index=True),
    Column("catalog_file", Text, nullable=False, default=""),
    Column("catalog_sha256", String(64), nullable=False, default=""),
    Column("state", String(40), nullable=False),
    Column("started", DateTime(timezone=True), nullable=False),
    Column("ended", DateTime(timezone=True)),
    Column("parameters", JSON, nullable=False),
    Column("summary", JSON, nullable=False),
)

# which run works on a catalog, who that is, and until when that counts without another sign of life
leases = Table(
    "leases",
    metadata,
    Column("catalog", String(200), primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False),
    Column("host", String(200), nullable=False),
    Column("place", String(200), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("born", String(40), nullable=False),
    Column("taken", DateTime(timezone=True), nullable=False),
    Column("seen", DateTime(timezone=True), nullable=False),
    Column("until", DateTime(timezone=True), nullable=False),
)

# which run planned a catalog last
catalogs = Table(
    "catalogs",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False),
)

# every version of a catalog row that was ever seen, by its content
products = Table(
    "products",
    metadata,
    Column("digest", String(16), primary_key=True),
    Column("catalog", String(200), nullable=False),
    Column("sku", String(200), nullable=False),
    Column("row", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("placements", JSON, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("lora", String(200), nullable=False),
    Column("variant", String(200), nullable=False, server_default=""),
    Column("truth", Text, nullable=False, server_default=""),
    Column("run", ForeignKey("runs.id"), nullable=False),
    _when(),
    # of the LoRAs in `lora` ("warm + noir"), in their order; null and what is absent: the preset's own
    Column("strengths", JSON(none_as_null=True)),
    Index("ix_products_sku", "catalog", "sku"),
)

shots = Table(
    "shots",
    metadata,
    Column("catalog", String(200), primary_key=True),
    Column("key", String(400), primary_key=True),
    Column("sku", String(200), nullable=False),
    Column("title", Text, nullable=False),
    Column("scene", String(200), nullable=False),
    Column("view", String(40), nullable=False),
    Column("row", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("model", Text, nullable=False),
    Column("product", String(16), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("checks", String(64), nullable=False),
    Column("parts", JSON, nullable=False),
    # which run planned it last
    Column("run", ForeignKey("runs.id"), nullable=False, index=True),
    # which run no longer found it in the catalog; empty: it is of the catalog's present (`reading.present`)
    Column("gone", String(64), nullable=False, server_default=""),
    Index("ix_shots_order", "catalog", "gone", "row", "position"),
    Index("ix_shots_sku", "catalog", "sku"),
)

# what a run has to do for which shot, and how far it is; the stations take their chunks from here. Only the
# catalog's last run has rows.
work = Table(
    "work",
    metadata,
    Column("run", ForeignKey("runs.id"), primary_key=True),
    Column("shot", String(400), primary_key=True),
    Column("row", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("work", String(20), nullable=False),
    Column("why", Text, nullable=False),
    # number of its first candidate in this wave
    Column("first", Integer, nullable=False),
    Column("wave", Integer, nullable=False),
    Column("stage", String(20), nullable=False),
    # of its present wave; 0: it was not decided yet
    Column("size", Integer, nullable=False, server_default="0"),
    Column("rung", String(40), nullable=False, server_default=""),
    Index("ix_work_next", "run", "work", "wave", "stage", "row", "position"),
)

# every wave of candidates that was ever asked for, written down before any of them is made, so that a run
# which takes up from a killed one makes what that one would have made. A round begins with number 1.
waves = Table(
    "waves",
    metadata,
    Column("shot", String(400), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    # number of its first candidate, and how many there are
    Column("first", Integer, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("rung", String(40), nullable=False),
)

# how often a candidate passed, by what its shot had seen before under the same checks, engine and rung: the
# present, counted as scorecards are recorded (packline.pass_rates says why that is all there is to learn)
pass_tallies = Table(
    "pass_tallies",
    metadata,
    Column("catalog", String(200), primary_key=True),
    Column("checks", String(64), primary_key=True),
    Column("engine", String(100), primary_key=True),
    Column("rung", String(40), primary_key=True),
    Column("kind", String(200), primary_key=True),
    Column("style", Text, primary_key=True),
    Column("passes", Integer, primary_key=True),
    Column("fails", Integer, primary_key=True),
    Column("tried", Integer, nullable=False),
    Column("passed", Integer, nullable=False),
)

# the usable rows of each catalog as its last plan read them: a digest of the row's text and of every file
# that it names. A row whose digest is the same owes what it owed.
catalog_rows = Table(
    "catalog_rows",
    metadata,
    Column("catalog", String(200), primary_key=True),
    Column("sku", String(200), primary_key=True),
    Column("digest", BigInteger, nullable=False),
    Column("row", Integer, nullable=False),
)

# what people had asked for where a shot was last planned (`instructions` is what they ask for now)
obeyed = Table(
    "obeyed",
    metadata,
    Column("catalog", String(200), primary_key=True),
    Column("shot", String(400), primary_key=True),
    Column("decision", Integer, nullable=False),
    Column("data", JSON, nullable=False),
)

# digests of models with all files that belong to them, trusted for as long as the files' state is the same
assets = Table(
    "assets",
    metadata,
    Column("path", Text, primary_key=True),
    # the sidecar where a row names one
    Column("truth", Text, primary_key=True),
    Column("digest", String(64), nullable=False),
    # path, size, mtime and ctime in nanoseconds, inode of each
    Column("files", JSON, nullable=False),
    # what may be the name of another file
    Column("names", JSON, nullable=False),
    # nanoseconds since 1970, from before the files were read
    Column("checked", BigInteger, nullable=False),
)

# where a shot stands at one fingerprint; a shot that changes back finds its old state
shot_states = Table(
    "shot_states",
    metadata,
    Column("shot", String(400), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    Column("checks", String(64), nullable=False),
    Column("state", String(20), nullable=False),
    Column("candidate", String(64), nullable=False, default=""),
    Column("reason", String(100), nullable=False, default=""),
    Column("sentence", Text, nullable=False, default=""),
    Column("decided", String(200), nullable=False, default=""),
    Column("run", ForeignKey("runs.id"), nullable=False),
)

references = Table(
    "references",
    metadata,
    Column("shot", String(400), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    Column("view", String(100), primary_key=True),
    Column("folder", Text, nullable=False),
    _when(),
)

# what a person should know of a shot's references: approximations, text too small to read
notes = Table(
    "notes",
    metadata,
    Column("shot", String(400), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("sentence", Text, nullable=False),
    _when(),
)

candidates = Table(
    "candidates",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False),
    Column("shot", String(400), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("wave", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("recipe", JSON, nullable=False),
    Column("picture", Text, nullable=False),
    Column("edit", Text, nullable=False),
    Column("truth", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("cost", Float, nullable=False),
    _when(),
    Index("ix_candidates_shot", "shot", "fingerprint"),
    Index("ix_candidates_run", "run", "recorded"),
    Index("ix_candidates_cost", "run", "cost", "seconds"),
)

# every LoRA file that a candidate was made with, as it was then
loras = Table(
    "loras",
    metadata,
    Column("label", String(200), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("trigger", Text, nullable=False),
    _when(),
)

# every version of each catalog's LoRA presets: what the list said, and what was found in the file
presets = Table(
    "presets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("catalog", String(200), nullable=False),
    Column("label", String(200), nullable=False),
    # over content, sha256, architecture and sentence
    Column("digest", String(16), nullable=False),
    # the list that it was read from
    Column("file", Text, nullable=False),
    Column("content", JSON, nullable=False),
    # of the LoRA's file, and the model that its tensors fit; empty where it cannot be read
    Column("sha256", String(64), nullable=False),
    Column("architecture", String(40), nullable=False),
    # what keeps it from use; empty where nothing does
    Column("sentence", Text, nullable=False),
    # no longer in the list
    Column("gone", Boolean, nullable=False),
    # a run, or a person
    Column("by", String(200), nullable=False),
    _when(),
    Index("ix_presets_label", "catalog", "label", "id"),
)

# which version of a preset each LoRA of a candidate was
candidate_loras = Table(
    "candidate_loras",
    metadata,
    Column("candidate", ForeignKey("candidates.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("preset", ForeignKey("presets.id"), nullable=False),
    Index("ix_candidate_loras_preset", "preset"),
)

# what a preset was seen to do: mean CIEDE2000 and share of changed pixels, with it against without
preset_effects = Table(
    "preset_effects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("preset", ForeignKey("presets.id"), nullable=False),
    Column("engine", JSON, nullable=False),
    Column("shot", String(400), nullable=False),
    Column("prompt", Text, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("strength", Float, nullable=False),
    Column("difference", Float, nullable=False),
    Column("changed", Float, nullable=False),
    # the same with the trigger words left out, and what the words do without the LoRA; none has no trigger
    Column("untriggered", Float),
    Column("untriggered_changed", Float),
    Column("words_alone", Float),
    # the difference that was asked for
    Column("least", Float, nullable=False),
    Column("works", Boolean, nullable=False),
    # where the pictures lie
    Column("folder", Text, nullable=False),
    Column("by", String(200), nullable=False),
    _when(),
    Index("ix_preset_effects_preset", "preset", "id"),
)

scorecards = Table(
    "scorecards",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False),
    Column("candidate", ForeignKey("candidates.id"), nullable=False, index=True),
    Column("checks", String(64), nullable=False),
    Column("passed", Boolean, nullable=False),
    Column("score", Float, nullable=False),
    Column("results", JSON, nullable=False),
    _when(),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False),
    Column("shot", String(400), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("candidate", String(64), nullable=False),
    Column("decision", String(20), nullable=False),
    Column("by", String(200), nullable=False),
    Column("words", Text, nullable=False, default=""),
    _when(),
    # of a person's decision: from where to where, under what, and how to take it back
    Column("catalog", String(200), nullable=False, server_default=""),
    Column("before", String(20), nullable=False, server_default=""),
    Column("after", String(20), nullable=False, server_default=""),
    Column("tags", JSON(none_as_null=True)),
    Column("scorecard", Integer),
    Column("scores", JSON(none_as_null=True)),
    Column("checks", String(64), nullable=False, server_default=""),
    Column("asked", JSON(none_as_null=True)),
    Column("kept", JSON(none_as_null=True)),
    Column("undoes", Integer),
    Column("batch", String(32), nullable=False, server_default=""),
    Index("ix_decisions_shot", "shot", "fingerprint"),
    Index("ix_decisions_undoes", "undoes"),
    Index("ix_decisions_batch", "batch"),
    Index("ix_decisions_by", "by", "id"),
    Index("ix_decisions_catalog", "catalog", "recorded"),
)

# what people asked of a shot's next candidates; the present, drawn from the decisions
instructions = Table(
    "instructions",
    metadata,
    Column("catalog", String(200), primary_key=True),
    Column("shot", String(400), primary_key=True),
    Column("data", JSON, nullable=False),
    Column("decision", Integer, nullable=False),
)

# the shots that wait for a person or were settled by one, as the review desk lists them: the present, drawn
# from shots, shot_states, flags and decisions, so that every list and count of the desk is one index's
review_queue = Table(
    "review_queue",
    metadata,
    Column("catalog", String(200), primary_key=True),
    Column("shot", String(400), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status", String(10), nullable=False),
    Column("rank", Integer, nullable=False),
    Column("flagged", DateTime(timezone=True), nullable=False),
    Column("sku", String(200), nullable=False),
    # by code points, so that "begins with" is a range of the index on either database
    Column("sku_lower", String(200).with_variant(String(200, collation="C"), "postgresql"), nullable=False),
    Column("title", Text, nullable=False),
    Column("scene", String(200), nullable=False),
    Column("view", String(40), nullable=False),
    Column("lora", String(200), nullable=False),
    Column("run", String(64), nullable=False),
    Column("reason", String(100), nullable=False),
    Column("sentence", Text, nullable=False),
    Column("assignee", String(200), nullable=False, server_default=""),
    Column("decision", Integer),
    Index("ix_review_queue_order", "status", "rank", "flagged", "shot", "catalog"),
    Index("ix_review_queue_catalog", "status", "catalog", "rank", "flagged", "shot"),
    Index("ix_review_queue_reason", "status", "reason", "rank", "flagged", "shot", "catalog"),
    Index("ix_review_queue_lora", "status", "lora", "rank", "flagged", "shot", "catalog"),
    Index("ix_review_queue_run", "status", "run", "rank", "flagged", "shot", "catalog"),
    Index("ix_review_queue_assignee", "status", "assignee", "rank", "flagged", "shot", "catalog"),
    Index("ix_review_queue_sku", "status", "sku_lower"),
    Index("ix_review_queue_decision", "decision"),
)

# who looks at which shot just now; a lease that nobody renews runs out
review_leases = Table(
    "review_leases",
    metadata,
    Column("catalog", String(200), primary_key=True),
    Column("shot", String(400), primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("page", String(40), nullable=False),
    Column("expires", DateTime(timezone=True), nullable=False, index=True),
)

# where each person left off: the filters of the list and the last shot that was opened
review_places = Table(
    "review_places",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("filters", JSON, nullable=False),
    Column("catalog", String(200), nullable=False, server_default=""),
    Column("shot", String(400), nullable=False, server_default=""),
)

# up to which decision Prefect was asked to carry out, by catalog
carry_outs = Table(
    "carry_outs",
    metadata,
    Column("catalog", String(200), primary_key=True),
    Column("decision", Integer, nullable=False),
    Column("sentence", Text, nullable=False, server_default=""),
    Column("reached", Boolean, nullable=False),
    Column("asked", DateTime(timezone=True), nullable=False),
)

# who may come to the review desk; an empty password means that only a proxy can vouch for the person
users = Table(
    "users",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("role", String(20), nullable=False),
    Column("password", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    _when(),
)

# a session is known by the hash of its cookie, so that who reads the ledger cannot take one over
sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False, index=True),
    Column("csrf", String(64), nullable=False),
    Column("begun", DateTime(timezone=True), nullable=False),
    Column("seen", DateTime(timezone=True), nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    _when(),
    Column("event", String(40), nullable=False),
    Column("name", String(200), nullable=False),
    Column("address", String(100), nullable=False),
    Column("subject", Text, nullable=False, server_default=""),
    Index("ix_audit_name", "event", "name", "recorded"),
    Index("ix_audit_address", "event", "address", "recorded"),
)

selects = Table(
    "selects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False),
    Column("shot", String(400), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("candidate", ForeignKey("candidates.id"), nullable=False),
    Column("scorecard", ForeignKey("scorecards.id"), nullable=False),
    Column("decision", ForeignKey("decisions.id"), nullable=False),
    _when(),
    Index("ix_selects_shot", "shot", "fingerprint"),
)

flags = Table(
    "flags",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False),
    Column("shot", String(400), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("checks", String(64), nullable=False),
    Column("reason", String(100), nullable=False),
    Column("sentence", Text, nullable=False),
    _when(),
    Index("ix_flags_shot", "shot", "fingerprint"),
    Index("ix_flags_run", "run", "reason"),
)

# the files that a catalog's settings ask of every select now, by a digest of how each is made
deliveries = Table(
    "deliveries",
    metadata,
    Column("catalog", String(200), primary_key=True),
    Column("use", String(40), primary_key=True),
    Column("delivery", String(16), nullable=False),
)

# where a published picture came from, once for all its files; a file names it by its digest
lineages = Table(
    "lineages",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False),
    Column("candidate", ForeignKey("candidates.id"), nullable=False, index=True),
    Column("data", JSON, nullable=False),
    _when(),
)

publications = Table(
    "publications",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False),
    Column("shot", String(400), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("candidate", ForeignKey("candidates.id"), nullable=False),
    Column("use", String(40), nullable=False),
    Column("key", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    _when(),
    Column("delivery", String(16), nullable=False, server_default=""),
    Column("width", Integer, nullable=False, server_default="0"),
    Column("height", Integer, nullable=False, server_default="0"),
    Column("lineage", String(64), nullable=False, server_default=""),
    UniqueConstraint("candidate", "use", "delivery", "key", name="uq_publications"),
    Index("ix_publications_shot", "shot", "fingerprint"),
    Index("ix_publications_run", "run", "candidate"),
)

# immutable manifests, each once, whichever environments show it
releases = Table(
    "releases",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("catalog", String(200), nullable=False),
    Column("name", String(16), nullable=False),
    Column("manifest", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("parquet", Text, nullable=False),
    Column("parquet_sha256", String(64), nullable=False),
    Column("parquet_size", BigInteger, nullable=False),
    Column("images", Integer, nullable=False),
    Column("files", Integer, nullable=False),
    Column("total", BigInteger, nullable=False),
    # none where it was found in the bucket
    Column("run", ForeignKey("runs.id")),
    _when(),
    UniqueConstraint("catalog", "name", name="uq_releases"),
)

# what a release shows otherwise than the catalog's release before it: a shot's row with the highest release
# up to N is what N shows of it
release_items = Table(
    "release_items",
    metadata,
    Column("catalog", String(200), primary_key=True),
    Column("shot", String(400), primary_key=True),
    Column("release", ForeignKey("releases.id"), primary_key=True),
    Column("gone", Boolean, nullable=False),
    Column("candidate", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("checks", String(64), nullable=False),
    Column("decided", String(200), nullable=False),
    # digest of its files' keys
    Column("files", String(16), nullable=False),
    Column("parts", JSON, nullable=False),
)

# every move of an environment's pointer, noted before it happens, with the SHA-256 of the pointer's bytes
# before (empty: there was none) and after
moves = Table(
    "moves",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("catalog", String(200), nullable=False),
    Column("environment", String(40), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("from_release", ForeignKey("releases.id")),
    Column("to_release", ForeignKey("releases.id"), nullable=False),
    Column("by", String(200), nullable=False),
    Column("why", Text, nullable=False),
    Column("run", ForeignKey("runs.id")),
    Column("pointer", Text, nullable=False),
    Column("before", String(64), nullable=False),
    Column("after", String(64), nullable=False),
    _when(),
    Index("ix_moves_environment", "catalog", "environment"),
)

# what became of a move: moved, held (a rolled back environment was left alone) or void (another was quicker)
move_ends = Table(
    "move_ends",
    metadata,
    Column("move", ForeignKey("moves.id"), primary_key=True),
    Column("outcome", String(20), nullable=False),
    _when(),
)

# which files the ledger knew when an environment's last release was made: the present, for the question
# whether another one is due
release_marks = Table(
    "release_marks",
    metadata,
    Column("catalog", String(200), primary_key=True),
    Column("environment", String(40), primary_key=True),
    Column("release", ForeignKey("releases.id"), nullable=False),
    Column("publication", Integer, nullable=False),
    Column("deliveries", String(16), nullable=False),
)

stations = Table(
    "stations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False, index=True),
    Column("station", String(100), nullable=False),
    Column("items", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    _when(),
)

# how often each check said what in each run's scorecards: the present, counted as they are recorded, because
# a scorecard with its evidence is too much to read only to count it
verdict_tallies = Table(
    "verdict_tallies",
    metadata,
    Column("run", ForeignKey("runs.id"), primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("verdict", String(20), primary_key=True),
    Column("times", Integer, nullable=False),
)

# blind comparisons of two ways to make pictures, known by a digest of the catalog and the two
comparisons = Table(
    "comparisons",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("catalog", String(200), nullable=False),
    Column("first", JSON, nullable=False),
    Column("second", JSON, nullable=False),
    Column("by", String(200), nullable=False),
    _when(),
)

# the shots that both made, with the picture of each that people see
comparison_pairs = Table(
    "comparison_pairs",
    metadata,
    Column("comparison", ForeignKey("comparisons.id"), primary_key=True),
    Column("shot", String(400), primary_key=True),
    Column("sku", String(200), nullable=False),
    Column("scene", String(200), nullable=False),
    Column("first", ForeignKey("candidates.id"), nullable=False),
    Column("second", ForeignKey("candidates.id"), nullable=False),
    # in a shuffled order, 0 to 2**30
    Column("place", Integer, nullable=False),
    _when(),
    Index("ix_comparison_pairs_place", "comparison", "place", "shot"),
)

comparison_votes = Table(
    "comparison_votes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("comparison", ForeignKey("comparisons.id"), nullable=False),
    Column("shot", String(400), nullable=False),
    Column("by", String(200), nullable=False),
    # "first", "second" or "neither"
    Column("choice", String(10), nullable=False),
    # which of the two this person saw on the left
    Column("left", String(10), nullable=False),
    _when(),
    # nobody votes twice on a pair
    UniqueConstraint("comparison", "by", "shot", name="uq_comparison_votes"),
    Index("ix_comparison_votes_shot", "comparison", "shot"),
)

HISTORY = (
    scorecards,
    decisions,
    selects,
    flags,
    publications,
    releases,
    release_items,
    moves,
    move_ends,
    stations,
    products,
    audit,
    lineages,
    comparisons,
    comparison_pairs,
    comparison_votes,
    presets,
    candidate_loras,
    preset_effects,
)
"""Tables that are only ever appended to."""
