#include "meta/migrations.h"

#include <fmt/format.h>

#include <string>

namespace espalier::meta {
namespace {

// Keys, etags and names are TEXT compared as bytes (SQLite's BINARY collation), which is S3's listing order.
constexpr std::string_view kObjects = R"sql(
CREATE TABLE buckets (
    name TEXT NOT NULL PRIMARY KEY,
    region TEXT NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE objects (
    bucket TEXT NOT NULL REFERENCES buckets (name),
    key TEXT NOT NULL,
    blob_id TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    etag TEXT NOT NULL,
    last_modified INTEGER NOT NULL,
    headers TEXT NOT NULL,
    user_metadata TEXT NOT NULL,
    checksum_algorithm TEXT NOT NULL,
    checksum_type TEXT NOT NULL,
    checksum_value TEXT NOT NULL,
    num_parts INTEGER NOT NULL,
    block_checksums TEXT NOT NULL,
    PRIMARY KEY (bucket, key)
) WITHOUT ROWID;
CREATE UNIQUE INDEX objects_by_blob ON objects (blob_id);
CREATE TABLE uploads (
    id TEXT NOT NULL PRIMARY KEY,
    bucket TEXT NOT NULL REFERENCES buckets (name),
    key TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    headers TEXT NOT NULL,
    user_metadata TEXT NOT NULL,
    checksum_algorithm TEXT NOT NULL,
    checksum_type TEXT NOT NULL,
    completed_at INTEGER NOT NULL,
    completed_etag TEXT NOT NULL,
    completed_checksum TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX uploads_by_key ON uploads (bucket, key, id);
CREATE INDEX uploads_by_completion ON uploads (completed_at);
CREATE TABLE upload_parts (
    upload_id TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    part_number INTEGER NOT NULL,
    blob_id TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    md5 TEXT NOT NULL,
    last_modified INTEGER NOT NULL,
    checksum_value TEXT NOT NULL,
    block_checksums TEXT NOT NULL,
    PRIMARY KEY (upload_id, part_number)
) WITHOUT ROWID;
CREATE UNIQUE INDEX upload_parts_by_blob ON upload_parts (blob_id);
)sql";

// Models, endpoint configurations and endpoints have one layout (meta/resources.h). name_folded is the name in lower
// case: names are unique without case.
constexpr std::string_view kHosting = R"sql(
CREATE TABLE models (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, name_folded)
) WITHOUT ROWID;
CREATE TABLE endpoint_configs (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, name_folded)
) WITHOUT ROWID;
CREATE TABLE endpoints (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region, name_folded)
) WITHOUT ROWID;
CREATE TABLE tags (
    arn TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (arn, key)
) WITHOUT ROWID;
)sql";

// Integers are BIGINT: SOCI reads columns of that declared type as 64-bit. 0 and '' stand for "not yet".
constexpr std::string_view kTrainingJobs = R"sql(
CREATE TABLE training_jobs (
    id BIGINT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    request TEXT NOT NULL,
    invocation_id TEXT NOT NULL,
    status TEXT NOT NULL,
    stage TEXT NOT NULL,
    failure_reason TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    runtime_exceeded BIGINT NOT NULL,
    process_token TEXT NOT NULL,
    num_launches BIGINT NOT NULL,
    UNIQUE (account, region, name)
);
CREATE UNIQUE INDEX training_jobs_by_folded_name ON training_jobs (account, region, lower(name));
CREATE INDEX training_jobs_by_time ON training_jobs (account, region, created_at);
CREATE INDEX training_jobs_unfinished ON training_jobs (id) WHERE status IN ('InProgress', 'Stopping');
CREATE TABLE training_job_transitions (
    job_id BIGINT NOT NULL REFERENCES training_jobs (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    stage TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (job_id, position)
) WITHOUT ROWID;
CREATE TABLE training_job_metrics (
    job_id BIGINT NOT NULL REFERENCES training_jobs (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    name TEXT NOT NULL,
    value REAL NOT NULL,
    time BIGINT NOT NULL,
    PRIMARY KEY (job_id, position)
) WITHOUT ROWID;
)sql";

constexpr std::string_view kLogs = R"sql(
CREATE TABLE log_streams (
    id BIGINT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    log_group TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    first_event_at BIGINT NOT NULL,
    last_event_at BIGINT NOT NULL,
    last_ingested_at BIGINT NOT NULL,
    UNIQUE (account, region, log_group, name)
);
CREATE TABLE log_events (
    stream_id BIGINT NOT NULL REFERENCES log_streams (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    time BIGINT NOT NULL,
    ingested_at BIGINT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (stream_id, position)
) WITHOUT ROWID;
)sql";

// Each order of a list has its index, which ends in the id as its cursors do. Ids of deleted jobs are not given again:
// a thread may still be cleaning up after one.
constexpr std::string_view kMoreJobs = R"sql(
CREATE TABLE transform_jobs (
    id BIGINT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    request TEXT NOT NULL,
    invocation_id TEXT NOT NULL,
    status TEXT NOT NULL,
    failure_reason TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    process_token TEXT NOT NULL,
    num_launches BIGINT NOT NULL,
    detail TEXT NOT NULL,
    UNIQUE (account, region, name)
);
CREATE UNIQUE INDEX transform_jobs_by_folded_name ON transform_jobs (account, region, lower(name));
CREATE INDEX transform_jobs_by_time ON transform_jobs (account, region, created_at, id);
CREATE INDEX transform_jobs_by_status ON transform_jobs (account, region, status, id);
CREATE INDEX transform_jobs_by_status_and_time ON transform_jobs (account, region, status, created_at, id);
CREATE INDEX transform_jobs_unfinished ON transform_jobs (id) WHERE status IN ('InProgress', 'Stopping');
CREATE TABLE tuning_jobs (
    id BIGINT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    request TEXT NOT NULL,
    invocation_id TEXT NOT NULL,
    status TEXT NOT NULL,
    failure_reason TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    process_token TEXT NOT NULL,
    num_launches BIGINT NOT NULL,
    detail TEXT NOT NULL,
    UNIQUE (account, region, name)
);
CREATE UNIQUE INDEX tuning_jobs_by_folded_name ON tuning_jobs (account, region, lower(name));
CREATE INDEX tuning_jobs_by_time ON tuning_jobs (account, region, created_at, id);
CREATE INDEX tuning_jobs_by_status ON tuning_jobs (account, region, status, id);
CREATE INDEX tuning_jobs_by_status_and_time ON tuning_jobs (account, region, status, created_at, id);
CREATE INDEX tuning_jobs_unfinished ON tuning_jobs (id) WHERE status IN ('InProgress', 'Stopping');
DROP INDEX training_jobs_by_time;
CREATE INDEX training_jobs_by_time ON training_jobs (account, region, created_at, id);
CREATE INDEX training_jobs_by_status ON training_jobs (account, region, status, id);
CREATE INDEX training_jobs_by_status_and_time ON training_jobs (account, region, status, created_at, id);
ALTER TABLE training_jobs ADD COLUMN tuning_job TEXT NOT NULL DEFAULT '';
CREATE TABLE tuning_trials (
    tuning_id BIGINT NOT NULL REFERENCES tuning_jobs (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    job_name TEXT NOT NULL,
    definition_idx BIGINT NOT NULL,
    hyperparameters TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    status TEXT NOT NULL,
    failure_reason TEXT NOT NULL,
    has_objective BIGINT NOT NULL,
    objective REAL NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    PRIMARY KEY (tuning_id, number)
) WITHOUT ROWID;
CREATE INDEX tuning_trials_by_name ON tuning_trials (tuning_id, job_name, number);
CREATE INDEX tuning_trials_by_time ON tuning_trials (tuning_id, created_at, number);
CREATE INDEX tuning_trials_by_status ON tuning_trials (tuning_id, status, number);
CREATE INDEX tuning_trials_by_objective ON tuning_trials (tuning_id, objective, number) WHERE has_objective = 1;
CREATE TABLE deleted_jobs (
    job_table TEXT NOT NULL PRIMARY KEY,
    last_id BIGINT NOT NULL
) WITHOUT ROWID;
)sql";

// What CloudWatch keeps: values of metrics by slot of time, and alarms over them. sample_values is
// Distribution::ValuesText.
constexpr std::string_view kMonitoring = R"sql(
CREATE TABLE metric_series (
    id BIGINT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name_space TEXT NOT NULL,
    name TEXT NOT NULL,
    dimensions TEXT NOT NULL,
    last_at BIGINT NOT NULL,
    UNIQUE (account, region, name_space, name, dimensions)
);
CREATE TABLE metric_values (
    series_id BIGINT NOT NULL REFERENCES metric_series (id) ON DELETE CASCADE,
    time BIGINT NOT NULL,
    unit TEXT NOT NULL,
    sample_count REAL NOT NULL,
    sum REAL NOT NULL,
    minimum REAL NOT NULL,
    maximum REAL NOT NULL,
    sample_values TEXT NOT NULL,
    PRIMARY KEY (series_id, time, unit)
) WITHOUT ROWID;
CREATE INDEX metric_values_by_time ON metric_values (time);
CREATE TABLE alarms (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    state TEXT NOT NULL,
    state_reason TEXT NOT NULL,
    state_data TEXT NOT NULL,
    configured_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    transitioned_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
) WITHOUT ROWID;
CREATE TABLE alarm_history (
    id BIGINT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    time BIGINT NOT NULL,
    kind TEXT NOT NULL,
    summary TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX alarm_history_by_time ON alarm_history (account, region, time, id);
CREATE INDEX alarm_history_by_name ON alarm_history (account, region, name, time, id);
)sql";

constexpr std::string_view kScaling = R"sql(
CREATE TABLE scalable_targets (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    resource TEXT NOT NULL,
    minimum BIGINT NOT NULL,
    maximum BIGINT NOT NULL,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    scaled_out_at BIGINT NOT NULL,
    scaled_in_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, resource)
) WITHOUT ROWID;
CREATE TABLE scaling_policies (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    resource TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, resource, name)
) WITHOUT ROWID;
CREATE TABLE scaling_activities (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    resource TEXT NOT NULL,
    time BIGINT NOT NULL,
    description TEXT NOT NULL,
    cause TEXT NOT NULL,
    successful BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX scaling_activities_by_time ON scaling_activities (time);
)sql";

// Groups that clients made; others are there as long as they have a stream.
constexpr std::string_view kLogGroups = R"sql(
CREATE TABLE log_groups (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
) WITHOUT ROWID;
)sql";

// The model registry in the layout of hosting. A parent counts its versions, which are called "<parent>/<number>".
// Every order of a list has its index.
constexpr std::string_view kRegistry = R"sql(
CREATE TABLE model_package_groups (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    document TEXT NOT NULL,
    last_number INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account, region, name_folded)
) WITHOUT ROWID;
CREATE INDEX model_package_groups_by_time ON model_package_groups (account, region, created_at, name);
CREATE INDEX model_package_groups_by_name ON model_package_groups (account, region, name);
CREATE TABLE model_cards (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    document TEXT NOT NULL,
    last_number INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account, region, name_folded)
) WITHOUT ROWID;
CREATE INDEX model_cards_by_time ON model_cards (account, region, created_at, name);
CREATE INDEX model_cards_by_name ON model_cards (account, region, name);
CREATE TABLE model_packages (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    document TEXT NOT NULL,
    parent TEXT NOT NULL GENERATED ALWAYS AS
        (CASE instr(name, '/') WHEN 0 THEN '' ELSE substr(name, 1, instr(name, '/') - 1) END) STORED,
    PRIMARY KEY (account, region, name_folded)
) WITHOUT ROWID;
CREATE INDEX model_packages_by_time ON model_packages (account, region, created_at, name);
CREATE INDEX model_packages_by_name ON model_packages (account, region, name);
CREATE INDEX model_packages_by_parent_and_time ON model_packages (account, region, parent, created_at, name);
CREATE INDEX model_packages_by_parent_and_name ON model_packages (account, region, parent, name);
CREATE TABLE model_card_versions (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    document TEXT NOT NULL,
    parent TEXT NOT NULL GENERATED ALWAYS AS
        (CASE instr(name, '/') WHEN 0 THEN '' ELSE substr(name, 1, instr(name, '/') - 1) END) STORED,
    PRIMARY KEY (account, region, name_folded)
) WITHOUT ROWID;
CREATE INDEX model_card_versions_by_time ON model_card_versions (account, region, created_at, name);
CREATE INDEX model_card_versions_by_name ON model_card_versions (account, region, name);
CREATE INDEX model_card_versions_by_parent_and_time ON model_card_versions (account, region, parent, created_at, name);
CREATE INDEX model_card_versions_by_parent_and_name ON model_card_versions (account, region, parent, name);
CREATE INDEX model_packages_of_groups_by_time ON model_packages (account, region, created_at, name) WHERE parent <> '';
CREATE INDEX model_packages_of_groups_by_name ON model_packages (account, region, name) WHERE parent <> '';
CREATE INDEX model_cards_by_status_and_time ON model_cards (account, region, status, created_at, name);
CREATE INDEX models_by_time ON models (account, region, created_at, name);
CREATE INDEX models_by_name ON models (account, region, name);
CREATE INDEX endpoint_configs_by_time ON endpoint_configs (account, region, created_at, name);
CREATE INDEX endpoint_configs_by_name ON endpoint_configs (account, region, name);
CREATE INDEX endpoints_by_time ON endpoints (account, region, created_at, name);
CREATE INDEX endpoints_by_name ON endpoints (account, region, name);
CREATE INDEX endpoints_by_status ON endpoints (account, region, status, name);
CREATE INDEX endpoints_by_status_and_time ON endpoints (account, region, status, created_at, name);
)sql";

// Asynchronous invocations that have not ended. AUTOINCREMENT: an id in a log or in memory never means a later request.
constexpr std::string_view kAsyncRequests = R"sql(
CREATE TABLE async_requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    inference_id TEXT NOT NULL,
    content_type TEXT NOT NULL,
    accept TEXT NOT NULL,
    input_location TEXT NOT NULL,
    inline_body TEXT NOT NULL,
    output_location TEXT NOT NULL,
    failure_location TEXT NOT NULL,
    has_own_places BIGINT NOT NULL,
    accepted_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    timeout_seconds BIGINT NOT NULL,
    trace_parent TEXT NOT NULL,
    end_reason TEXT NOT NULL
);
CREATE INDEX async_requests_by_endpoint ON async_requests (account, region, endpoint);
)sql";

// Lists of thousands (meta/row_list.h), in three parts. The names of everything that is listed by a part of its name,
// as trigrams; names of one or two characters hold none.
constexpr std::string_view kListedNames =
    "CREATE VIRTUAL TABLE listed_names USING fts5 (name, place UNINDEXED, tokenize = 'trigram');";
constexpr std::string_view kListedTables[] = {
    "training_jobs", "transform_jobs",       "tuning_jobs",    "models",     "endpoint_configs",
    "endpoints",     "model_package_groups", "model_packages", "model_cards"};
// Of each of those tables, {0}.
constexpr std::string_view kNamesOfTable = R"sql(
INSERT INTO listed_names SELECT name, '{0}/' || account || '/' || region FROM {0} WHERE length(name) >= 3;
CREATE TRIGGER {0}_name_in AFTER INSERT ON {0} WHEN length(NEW.name) >= 3 BEGIN
    INSERT INTO listed_names VALUES (NEW.name, '{0}/' || NEW.account || '/' || NEW.region);
END;
CREATE TRIGGER {0}_name_out AFTER DELETE ON {0} WHEN length(OLD.name) >= 3 BEGIN
    DELETE FROM listed_names WHERE listed_names MATCH '"' || OLD.name || '"' AND name = OLD.name AND
        place = '{0}/' || OLD.account || '/' || OLD.region;
END;
)sql";
// Each order behind each status. Every group of log streams has a row, and events know their group, so that a group's
// events are in order of time. The names of a job's metrics are kept beside its points.
constexpr std::string_view kLongListOrders = R"sql(
CREATE INDEX training_jobs_by_status_and_name ON training_jobs (account, region, status, name, id);
CREATE INDEX training_jobs_by_modification ON training_jobs (account, region, modified_at, id);
CREATE INDEX transform_jobs_by_status_and_name ON transform_jobs (account, region, status, name, id);
CREATE INDEX transform_jobs_by_modification ON transform_jobs (account, region, modified_at, id);
CREATE INDEX tuning_jobs_by_status_and_name ON tuning_jobs (account, region, status, name, id);
CREATE INDEX tuning_jobs_by_modification ON tuning_jobs (account, region, modified_at, id);
ALTER TABLE log_streams ADD COLUMN group_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE log_events ADD COLUMN group_id BIGINT NOT NULL DEFAULT 0;
INSERT OR IGNORE INTO log_groups SELECT account, region, log_group, min(created_at) FROM log_streams
    GROUP BY account, region, log_group;
CREATE TABLE numbered_log_groups (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (account, region, name)
);
INSERT INTO numbered_log_groups (account, region, name, created_at) SELECT account, region, name, created_at
    FROM log_groups;
DROP TABLE log_groups;
ALTER TABLE numbered_log_groups RENAME TO log_groups;
UPDATE log_streams SET group_id = (SELECT g.id FROM log_groups g WHERE g.account = log_streams.account AND
    g.region = log_streams.region AND g.name = log_streams.log_group);
UPDATE log_events SET group_id = (SELECT s.group_id FROM log_streams s WHERE s.id = log_events.stream_id);
CREATE INDEX log_streams_by_last_event ON log_streams (account, region, log_group, last_event_at, name);
CREATE INDEX log_events_by_time ON log_events (stream_id, time, position);
CREATE INDEX log_events_of_groups_by_time ON log_events (group_id, time, stream_id, position);
CREATE INDEX alarms_by_state ON alarms (account, region, state, name);
CREATE INDEX metric_series_by_name ON metric_series (account, region, name, name_space, dimensions);
CREATE TABLE training_metric_names (
    job_id BIGINT NOT NULL REFERENCES training_jobs (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (job_id, name)
) WITHOUT ROWID;
INSERT INTO training_metric_names SELECT job_id, name, max(time) FROM training_job_metrics GROUP BY job_id, name;
CREATE INDEX endpoints_by_modification ON endpoints (account, region, modified_at, name);
CREATE INDEX model_cards_by_status ON model_cards (account, region, status, name);
CREATE INDEX tuning_trials_by_status_and_name ON tuning_trials (tuning_id, status, job_name, number);
CREATE INDEX tuning_trials_by_status_and_time ON tuning_trials (tuning_id, status, created_at, number);
CREATE INDEX tuning_trials_by_status_and_objective ON tuning_trials (tuning_id, status, objective, number)
    WHERE has_objective = 1;
)sql";

// meta/lineage.h. Names are unique with their case, as in ARNs that were given out.
constexpr std::string_view kLineage = R"sql(
CREATE TABLE lineage_entities (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    source_uri TEXT NOT NULL,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, kind, name)
) WITHOUT ROWID;
CREATE INDEX lineage_entities_by_time ON lineage_entities (account, region, kind, created_at, name);
CREATE INDEX lineage_entities_by_type_and_time ON lineage_entities (account, region, kind, type, created_at, name);
CREATE INDEX lineage_entities_by_type_and_name ON lineage_entities (account, region, kind, type, name);
CREATE INDEX lineage_entities_by_source ON lineage_entities (account, region, kind, source_uri, created_at, name);
CREATE TABLE lineage_edges (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    source_kind TEXT NOT NULL,
    source_name TEXT NOT NULL,
    destination_kind TEXT NOT NULL,
    destination_name TEXT NOT NULL,
    type TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, source_kind, source_name, destination_kind, destination_name)
) WITHOUT ROWID;
CREATE INDEX lineage_edges_by_destination ON lineage_edges
    (account, region, destination_kind, destination_name, source_kind, source_name);
CREATE INDEX lineage_edges_by_time ON lineage_edges
    (account, region, created_at, source_kind, source_name, destination_kind, destination_name);
)sql";

// A point is known by its metric and its step. Points of before have none: theirs are unlike any round's.
constexpr std::string_view kMetricSteps = R"sql(
ALTER TABLE training_job_metrics ADD COLUMN step BIGINT NOT NULL DEFAULT 0;
UPDATE training_job_metrics SET step = -position;
CREATE UNIQUE INDEX training_job_metrics_by_step ON training_job_metrics (job_id, name, step);
)sql";

// Training jobs whose spans are exported when they end.
constexpr std::string_view kJobTraces = R"sql(
CREATE TABLE job_traces (
    job_id BIGINT PRIMARY KEY,
    trace_parent TEXT NOT NULL
) WITHOUT ROWID;
)sql";

// Empty but for a moment: see meta/database_room.h.
constexpr std::string_view kRoom = R"sql(
CREATE TABLE room (zeros BLOB NOT NULL);
)sql";

// In a stream whose events came in the order of their times, a time is a position.
constexpr std::string_view kLogOrder = R"sql(
ALTER TABLE log_streams ADD COLUMN in_order INTEGER NOT NULL DEFAULT 1;
UPDATE log_streams SET in_order = 0 WHERE EXISTS (
    SELECT 1 FROM log_events a CROSS JOIN log_events b ON b.stream_id = a.stream_id AND b.position = a.position + 1
    WHERE a.stream_id = log_streams.id AND b.time < a.time);
)sql";

// Which job is traced, of every kind.
constexpr std::string_view kTracesByKind = R"sql(
CREATE TABLE traced_jobs (
    kind TEXT NOT NULL,
    job_id BIGINT NOT NULL,
    trace_parent TEXT NOT NULL,
    PRIMARY KEY (kind, job_id)
) WITHOUT ROWID;
INSERT INTO traced_jobs SELECT 'training-job', job_id, trace_parent FROM job_traces;
DROP TABLE job_traces;
)sql";

// Log groups and streams that are deleted. A stream that is has no account: its events wait to be dropped. Ids are not
// given twice, and where a stream ends does not hang on what is left of it. retention_days: 0 = for ever.
constexpr std::string_view kLogRetention = R"sql(
ALTER TABLE log_groups ADD COLUMN retention_days BIGINT NOT NULL DEFAULT 0;
ALTER TABLE log_streams ADD COLUMN end_position BIGINT NOT NULL DEFAULT 0;
UPDATE log_streams SET end_position =
    coalesce((SELECT max(position) + 1 FROM log_events WHERE stream_id = log_streams.id), 0);
CREATE TABLE log_ids (last_id BIGINT NOT NULL);
INSERT INTO log_ids SELECT max(coalesce((SELECT max(id) FROM log_streams), 0),
                               coalesce((SELECT max(id) FROM log_groups), 0));
)sql";

std::string LongLists() {
    std::string sql(kListedNames);
    for (const std::string_view table : kListedTables) sql += fmt::format(kNamesOfTable, table);
    return sql.append(kLongListOrders);
}

}  // namespace

std::span<const Migration> Migrations() {
    static const Migration kMigrations[] = {
        {"objects", std::string(kObjects)},
        {"hosting", std::string(kHosting)},
        {"training jobs", std::string(kTrainingJobs)},
        {"logs", std::string(kLogs)},
        {"transform and tuning jobs", std::string(kMoreJobs)},
        {"metrics and alarms", std::string(kMonitoring)},
        {"scaling", std::string(kScaling)},
        {"log groups", std::string(kLogGroups)},
        {"model registry", std::string(kRegistry)},
        {"asynchronous invocations", std::string(kAsyncRequests)},
        {"long lists", LongLists()},
        {"lineage", std::string(kLineage)},
        {"metric steps", std::string(kMetricSteps)},
        {"traces of jobs", std::string(kJobTraces)},
        {"room", std::string(kRoom)},
        {"order of logs", std::string(kLogOrder)},
        {"traces by kind", std::string(kTracesByKind)},
        {"retention of logs", std::string(kLogRetention)},
    };
    return kMigrations;
}

}  // namespace espalier::meta
